//! Entropy logs: wherever one is cut, what was before the cut is there, and what is kept of one is a log.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spec::capsule::log;

fuzz_target!(|bytes: &[u8]| {
    let Ok(whole) = log::read(bytes) else { return };
    for record in &whole.records {
        assert!(record.payload.len() <= bytes.len());
        let _ = (record.text(), log::thread(record.stream), whole.module(record.module));
    }
    assert!(whole.draws().count() <= whole.records.len());
    let kept = whole.with(|_| true);
    let again = log::read(&kept).expect("a log of its own records is one");
    assert_eq!(again.records, whole.records);
    let cut = &bytes[..bytes.len() - bytes.len() / 3];
    if let Ok(beginning) = log::read(cut) {
        assert_eq!(beginning.records[..], whole.records[..beginning.records.len()]);
    }
});
