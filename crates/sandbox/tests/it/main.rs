//! Tests of the sandbox from outside: a program confines itself, and everything it tries has to fail.

#[cfg(test)]
mod prisoner;
