//! Records a run, runs it again from the record, and compares two runs.
//!
//! `recorder` and `replayer` mirror each other: what one file of the former writes down, the file of the same
//! name in the latter gives back. It knows no server and prints nothing; time, and the program that starts the
//! command, come from the caller. Invariants: a record is usable up to the moment at which its writer was
//! killed; what a replay could not give back is said, and never made up for in silence.

pub mod capsule;
pub mod doctor;
pub mod error;
pub mod pack;
pub mod recorder;
pub mod replayer;
pub mod run;
pub mod runs;
mod shim;
pub mod variance;
pub mod verify;
