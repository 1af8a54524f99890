//! Writes `proto/inference.bin`, the compiled form of `proto/inference.proto`, anew.
//!
//! Knows nothing of the server. `cargo run -p server --example descriptor` after a change of that page; a test tells
//! when it is due. Invariant: the same page gives the same bytes.

use std::error::Error;
use std::path::Path;

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let compiled = protox::compile([folder.join("inference.proto")], [&folder])?;
    std::fs::write(folder.join("inference.bin"), compiled.encode_to_vec())?;
    Ok(())
}
