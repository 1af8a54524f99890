//! Sends large files ahead of the commit that names them.
//!
//! Invariant: what was sent once in a push is not even read again when the commit has to be repeated.

use std::collections::BTreeMap;
use std::sync::Arc;

use spec::digest::Oid;

use crate::error::Error;
use crate::hub::commits::{self, Sent};
use crate::hub::trees::{self, Snapshot};
use crate::push::changes::Apart;
use crate::push::{Push, Work};
use crate::xet::cut::Source;
use crate::xet::session::{Right, Session};
use crate::xet::upload::{self, Large};

/// Sends these files, but for those that are among `sent` already; gives the lines of all for the commit.
pub(crate) async fn send(
    work: &Work<'_>,
    head: Option<Oid>,
    files: &[Apart],
    sent: &mut BTreeMap<String, Sent>,
) -> Result<Vec<Sent>, Error> {
    let Push { kind, repository, .. } = *work.push;
    let is_sent =
        |file: &Apart| sent.get(&file.content.path).filter(|sent| sent.n_bytes == file.content.n_bytes);
    let wanted: Vec<&Apart> = files.iter().filter(|file| is_sent(file).is_none()).collect();
    let n_sent = files.iter().filter_map(is_sent).map(|sent| sent.n_bytes).sum();
    work.progress.is_there(n_sent);
    if !wanted.is_empty() {
        let session = Session::new(work.client, (kind, repository), commits::BRANCH, Right::Write);
        let mut large = Vec::with_capacity(wanted.len());
        for file in &wanted {
            let before = match head.filter(|_| file.is_change) {
                Some(revision) => {
                    let snapshot = Snapshot { kind, repository: repository.clone(), revision };
                    trees::chunk_hash(work.client, &snapshot, &file.content.path).await?
                }
                None => None,
            };
            let source = Source { place: file.content.source.clone(), n_bytes: file.content.n_bytes };
            large.push(Large { source, before });
        }
        let digests = upload::upload(&Arc::new(session), &large, &work.progress).await?;
        for (file, sha256) in wanted.iter().zip(digests) {
            let path = file.content.path.clone();
            sent.insert(path.clone(), Sent { path, n_bytes: file.content.n_bytes, sha256 });
        }
    }
    Ok(files.iter().filter_map(|file| sent.get(&file.content.path).cloned()).collect())
}
