//! Records of capsules: what is read is written and read as the same, and what is told of it ends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spec::capsule::{self, Capsule, facts};

fuzz_target!(|bytes: &[u8]| {
    let Ok(record) = serde_json::from_slice::<Capsule>(bytes) else { return };
    let text = serde_json::to_vec(&record).expect("a record is JSON");
    let again: Capsule = serde_json::from_slice(&text).expect("a record is read as it was written");
    // Compared as text, since a loss that is no number is equal to nothing.
    assert_eq!(text, serde_json::to_vec(&again).expect("a record is JSON"));
    assert_eq!(facts::facts(&record), facts::facts(&again));
    let (shown, n_redacted) = capsule::without_secrets(&record.command);
    assert_eq!(shown.len(), record.command.len());
    assert!(n_redacted <= shown.len());
    for word in &record.command {
        capsule::moved(word, &record.folder, "/work", |path| capsule::stays_inside(path));
    }
});
