//! Why two runs differ, the likeliest cause first: environment, entropy, instruction set and threads.
//!
//! Invariant: a cause is said only where there is evidence of it in the records.

use spec::capsule::facts::facts;
use spec::capsule::{Divergence, Kind, Place};
use spec::criteria::{Criterion, Finding, Verdict};

use super::side::Side;

pub(super) fn causes(a: &Side, b: &Side, findings: &[Finding], verdict: Verdict) -> Vec<String> {
    if verdict == Verdict::Bitwise {
        return Vec::new();
    }
    let (Some(a), Some(b)) = (&a.record, &b.record) else { return Vec::new() };
    let mut causes = Vec::new();
    let environment = findings.iter().find(|finding| finding.criterion == Criterion::Environment);
    let (facts_a, facts_b) = (facts(a), facts(b));
    let differ = |name: &&String| facts_a.get(*name) != facts_b.get(*name);
    let of_kind = |beginnings: &[&str]| -> Vec<String> {
        let mut names: Vec<&String> = facts_a.keys().chain(facts_b.keys()).filter(differ).collect();
        names.sort();
        names.dedup();
        let told =
            |value: Option<&String>| value.map_or_else(|| "none".to_owned(), |value| format!("`{value}`"));
        let met =
            names.into_iter().filter(|name| beginnings.iter().any(|beginning| name.starts_with(beginning)));
        met.take(5)
            .map(|name| format!("{name} is {} and {}", told(facts_a.get(name)), told(facts_b.get(name))))
            .collect()
    };
    if environment.is_some() {
        causes.extend(of_kind(&["code ", "input "]));
        causes.extend(of_kind(&["python", "package "]));
        causes.extend(of_kind(&["variable ", "machine instructions", "machine cores", "machine gpu"]));
        causes.extend(of_kind(&["machine processor"]));
    }
    for replay in [a, b].into_iter().filter(|record| record.kind == Kind::Replay) {
        causes.extend(replay.entropy.divergence.as_ref().map(divergence));
        if replay.entropy.n_weak > 0 {
            let n = replay.entropy.n_weak;
            causes.push(format!(
                "{n} draws came in another order of threads and were matched by length and place"
            ));
        }
    }
    if [a, b].iter().all(|record| record.kind == Kind::Recording) && a.id != b.id {
        causes.push("neither run is a replay of the other, so each drew entropy of its own".to_owned());
    }
    let is_of_bypass = |warning: &&String| {
        ["was not seen", "were not recorded and cannot"].iter().any(|words| warning.contains(words))
    };
    let bypassed = a.warnings.iter().chain(&b.warnings).filter(is_of_bypass);
    causes.extend(bypassed.cloned());
    causes.dedup();
    causes
}

fn divergence(divergence: &Divergence) -> String {
    let place = |place: &Place| {
        let module = place.module.rsplit('/').next().unwrap_or_default();
        format!("{} bytes from {module}+{:#x}", place.n_bytes, place.offset)
    };
    let Divergence { process, thread, sequence, asked, recorded } = divergence;
    let what = match (asked, recorded) {
        (Some(asked), Some(recorded)) => {
            format!("drew {}, and the recording has {}", place(asked), place(recorded))
        }
        (Some(asked), None) => format!("drew {}, and the recording has nothing more there", place(asked)),
        (None, Some(recorded)) => format!("did not draw {}, which the recording has", place(recorded)),
        (None, None) => "drew otherwise than recorded".to_owned(),
    };
    format!(
        "the replay first went another way in process `{process}`, thread {thread}, draw {sequence}: it {what}"
    )
}
