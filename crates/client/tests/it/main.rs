//! The client against a small listener that says what a test wrote down and records what it was asked.

#[cfg(test)]
mod credentials;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod pull;
#[cfg(test)]
mod push;
#[cfg(test)]
mod refusals;
