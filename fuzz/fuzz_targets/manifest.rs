//! Manifests: what is taken is a manifest once more when it is written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spec::manifest::Manifest;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    let written = serde_json::to_string(&manifest).expect("a manifest is JSON");
    let again: Manifest = serde_json::from_str(&written).expect("a manifest is read as it was written");
    assert_eq!(manifest, again);
});
