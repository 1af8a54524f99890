//! Reads model files without running them: format, class, hyperparameters, tensors, dangers.
//!
//! Pure over bytes: it opens no path, loads no library and calls nothing that a file names. Invariants: reading
//! never fails and never panics, whatever the bytes; memory and work are bounded (`limits`); the same bytes
//! give the same facts.

mod app;
mod archive;
mod bounded;
mod compressed;
pub mod distance;
mod error;
mod format;
mod handler;
mod keras;
mod limits;
mod numbers;
mod onnx;
mod pickle;
mod repository;
mod safetensors;
mod shown;
mod standard;
pub mod tensors;
mod torch;
mod view;

use std::io::{Read, Seek};

use spec::facts::FileFacts;

use crate::bounded::Source;
use crate::error::Error;
use crate::format::Content;

pub use crate::app::app;
pub use crate::format::is_model_file;
pub use crate::handler::{handler, offers};
pub use crate::repository::repository;
pub use crate::standard::{CONFIG, Folder};

/// What one model file says.
///
/// The format is told from the content; `path` only names the file in the answer. What cannot be read is said
/// in [`FileFacts::error`], beside everything found up to there.
pub fn file(path: &str, source: &mut (impl Read + Seek)) -> FileFacts {
    let mut facts = FileFacts { path: path.to_owned(), ..FileFacts::default() };
    if let Err(error) = read(source, &mut facts) {
        facts.error = Some(error.told());
    }
    facts
}

fn read(source: &mut dyn Source, facts: &mut FileFacts) -> Result<(), Error> {
    match format::tell(source, &facts.path)? {
        Content::Onnx => onnx::read(source, facts),
        Content::Pickle => pickle::read(source, facts),
        Content::Compressed(packing) => compressed::read(source, packing, facts),
        Content::Safetensors => safetensors::read(source, facts),
        Content::Zip => archive::read(source, facts),
        Content::Packed(what) => {
            facts.dangers.push(pickle::unread(0));
            Err(Error::Unread(what))
        }
        Content::Unread(what) => Err(Error::Unread(what)),
        Content::Empty => Err(Error::Empty),
        Content::Unrecognised => Err(Error::Unrecognised),
    }
}
