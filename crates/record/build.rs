//! Compiles the preload shim, which the program carries in itself.
//!
//! The shim is no part of a Rust program: it is a library of its own, without Rust's standard library, so that
//! it loads into old systems. Cargo cannot make one crate so as a part of building another; the compiler can.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, io};

const SOURCE: &str = "../shim/src";
const LAYOUT: &str = "../spec/src/capsule/layout.rs";

fn main() -> io::Result<()> {
    say(&format!("cargo::rerun-if-changed={SOURCE}"))?;
    say(&format!("cargo::rerun-if-changed={LAYOUT}"))?;
    let variable = |name: &str| env::var(name).map_err(io::Error::other);
    let out = PathBuf::from(variable("OUT_DIR")?).join("shim.so");
    let target = variable("TARGET")?;
    // Where there is no shim, recording is refused when it is asked for.
    if target != "x86_64-unknown-linux-gnu" {
        return fs::write(out, []);
    }
    let mut compiler = Command::new(variable("RUSTC")?);
    compiler.args(["--edition", "2024", "--crate-name", "reenact_shim", "--crate-type", "cdylib"]);
    compiler.args(["-C", "panic=abort", "-C", "opt-level=3", "-C", "codegen-units=1", "-C", "strip=symbols"]);
    compiler.args(["--cfg", "feature=\"preload\"", "--target", &target]);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        compiler.arg("-C").arg(format!("linker={linker}"));
    }
    let status = compiler.arg("-o").arg(out).arg(format!("{SOURCE}/lib.rs")).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other("the preload shim did not compile")),
    }
}

fn say(line: &str) -> io::Result<()> {
    use io::Write;
    writeln!(io::stdout().lock(), "{line}")
}
