//! The real binary, driven as people drive it: what it prints, how it ends, and whole flows with a server.

#[cfg(test)]
mod attesting;
#[cfg(test)]
mod backups;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod diagnosing;
#[cfg(test)]
mod entropy;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod flows;
#[cfg(test)]
mod help;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod reenact;
#[cfg(test)]
mod replaying;
#[cfg(test)]
mod reproducing;
#[cfg(test)]
mod server;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod transfers;
#[cfg(test)]
mod verifying;
