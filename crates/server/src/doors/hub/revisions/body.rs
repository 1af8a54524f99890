//! The body of a commit: lines of JSON, read as they arrive.
//!
//! Invariants: the first line says what the commit is and none after it does; every file is on its way to the
//! storage before the next line is looked at.

use axum::body::Bytes;
use futures_util::Stream;

use super::line::{self, Line};
use super::source::Source;
use crate::app::App;
use crate::error::Error;
use crate::ops::revisions::{Draft, Message};

/// Reads all of it into the draft.
pub(super) async fn read<S, E>(app: &App, draft: &mut Draft, stream: &mut S) -> Result<(), Error>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let mut source = Source::new(stream, app.settings.commit_limit);
    let mut is_first = true;
    while let Some((line, content)) = line::next(&mut source, || draft.spool(app)).await? {
        if is_first != matches!(line, Line::Header(_)) {
            return Err(Error::BadRequest("a commit begins with its one line `header`".to_owned()));
        }
        is_first = false;
        match (line, content) {
            (Line::Header(header), _) => draft.describe(Message {
                title: header.summary,
                description: header.description.unwrap_or_default(),
                parent: header.parent_commit,
            })?,
            (Line::File(file), Some(content)) => draft.put(app, file.path, content).await?,
            // Such a line was refused already.
            (Line::File(_), None) => {}
            (Line::LfsFile(file), _) => draft.copy(app, file.path, (file.oid, file.size)).await?,
            (Line::DeletedFile(deleted), _) => draft.delete(deleted.path.parse()?).await?,
            (Line::DeletedFolder(deleted), _) => {
                draft.delete_folder(deleted.path.trim_end_matches('/').parse()?).await?;
            }
        }
    }
    match is_first {
        true => Err(Error::BadRequest("the commit is empty: it begins with a line `header`".to_owned())),
        false => Ok(()),
    }
}
