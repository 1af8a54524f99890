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
    /// Memory in bytes, counted as `memory` says.
    pub memory_bytes: u64,
    pub memory: Memory,
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
    /// Which sockets it may use.
    pub sockets: Sockets,
    /// A folder in memory that it may write to, besides those named as writable.
    pub scratch: Option<Scratch>,
    /// Descriptors that stay open besides 0, 1 and 2 and those this process opened itself.
    pub kept_descriptors: Vec<i32>,
}

/// What counts as memory where the kernel bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Addresses: libraries, mapped files and thread stacks count with their whole length.
    Addresses,
    /// What is private and can be written. For whoever maps libraries and weights of many gigabytes and reads a part of
    /// them, or drivers that reserve addresses beyond all bounds. Memory mapped as shared is not bounded, and neither are
    /// mappings that grow down: whoever starts such a process has to look at what it holds.
    Written,
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

/// Which sockets a confined process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sockets {
    /// Those that are open.
    None,
    /// Those, streams that come through them, and pairs of streams with both ends its own: what a program needs that
    /// answers on a socket it was handed. It makes no socket that leads anywhere, and gives none a name.
    Handed,
}

/// A folder that begins empty, holds only so much, and is gone with the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scratch {
    /// An empty folder over which it lies; other processes see the empty one.
    pub folder: PathBuf,
    pub bytes: u64,
    /// Files, folders and links.
    pub n_files: u64,
    /// Whether the process is of no use without it. Another goes without where the system grants no mounts.
    pub is_needed: bool,
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
            memory: Memory::Addresses,
            n_processes: 256,
            cpu_s: None,
            // It can open no file to write to.
            file_size_bytes: None,
            n_open_files: 256,
            die_with_parent: true,
            children: Children::None,
            namespaces: Namespaces::Own,
            sockets: Sockets::None,
            scratch: None,
            kept_descriptors: Vec::new(),
        }
    }

    /// For the process that watches over workers, and hands requests on to them: it runs none of their code, but
    /// reads what they answer. What a worker is to be left must be left to it too.
    pub fn for_watch(worker: &Self) -> Self {
        Self { children: Children::Confined, namespaces: Namespaces::Own, ..worker.clone() }
    }

    /// For the process that becomes an interpreter and runs foreign code, started by one that was confined as
    /// [`Self::for_watch`] says, which looks at what it holds.
    pub fn for_worker(readable: Vec<PathBuf>, executable: Vec<PathBuf>, memory_bytes: u64) -> Self {
        Self {
            executable,
            memory: Memory::Written,
            namespaces: Namespaces::Inherited,
            ..Self::for_runtime(readable, memory_bytes)
        }
    }

    /// For the process that becomes an interpreter and runs a web app, which answers on a socket that it was handed.
    pub fn for_app(
        readable: Vec<PathBuf>,
        executable: Vec<PathBuf>,
        scratch: Scratch,
        (memory_bytes, cpu_s): (u64, u64),
    ) -> Self {
        Self {
            executable,
            scratch: Some(scratch),
            sockets: Sockets::Handed,
            cpu_s: Some(cpu_s),
            n_open_files: 1024,
            ..Self::for_runtime(readable, memory_bytes)
        }
    }
}
