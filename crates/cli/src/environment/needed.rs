//! What a training reads of the system that it runs on: its interpreter and the libraries of all programs.
//!
//! Runs nothing to find that out. Invariant: of an interpreter's folders those alone are named that are an
//! environment or an installation of Python, never a person's own folder.

use std::fs;
use std::path::{Path, PathBuf};

use ::record::replayer::Needed;

/// Programs and libraries of the system.
const PROGRAMS: [&str; 9] =
    ["/bin", "/lib", "/lib32", "/lib64", "/nix/store", "/opt", "/sbin", "/usr", "/var/lib/dpkg"];
/// What programs read of the system besides.
const READ: [&str; 7] =
    ["/dev/full", "/dev/random", "/dev/urandom", "/dev/zero", "/etc", "/proc", "/sys/devices/system"];
/// Links from one name of a program to the next that are followed.
const LINKS: usize = 16;

/// What a program needs.
pub fn of(program: &Path) -> Needed {
    let readable = READ.map(PathBuf::from).into_iter().filter(|path| path.exists()).collect();
    Needed { executable: executable(program), readable }
}

/// What may be run, and with it read.
fn executable(program: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = PROGRAMS.map(PathBuf::from).into();
    let mut program = program.to_owned();
    for _ in 0..LINKS {
        found.extend(prefix(&program));
        match fs::read_link(&program) {
            Ok(to) => program = program.parent().unwrap_or(Path::new("/")).join(to),
            Err(_) => break,
        }
    }
    found.extend(Some(program).filter(|program| program.is_file()));
    found.retain(|path| path.exists());
    found
}

/// The folder of the environment or the installation that an interpreter belongs to.
fn prefix(program: &Path) -> Option<PathBuf> {
    let prefix = program.parent().filter(|folder| folder.ends_with("bin"))?.parent()?;
    let has_library = || {
        let mut inside = fs::read_dir(prefix.join("lib")).ok()?.filter_map(Result::ok);
        inside.find(|entry| entry.path().join("os.py").is_file())
    };
    let is_python = prefix.join("pyvenv.cfg").is_file() || has_library().is_some();
    is_python.then(|| prefix.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_needed_and_the_folder_around_a_program_is_not() {
        let home = tempfile::tempdir().unwrap();
        let venv = home.path().join("venv");
        for folder in ["venv/bin", "bin"] {
            fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        fs::write(home.path().join("bin/real"), "").unwrap();
        fs::write(venv.join("pyvenv.cfg"), "").unwrap();
        std::os::unix::fs::symlink("../../bin/real", venv.join("bin/python")).unwrap();
        let found = executable(&venv.join("bin/python"));
        assert!(found.contains(&venv) && !found.contains(&home.path().to_owned()), "{found:?}");
        assert!(found.iter().any(|path| path.ends_with("bin/real")), "{found:?}");
    }
}
