//! What a confined process may still do.
//!
//! Knows nothing of how it is enforced. Invariant: what is not named here is denied; the network always is.

use std::path::PathBuf;

/// What is left to a confined process. Paths must exist; a folder stands for all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Files and folders that may be read.
    pub readable: Vec<PathBuf>,
    /// Files and folders that may be read and executed. With none, no program can be started at all.
    pub executable: Vec<PathBuf>,
    /// Folders in which files may be read, made, changed and removed.
    pub writable: Vec<PathBuf>,
    /// Devices that may be read, written and controlled.
    pub devices: Vec<PathBuf>,
    /// Address space in bytes, which bounds memory; libraries and thread stacks count. With devices it bounds what is
    /// private and can be written, since drivers reserve addresses beyond all bounds. Memory mapped as shared is not
    /// bounded then, and neither are mappings that grow down: whoever starts such a process has to look at what it
    /// holds.
    pub memory_bytes: u64,
    /// Threads. Not bounded where the kernel can only count all processes of the user together.
    pub n_processes: u64,
    /// Processor time in seconds, after which the process is killed.
    pub cpu_s: Option<u64>,
    /// Length in bytes up to which a file may grow, after which the process is killed. It holds for a log file
    /// that the parent gave as standard output, too.
    pub file_size_bytes: Option<u64>,
    /// Open files at one time.
    pub n_open_files: u64,
    /// Whether to be killed when the parent ends. To the kernel the parent is the *thread* that started this
    /// process: start it from one that lives as long as the process shall.
    pub die_with_parent: bool,
    /// Whether it may start processes of its own.
    pub children: Children,
    /// Which network, host name and inter-process communication it has.
    pub namespaces: Namespaces,
    /// Descriptors that stay open besides 0, 1 and 2 and those this process opened itself.
    pub kept_descriptors: Vec<i32>,
}

/// Whether a confined process may start others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Children {
    None,
    /// It starts programs named as executable, which have all of its bonds and can only take on more: the
    /// process that watches over one that runs foreign code, and must start that again when it fell.
    Confined,
}

/// Which namespaces a process is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespaces {
    /// New ones, in which there is nothing.
    Own,
    /// Those of its parent, which was confined in its turn.
    Inherited,
}

impl Policy {
    /// For the process that answers for one model, confined when it has its socket and its libraries and
    /// before it looks at the model: it reads `readable`, the model and what belongs to it, and that is all.
    pub fn for_runtime(readable: Vec<PathBuf>, memory_bytes: u64) -> Self {
        Self {
            readable,
            executable: Vec::new(),
            writable: Vec::new(),
            devices: Vec::new(),
            memory_bytes,
            n_processes: 256,
            cpu_s: None,
            // It can open no file to write to.
            file_size_bytes: None,
            n_open_files: 256,
            die_with_parent: true,
            children: Children::None,
            namespaces: Namespaces::Own,
            kept_descriptors: Vec::new(),
        }
    }

    /// For the process that watches over workers, and hands requests on to them: it runs none of their code, but
    /// reads what they answer. What a worker is to be left must be left to it too.
    pub fn for_watch(worker: &Self) -> Self {
        Self { children: Children::Confined, namespaces: Namespaces::Own, ..worker.clone() }
    }

    /// For the process that becomes an interpreter and runs foreign code, started by one that was confined as
    /// [`Self::for_watch`] says.
    pub fn for_worker(readable: Vec<PathBuf>, executable: Vec<PathBuf>, memory_bytes: u64) -> Self {
        Self { executable, namespaces: Namespaces::Inherited, ..Self::for_runtime(readable, memory_bytes) }
    }
}
