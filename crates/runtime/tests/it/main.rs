//! Tests of the runtime from outside: a real, confined process with real models, spoken to in frames.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod client;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod handlers;
#[cfg(test)]
mod process;
#[cfg(test)]
mod sharing;
