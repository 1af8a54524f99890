//! How far a transfer has come, told to whoever wants to show it.
//!
//! Knows nothing of terminals. Calls come from several tasks, in no promised order.

/// Is told about a transfer while it runs. Sizes are those of the files, not of their encoding on the wire.
pub trait Progress: Send + Sync {
    /// A transfer of so much begins; a repeated attempt begins again.
    fn begin(&self, n_files: usize, n_bytes: u64);
    /// So many bytes more have passed.
    fn advance(&self, n_bytes: u64);
    /// So many bytes more need not pass, since they are there already.
    fn is_there(&self, n_bytes: u64);
}

/// Shows nothing.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _n_files: usize, _n_bytes: u64) {}
    fn advance(&self, _n_bytes: u64) {}
    fn is_there(&self, _n_bytes: u64) {}
}
