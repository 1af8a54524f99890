//! Badges: what of the ACM's artifact badges a model has earned, by evidence that this server holds.
//!
//! Pure. Invariant: a badge is met where all of its conditions are, each said with what was found; what a server cannot
//! know is no condition, and is said to be left open.

/// What is known of a model.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    pub is_public: bool,
    pub is_gated: bool,
    pub license: Option<String>,
    /// The commit that is looked at.
    pub revision: String,
    pub has_card: bool,
    /// Recordings that came to their end and ended well.
    pub n_complete: usize,
    pub n_attestations: i64,
    pub n_reproduced: i64,
}

/// A badge, met or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    pub name: &'static str,
    pub meaning: &'static str,
    pub conditions: Vec<Condition>,
}

/// Something that a badge asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub is_met: bool,
    pub sentence: String,
}

impl Badge {
    pub fn is_met(&self) -> bool {
        self.conditions.iter().all(|condition| condition.is_met)
    }
}

/// All badges, in the order in which they are earned.
pub fn badges(evidence: &Evidence) -> Vec<Badge> {
    let condition = |is_met: bool, met: String, open: &str| Condition {
        is_met,
        sentence: if is_met { met } else { open.to_owned() },
    };
    let license = evidence.license.as_deref();
    let available = vec![
        condition(evidence.is_public, "everybody may see it".to_owned(), "it is private"),
        condition(
            !evidence.is_gated,
            "its files are had without asking".to_owned(),
            "its files are had by asking",
        ),
        condition(
            license.is_some(),
            format!("its licence is {}", license.unwrap_or_default()),
            "its card names no licence",
        ),
        condition(
            !evidence.revision.is_empty(),
            format!("commit {} names these files for good", evidence.revision),
            "it has no commit",
        ),
    ];
    let functional = vec![
        condition(evidence.has_card, "a card says what it is".to_owned(), "it has no card"),
        condition(
            evidence.n_complete > 0,
            "its training was recorded from beginning to end".to_owned(),
            "no recording of its training lies beside it",
        ),
        condition(
            evidence.n_attestations > 0,
            "the recording was run again".to_owned(),
            "nobody has stated that the recording was run again",
        ),
    ];
    let people = if evidence.n_reproduced == 1 { "person" } else { "people" };
    let reproduced = vec![condition(
        evidence.n_reproduced > 0,
        format!("{} {people} who cannot change it came to the same", evidence.n_reproduced),
        "nobody who cannot change it has stated that they came to the same",
    )];
    let badge = |name, meaning, conditions| Badge { name, meaning, conditions };
    vec![
        badge("Available", "whoever wants it can have it", available),
        badge("Functional", "it is documented, complete, and runs", functional),
        badge("Reproduced", "somebody else came to the same result", reproduced),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(evidence: &Evidence) -> Vec<&'static str> {
        badges(evidence).iter().filter(|badge| badge.is_met()).map(|badge| badge.name).collect()
    }

    #[test]
    fn each_badge_needs_all_of_its_own_evidence() {
        assert!(met(&Evidence::default()).is_empty());
        let open = Evidence {
            is_public: true,
            license: Some("mit".to_owned()),
            revision: "0a".repeat(20),
            ..Evidence::default()
        };
        assert_eq!(met(&open), ["Available"]);
        assert!(met(&Evidence { is_gated: true, ..open.clone() }).is_empty(), "gated does not qualify");
        let run = Evidence { has_card: true, n_complete: 1, n_attestations: 1, ..open };
        assert_eq!(met(&run), ["Available", "Functional"], "the owner's own replay is no reproduction");
        assert_eq!(met(&Evidence { n_reproduced: 1, ..run }), ["Available", "Functional", "Reproduced"]);
    }
}
