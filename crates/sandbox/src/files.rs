//! Landlock: which files can be opened, and no TCP, signals or abstract sockets to the outside.
//!
//! Rights hang on what a path leads to when the rule is made, so that neither a link nor a rename leads out.
//! Invariant: a path that cannot be opened for its rule is an error, never a rule left out.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, Scope,
};

use crate::Error;
use crate::policy::Policy;
use crate::report::Standing;

/// The version of Landlock whose rights are asked for; older kernels give fewer.
pub(crate) const WANTED: ABI = ABI::V6;

/// Restricts files, and what else Landlock can: the standings of both. `scratch` may be written to as well.
pub(crate) fn restrict(policy: &Policy, scratch: Option<&Path>) -> Result<(Standing, Standing), Error> {
    let mut rules = ruleset().map_err(Error::Landlock)?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // Devices and set-user-id files have no place in a folder of one's own.
    let write =
        AccessFs::from_write(WANTED) & !(AccessFs::MakeBlock | AccessFs::MakeChar | AccessFs::IoctlDev);
    let granted = policy.readable.iter().map(|path| (path, read));
    let granted = granted.chain(policy.executable.iter().map(|path| (path, read | AccessFs::Execute)));
    let granted = granted.chain(policy.writable.iter().map(|path| (path, read | write)));
    let use_device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let granted = granted.chain(policy.devices.iter().map(|path| (path, use_device)));
    let granted = granted.map(|(path, rights)| (path.as_path(), rights));
    for (path, rights) in granted.chain(scratch.map(|path| (path, read | write))) {
        rules = grant(rules, path, rights)?;
    }
    let status = rules.restrict_self().map_err(Error::Landlock)?;
    Ok(standings(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    }))
}

/// What a kernel with this version of Landlock does about files, and about the rest.
pub(crate) fn standings(version: u32) -> (Standing, Standing) {
    let older = |lacks: &str| format!("Landlock {version} lacks {lacks}");
    let files = match version {
        0 => Standing::Missing("the kernel has no Landlock".into()),
        1 => Standing::Partly(older("moving between folders, truncation and device control")),
        2 => Standing::Partly(older("truncation and device control")),
        3..=4 => Standing::Partly(older("device control")),
        5.. => Standing::Enforced,
    };
    let scopes = match version {
        0 => Standing::Missing("the kernel has no Landlock".into()),
        1..=3 => Standing::Missing(older("TCP, signals and abstract sockets")),
        4..=5 => Standing::Partly(older("signals and abstract sockets")),
        6.. => Standing::Enforced,
    };
    (files, scopes)
}

fn ruleset() -> Result<RulesetCreated, landlock::RulesetError> {
    let all = Ruleset::default().handle_access(AccessFs::from_all(WANTED))?;
    all.handle_access(AccessNet::from_all(WANTED))?.scope(Scope::from_all(WANTED))?.create()
}

fn grant(rules: RulesetCreated, path: &Path, rights: BitFlags<AccessFs>) -> Result<RulesetCreated, Error> {
    let target = PathFd::new(path).map_err(|source| Error::Path { path: path.into(), source })?;
    // Rights over folders mean nothing for a file, and Landlock refuses them there.
    let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(WANTED) };
    rules.add_rule(PathBeneath::new(target, rights)).map_err(Error::Landlock)
}
