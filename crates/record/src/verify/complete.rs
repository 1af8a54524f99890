//! C0: both runs came to the same end, and a replay drew what was recorded and nothing else.

use spec::capsule::{Capsule, Exit, Kind, State};
use spec::criteria::{Criterion, Finding, Standing};

use super::differs;
use super::side::Side;

pub(super) fn compare(a: &Side, b: &Side) -> Finding {
    let finding = |standing, summary: String, differences| Finding {
        criterion: Criterion::Complete,
        standing,
        summary,
        differences,
    };
    let (Some(a), Some(b)) = (&a.record, &b.record) else {
        let summary = "a plain folder does not say how its run ended".to_owned();
        return finding(Standing::NotComparable, summary, Vec::new());
    };
    let mut differences = Vec::new();
    if ended(a) != ended(b) {
        differences.push(differs("end", ended(a), ended(b)));
    }
    for replay in [a, b].into_iter().filter(|record| record.kind == Kind::Replay) {
        let counts = [
            ("draws that were not recorded", replay.entropy.n_fresh),
            ("recorded draws that did not come", replay.entropy.n_missing),
            ("files opened where the run was recorded", replay.strayed.len() as u64),
        ];
        let met = counts.into_iter().filter(|(_, n)| *n > 0);
        differences.extend(met.map(|(what, n)| differs(what, "0", n.to_string())));
    }
    let is_incomplete = [a, b].iter().any(|record| record.state == State::Incomplete);
    match differences.first() {
        _ if is_incomplete => {
            let summary = "a run is still under way, or its recorder was killed".to_owned();
            finding(Standing::Different, summary, differences)
        }
        Some(first) => {
            let summary = format!("{}: {} and {}", first.what, first.a, first.b);
            finding(Standing::Different, summary, differences)
        }
        None => {
            let n = b.entropy.n_draws.max(a.entropy.n_draws);
            let weak = a.entropy.n_weak + b.entropy.n_weak;
            let weakly = if weak > 0 {
                format!(", {weak} of them in another order of threads")
            } else {
                String::new()
            };
            let replayed = [a, b].iter().any(|record| record.kind == Kind::Replay);
            let drawn = if replayed { format!("; all {n} draws given again{weakly}") } else { String::new() };
            // That two runs fail in the same way is worth knowing, and is not what their reader hopes for.
            let failed = if a.exit == Some(Exit::Code(0)) { "" } else { ", so neither succeeded" };
            finding(Standing::Equal, format!("both {}{failed}{drawn}", ended(a)), Vec::new())
        }
    }
}

fn ended(record: &Capsule) -> String {
    match record.exit {
        Some(Exit::Code(code)) => format!("ended with exit code {code}"),
        Some(Exit::Signal(signal)) => format!("were ended by signal {signal}"),
        None => "did not end".to_owned(),
    }
}
