//! Attestations: what somebody states who ran a recording again and compared.
//!
//! Pure; `docs/reproducibility.md` has the same words for people. Invariant: the criteria and the verdict of an
//! attestation that [`Attestation::check`] lets pass follow from the digests that stand in it.

pub mod results;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::criteria::{Criterion, Finding, Standing, Verdict, verdict};
use crate::digest::{Oid, Sha256};
use crate::dsse::{Digests, Predicate, Subject};
use crate::limits;
use results::Results;

/// What somebody states of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// The recording that was run again.
    pub capsule: Run,
    /// The run that it was compared with.
    pub replay: Run,
    /// The model that the recording lies beside, where it came from a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The account there of whoever states this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was stated; RFC 3339, UTC.
    pub time: String,
    /// Facts about the machine that the replay ran on, by name.
    pub machine: BTreeMap<String, String>,
    /// The program that ran and compared, with its version.
    pub software: String,
    pub recorded: Results,
    pub replayed: Results,
    /// In the order of the criteria.
    pub criteria: Vec<Held>,
    pub verdict: Verdict,
}

/// A run by its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Twelve hex digits.
    pub id: String,
    /// SHA-256 of its `capsule.json`, which names every other file of it by its digest.
    pub sha256: Sha256,
}

/// A model at one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// `owner/name`
    pub repository: String,
    pub revision: Oid,
    /// SHA-256 of the file in it that the recording is packed in.
    pub packed: Sha256,
}

/// A criterion and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    pub criterion: Criterion,
    pub standing: Standing,
}

/// Why an attestation states nothing that could count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    #[error("its criteria do not follow from the digests in it")]
    Criteria,
    #[error("its verdict does not follow from the digests in it")]
    Verdict,
    #[error("nothing in it could be compared")]
    Nothing,
    #[error("it compares a run with itself")]
    Itself,
    #[error("`{0}` in it is too long")]
    Long(&'static str),
}

/// What follows from the results of two runs.
pub fn judge(recorded: &Results, replayed: &Results) -> (Vec<Held>, Verdict) {
    let criteria = results::compare(recorded, replayed);
    let finding = |held: &Held| Finding {
        criterion: held.criterion,
        standing: held.standing,
        summary: String::new(),
        differences: Vec::new(),
    };
    // How far two numbers lie apart cannot be told from their digests, so nothing here is ever close.
    let verdict = verdict(&criteria.iter().map(finding).collect::<Vec<_>>(), false);
    (criteria, verdict)
}

impl Attestation {
    /// Whether it says what follows from its own digests, within bounds.
    pub fn check(&self) -> Result<(), AttestationError> {
        let texts = self.machine.iter().flat_map(|(name, value)| [name, value]);
        if self.machine.len() > limits::MACHINE_FACTS || texts.clone().any(|text| is_long(text)) {
            return Err(AttestationError::Long("machine"));
        }
        if is_long(&self.software) || is_long(&self.time) {
            return Err(AttestationError::Long("software"));
        }
        if self.capsule.sha256 == self.replay.sha256 || self.capsule.id == self.replay.id {
            return Err(AttestationError::Itself);
        }
        let (criteria, verdict) = judge(&self.recorded, &self.replayed);
        match () {
            () if criteria != self.criteria => Err(AttestationError::Criteria),
            () if verdict != self.verdict => Err(AttestationError::Verdict),
            () if verdict == Verdict::NotComparable => Err(AttestationError::Nothing),
            () => Ok(()),
        }
    }
}

fn is_long(text: &str) -> bool {
    text.len() > limits::MACHINE_FACT_BYTES
}

impl Predicate for Attestation {
    const TYPE: &'static str = "urn:reenact:attestation:v1";

    fn subject(&self) -> Vec<Subject> {
        let digest = Digests { sha256: self.capsule.sha256 };
        vec![Subject { name: "capsule.json".to_owned(), digest }]
    }
}

#[cfg(test)]
mod tests {
    use super::results::{Kind, Output};
    use super::*;
    use crate::capsule::Exit;

    fn results(weights: &[u8], predictions: &[u8]) -> Results {
        let output = |kind, bytes: &[u8]| Output { kind, sha256: Sha256::of(bytes), tensors: None };
        Results {
            exit: Some(Exit::Code(0)),
            n_fresh: 0,
            n_missing: 0,
            n_strayed: 0,
            outputs: BTreeMap::from([
                ("model.bin".to_owned(), output(Kind::Weights, weights)),
                ("pred.txt".to_owned(), output(Kind::Predictions, predictions)),
            ]),
            metrics: BTreeMap::from([("loss".to_owned(), Sha256::of(b"0.5"))]),
            environment: Sha256::of(b"here"),
        }
    }

    fn attestation(recorded: Results, replayed: Results) -> Attestation {
        let run = |id: &str| Run { id: id.to_owned(), sha256: Sha256::of(id.as_bytes()) };
        let (criteria, verdict) = judge(&recorded, &replayed);
        Attestation {
            capsule: run("0123456789ab"),
            replay: run("ba9876543210"),
            model: None,
            by: None,
            time: "2026-11-21T01:02:03.456Z".to_owned(),
            machine: BTreeMap::new(),
            software: "reenact 0.1.0".to_owned(),
            recorded,
            replayed,
            criteria,
            verdict,
        }
    }

    #[test]
    fn what_follows_from_the_digests_passes() {
        let said = attestation(results(b"w", b"p"), results(b"w", b"p"));
        assert_eq!((said.verdict, said.check()), (Verdict::Bitwise, Ok(())));
        let said = attestation(results(b"w", b"p"), results(b"x", b"p"));
        assert_eq!((said.verdict, said.check()), (Verdict::Process, Ok(())));
        let said = attestation(results(b"w", b"p"), results(b"x", b"q"));
        assert_eq!((said.verdict, said.check()), (Verdict::Different, Ok(())));
    }

    #[test]
    fn tensors_stand_for_the_file_that_they_are_in() {
        let with = |bytes: &[u8]| {
            let mut results = results(bytes, b"p");
            let weights = results.outputs.get_mut("model.bin").unwrap();
            weights.tensors = Some(Sha256::of(b"the same numbers"));
            results
        };
        assert_eq!(attestation(with(b"packed at noon"), with(b"packed at one")).verdict, Verdict::Bitwise);
    }

    #[test]
    fn draws_that_did_not_match_and_other_ends_are_no_complete_replay() {
        for change in [
            |it: &mut Results| it.n_fresh = u64::MAX,
            |it: &mut Results| it.n_strayed = 1,
            |it: &mut Results| it.exit = Some(Exit::Signal(9)),
        ] {
            let mut replayed = results(b"w", b"p");
            change(&mut replayed);
            assert_ne!(attestation(results(b"w", b"p"), replayed).verdict, Verdict::Bitwise);
        }
    }

    #[test]
    fn a_claim_that_does_not_follow_is_refused() {
        let honest = attestation(results(b"w", b"p"), results(b"x", b"q"));
        let better = Attestation { verdict: Verdict::Bitwise, ..honest.clone() };
        assert_eq!(better.check(), Err(AttestationError::Verdict));
        let mut held = honest.clone();
        held.criteria[1].standing = Standing::Equal;
        assert_eq!(held.check(), Err(AttestationError::Criteria));
        let itself = Attestation { replay: honest.capsule.clone(), ..honest.clone() };
        assert_eq!(itself.check(), Err(AttestationError::Itself));
        let long = Attestation { software: "x".repeat(5000), ..honest };
        assert_eq!(long.check(), Err(AttestationError::Long("software")));
        let empty = || Results { outputs: BTreeMap::new(), metrics: BTreeMap::new(), ..results(b"", b"") };
        assert_eq!(attestation(empty(), empty()).check(), Err(AttestationError::Nothing));
    }
}
