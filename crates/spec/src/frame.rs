//! The frames between gateway and runtime.
