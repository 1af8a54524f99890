//! Pushes a file or a folder: what changed, in one commit.
//!
//! Invariants: a push is one commit or none, and one that is repeated after an unclear failure never commits
//! twice, because it asks again what the server already has. Files that are only on the server stay there.

mod ahead;
mod changes;
mod folder;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use spec::digest::Oid;
use spec::limits;
use spec::name::{RepositoryKind, RepositoryName};

use crate::error::Error;
use crate::http::Client;
use crate::hub::commits::{self, Header, Sent};
use crate::hub::repositories::{self, Visibility};
use crate::progress::Progress;

use changes::Changes;
pub use folder::{LocalFile, collect};

/// How often a push begins again when others pushed at the same time or the connection broke.
const ATTEMPTS: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The card's path in its repository.
const CARD: &str = "README.md";

/// What to push, and where to.
#[derive(Debug)]
pub struct Push<'a> {
    /// A file or a folder.
    pub source: &'a Path,
    pub kind: RepositoryKind,
    pub repository: &'a RepositoryName,
    /// What a new repository becomes. `Public` also opens one that exists; `Private` leaves it as it is.
    pub visibility: Visibility,
    /// First line: the title; the rest: the description.
    pub message: &'a str,
}

/// What came of a push.
#[derive(Debug)]
pub struct Pushed {
    /// Address of the page.
    pub url: String,
    /// The commit that holds the files.
    pub revision: Oid,
    /// Files in the source.
    pub n_files: usize,
    /// Files that were sent, the others being there already.
    pub n_sent: usize,
    pub is_new: bool,
    /// What the server remarks on the card.
    pub warnings: Vec<String>,
}

/// Pushes, making the repository where there is none.
pub async fn push(client: &Client, push: &Push<'_>, progress: Arc<dyn Progress>) -> Result<Pushed, Error> {
    let files = collect(push.source)?;
    let work = Work { client, push, files: &files, progress };
    let warnings = check_card(&work).await?;
    let created = repositories::create(client, push.kind, push.repository, push.visibility).await?;
    if !created.is_new && push.visibility == Visibility::Public {
        open_to_all(&work).await?;
    }
    let (revision, n_sent) = commit_changes(&work).await?;
    Ok(Pushed { url: created.url, revision, n_files: files.len(), n_sent, is_new: created.is_new, warnings })
}

/// One push and all it needs.
struct Work<'a> {
    client: &'a Client,
    push: &'a Push<'a>,
    files: &'a [LocalFile],
    progress: Arc<dyn Progress>,
}

async fn check_card(work: &Work<'_>) -> Result<Vec<String>, Error> {
    let Some(card) = work.files.iter().find(|file| file.path.as_str() == CARD) else { return Ok(Vec::new()) };
    if card.n_bytes > limits::CARD_BYTES as u64 {
        return Ok(vec![format!("`{CARD}` has {} bytes; a card of that size is not shown", card.n_bytes)]);
    }
    let read = |source| Error::File { operation: "read", path: card.source.clone(), source };
    let bytes = tokio::fs::read(&card.source).await.map_err(read)?;
    commits::validate_card(work.client, work.push.kind, &String::from_utf8_lossy(&bytes)).await
}

async fn open_to_all(work: &Work<'_>) -> Result<(), Error> {
    let Push { kind, repository, .. } = *work.push;
    match repositories::info(work.client, kind, repository, commits::BRANCH).await?.private {
        true => repositories::set_visibility(work.client, kind, repository, Visibility::Public).await,
        false => Ok(()),
    }
}

/// The commit that holds all files, and how many were sent for it.
async fn commit_changes(work: &Work<'_>) -> Result<(Oid, usize), Error> {
    let Push { kind, repository, message, .. } = *work.push;
    let mut wait = FIRST_WAIT;
    let (mut n_sent, mut sent) = (0, BTreeMap::new());
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let head = repositories::info(work.client, kind, repository, commits::BRANCH).await?.sha;
        let changes = changes::find(work, head.is_none()).await?;
        if let (0, Some(head)) = (changes.n_files(), head) {
            return Ok((head, n_sent));
        }
        n_sent = changes.n_files();
        match send(work, &Header::new(message, head), changes, &mut sent).await {
            Ok(revision) => return Ok((revision, n_sent)),
            Err(error) if may_be_repeated(&error) => last = Some(error),
            Err(error) => return Err(error),
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    match last {
        Some(error) if error.status() != Some(412) => Err(error),
        _ => Err(Error::Contended { repository: repository.to_string(), n_attempts: ATTEMPTS }),
    }
}

/// Somebody else was first, or it is unclear whether the server has it: the next attempt finds out.
fn may_be_repeated(error: &Error) -> bool {
    match error {
        Error::Connection { .. } | Error::Unreachable { .. } => true,
        Error::Refused { refusal, .. } => matches!(refusal.status, 412 | 429 | 500 | 502 | 503 | 504),
        _ => false,
    }
}

async fn send(
    work: &Work<'_>,
    header: &Header,
    changes: Changes,
    sent: &mut BTreeMap<String, Sent>,
) -> Result<Oid, Error> {
    let Changes { inside, apart } = changes;
    let n_apart: u64 = apart.iter().map(|file| file.content.n_bytes).sum();
    let n_inside: u64 = inside.iter().map(|file| file.n_bytes).sum();
    work.progress.begin(inside.len() + apart.len(), n_inside + n_apart);
    let sent = ahead::send(work, header.parent_commit, &apart, sent).await?;
    let failure = Arc::new(Mutex::new(None));
    let body = commits::stream(header, (&sent, inside), work.progress.clone(), failure.clone());
    let body = reqwest::Body::wrap_stream(body);
    let outcome = commits::commit(work.client, work.push.kind, work.push.repository, body).await;
    let own = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    own.map_or_else(|| outcome.map(|committed| committed.commit_oid), Err)
}
