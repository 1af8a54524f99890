//! Proofs: a signed statement of what a link has led to since it was made.
//!
//! Invariants: nothing in a proof tells whose the model is; what it states does not change while the link lives, so
//! nothing has to be kept for it.

use sha2::Digest as _;
use spec::digest::Sha256;
use spec::proof::LinkProof;
use store::db::entries::{self as rows, Listing};
use store::db::links::Link;
use store::db::revisions::{self, Revision};

use crate::app::App;
use crate::error::{During, Error};
use crate::ops::{entries, facts, keys};
use crate::text;

/// Files that are read at a time.
const FILES: u32 = 1000;

/// The proof of a link.
pub async fn write(app: &App, link: &Link) -> Result<String, Error> {
    let found = revisions::by_id(&app.store.db, link.revision_id).await.during("look up a revision")?;
    let revision = found.ok_or(Error::LinkNotFound)?;
    let facts = facts::ensure(app, revision.id).await?;
    let weights = match &facts.model {
        Some(model) => entries::sha256(app, revision.tree_id, model).await?,
        None => None,
    };
    let proof = LinkProof {
        link: link.hash.parse().map_err(|_| Error::Internal("read a link's hash"))?,
        revision: revision.oid,
        revision_time: text::rfc3339(revision.created_ms),
        files: files(app, &revision).await?,
        weights,
        time: text::rfc3339(link.created_ms),
    };
    keys::signing(app).await?.seal(proof).map_err(|_| Error::Internal("write a proof"))
}

/// The digest of the list of all files, as `sha256sum` lists them.
async fn files(app: &App, revision: &Revision) -> Result<Sha256, Error> {
    let mut lines = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let listing = Listing { folder: "", is_recursive: true, after: after.as_deref(), limit: FILES };
        let page = rows::list(&app.store.db, revision.tree_id, &listing).await.during("list files")?;
        let of_file = |entry: rows::Entry| Some((entry.path, entry.sha256?));
        lines.extend(page.items.into_iter().filter_map(of_file));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    lines.sort();
    let mut digest = sha2::Sha256::new();
    lines.iter().for_each(|(path, sha256)| digest.update(format!("{sha256}  {path}\n")));
    Ok(Sha256::from_bytes(digest.finalize().into()))
}
