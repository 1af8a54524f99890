//! What holds and what does not, for people and for decisions.
//!
//! Knows nothing of kernels. Invariant: a report names every layer once, in the order of [`Layer`].

use std::fmt;

/// One way of confining a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Files and sockets that the parent left open are closed.
    Descriptors,
    /// The process ends with its parent.
    Parent,
    /// No privilege is held and none can be gained.
    Privileges,
    /// A network of its own with nothing in it; host name and inter-process communication of its own.
    Namespaces,
    /// Memory, threads, processor time, files are bounded.
    Limits,
    /// Only the named files can be opened (Landlock).
    Files,
    /// No TCP, no signals and no abstract sockets to the outside (Landlock).
    Scopes,
    /// Other processes of the same user cannot read this one's memory.
    Memory,
    /// System calls that no honest model needs are refused (seccomp).
    Calls,
}

impl Layer {
    const ALL: [Self; 9] = [
        Self::Descriptors,
        Self::Parent,
        Self::Privileges,
        Self::Namespaces,
        Self::Limits,
        Self::Files,
        Self::Scopes,
        Self::Memory,
        Self::Calls,
    ];

    /// Its name, such as `files`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Descriptors => "descriptors",
            Self::Parent => "parent",
            Self::Privileges => "privileges",
            Self::Namespaces => "namespaces",
            Self::Limits => "limits",
            Self::Files => "files",
            Self::Scopes => "scopes",
            Self::Memory => "memory",
            Self::Calls => "calls",
        }
    }

    /// Without these foreign code could reach what is not its own, whatever the other layers do.
    fn is_essential(self) -> bool {
        matches!(self, Self::Limits | Self::Files | Self::Calls)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a layer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Enforced,
    /// It holds, but for what the reason says.
    Partly(String),
    Missing(String),
    /// The policy does not ask for it.
    Unwanted,
}

impl Standing {
    /// The standing of something that needs both.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Enforced | Self::Unwanted, other) => other,
            (this, Self::Enforced | Self::Unwanted) => this,
            (Self::Missing(this), Self::Missing(other)) => Self::Missing(format!("{this}; {other}")),
            (Self::Missing(this) | Self::Partly(this), Self::Missing(other) | Self::Partly(other)) => {
                Self::Partly(format!("{this}; {other}"))
            }
        }
    }

    /// The same where the other may not be missing: what has no bound at all outweighs what has one in part.
    pub(crate) fn and_wholly(self, other: Self) -> Self {
        match other {
            Self::Missing(_) => other,
            Self::Unwanted => self,
            other => self.and(other),
        }
    }

    /// Enforced, or missing for the reason that the system gave.
    pub(crate) fn of<E: fmt::Display>(what: &str, result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Enforced,
            Err(error) => Self::Missing(format!("{what}: {error}")),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enforced => f.write_str("enforced"),
            Self::Partly(reason) => write!(f, "partly ({reason})"),
            Self::Missing(reason) => write!(f, "missing ({reason})"),
            Self::Unwanted => f.write_str("not asked for"),
        }
    }
}

/// Every layer and its standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    layers: Vec<(Layer, Standing)>,
}

impl Report {
    pub(crate) fn new(mut layers: [(Layer, Standing); Layer::ALL.len()]) -> Self {
        layers.sort_by_key(|(layer, _)| *layer);
        Self { layers: layers.into() }
    }

    /// All layers, in order.
    pub fn layers(&self) -> &[(Layer, Standing)] {
        &self.layers
    }

    /// The layers that do not hold or hold in part, in order.
    pub fn gaps(&self) -> impl Iterator<Item = &(Layer, Standing)> {
        self.layers
            .iter()
            .filter(|(_, standing)| matches!(standing, Standing::Partly(_) | Standing::Missing(_)))
    }

    /// Whether foreign code may run behind this: no layer is missing that nothing else makes up for.
    pub fn holds_foreign_code(&self) -> bool {
        !self
            .layers
            .iter()
            .any(|(layer, standing)| layer.is_essential() && matches!(standing, Standing::Missing(_)))
    }
}

/// One layer a line, such as `files: enforced`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (layer, standing)) in self.layers.iter().enumerate() {
            let end = if n + 1 < self.layers.len() { "\n" } else { "" };
            write!(f, "{layer}: {standing}{end}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_standings_make_one() {
        let missing = |reason: &str| Standing::Missing(reason.into());
        assert_eq!(Standing::Enforced.and(Standing::Enforced), Standing::Enforced);
        assert_eq!(Standing::Enforced.and(missing("a")), missing("a"));
        assert_eq!(missing("a").and(missing("b")), missing("a; b"));
        assert_eq!(Standing::Partly("a".into()).and(missing("b")), Standing::Partly("a; b".into()));
        assert_eq!(Standing::Partly("a".into()).and_wholly(missing("b")), missing("b"));
        assert_eq!(missing("a").and_wholly(Standing::Unwanted), missing("a"));
        assert_eq!(Standing::Enforced.and_wholly(Standing::Unwanted), Standing::Enforced);
    }

    #[test]
    fn a_missing_filter_of_calls_is_not_enough_for_foreign_code() {
        let report = |standing: Standing| {
            Report::new(Layer::ALL.map(|layer| match layer {
                Layer::Calls => (layer, standing.clone()),
                _ => (layer, Standing::Enforced),
            }))
        };
        assert!(report(Standing::Enforced).holds_foreign_code());
        assert!(!report(Standing::Missing("no seccomp".into())).holds_foreign_code());
        assert_eq!(report(Standing::Missing("x".into())).gaps().count(), 1);
        assert!(
            report(Standing::Enforced).to_string().starts_with("descriptors: enforced\nparent: enforced")
        );
    }
}
