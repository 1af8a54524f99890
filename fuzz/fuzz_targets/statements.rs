//! Signed statements and signatures over folders: what is no statement is refused, and nothing of a stranger's opens.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spec::attestation::Attestation;
use spec::{dsse, folder_signature};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(said) = dsse::read::<Attestation>(bytes) {
        let checked = said.check();
        let text = serde_json::to_string(&said).expect("a statement is JSON");
        let again: Attestation = serde_json::from_str(&text).expect("it is read as it was written");
        assert_eq!(again.check(), checked);
    }
    let _ = dsse::predicate_type(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let seed = [7; 32];
    let key = dsse::Key::from_seed(&seed).public();
    let folder_key = folder_signature::Key::from_seed(&seed).public();
    // Seeds are signed with this key; of what opens, no path leads out.
    let _ = dsse::open(text, &[key]);
    if let Ok(folder) = folder_signature::open(text, &folder_key) {
        assert!(folder.files.iter().all(|(path, _)| spec::capsule::stays_inside(path)));
    }
    let _ = folder_signature::PublicKey::from_pem(text);
});
