//! The command `reenact`.
fn main() {}
