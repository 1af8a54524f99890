//! Which files stand for the GPUs that a model may use, and what their driver reads.
//!
//! Knows how NVIDIA's driver names its devices, and opens none. Invariant: without the operator's word there are none,
//! and one that was named and is not there is an error.

use std::fs;
use std::path::{Path, PathBuf};

use server::settings::Gpu;

use crate::error::Error;

/// Where devices are.
pub(super) const FOLDER: &str = "/dev";
/// Those that every program needs that computes on a GPU, whichever it is.
const CONTROL: [&str; 2] = ["nvidiactl", "nvidia-uvm"];
/// Where the driver tells of itself, and its libraries where they are not among those of the system.
const DRIVER: [&str; 3] = ["/proc/driver/nvidia", "/proc/devices", "/usr/local/nvidia"];

/// The device files of these GPUs in a folder of devices.
pub(super) fn files(gpu: &Gpu, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let names = match gpu {
        Gpu::None => return Ok(Vec::new()),
        Gpu::All => all(folder)?,
        Gpu::Numbered(numbers) => numbers.iter().map(|number| format!("nvidia{number}")).collect(),
    };
    let paths = CONTROL.into_iter().map(str::to_owned).chain(names).map(|name| folder.join(name));
    let there = |path: PathBuf| if path.exists() { Ok(path) } else { Err(Error::NoDevice { path }) };
    paths.map(there).collect()
}

/// What a program that uses them reads besides.
pub(super) fn readable() -> Vec<PathBuf> {
    DRIVER.into_iter().map(PathBuf::from).filter(|path| path.exists()).collect()
}

/// All GPUs, by their numbers.
fn all(folder: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| Error::File { operation: "list", path: folder.into(), source };
    let mut numbers: Vec<u32> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("nvidia")).map(str::parse::<u32>);
        numbers.extend(number.and_then(Result::ok));
    }
    numbers.sort_unstable();
    Ok(numbers.into_iter().map(|number| format!("nvidia{number}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of devices as a machine with three GPUs has them.
    fn machine() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["nvidiactl", "nvidia-uvm", "nvidia-modeset", "nvidia2", "nvidia0", "nvidia10", "sda"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        folder
    }

    fn names(gpu: &Gpu, folder: &Path) -> Vec<String> {
        let files = files(gpu, folder).unwrap();
        files.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn only_the_gpus_that_were_named_are_given() {
        let machine = machine();
        assert_eq!(names(&Gpu::None, machine.path()), [""; 0]);
        assert_eq!(names(&Gpu::Numbered(vec![2]), machine.path()), ["nvidiactl", "nvidia-uvm", "nvidia2"]);
        let all = ["nvidiactl", "nvidia-uvm", "nvidia0", "nvidia2", "nvidia10"];
        assert_eq!(names(&Gpu::All, machine.path()), all);
    }

    #[test]
    fn one_that_is_not_there_is_named() {
        let machine = machine();
        let error = files(&Gpu::Numbered(vec![0, 1]), machine.path()).unwrap_err().to_string();
        assert!(error.contains("nvidia1`"), "{error}");
        let none = tempfile::tempdir().unwrap();
        assert!(files(&Gpu::All, none.path()).unwrap_err().to_string().contains("nvidiactl"));
    }
}
