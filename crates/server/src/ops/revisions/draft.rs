//! A commit while it arrives.
//!
//! Knows nothing of how it is written on the wire. Invariants: memory and open files stay bounded however much
//! comes; a draft that is dropped changes nothing that anybody sees.

use std::collections::BTreeMap;

use spec::digest::{Oid, Sha256};
use spec::limits;
use spec::name::{FilePath, RefName};
use store::blobs::{Spool, Stored};
use store::clock;
use store::contents::{Packing, Receipt, Stamp};
use store::db::discussions::Discussion;
use store::db::ids::AccountId;
use store::db::repositories::Repository;
use store::db::revisions::{self, Change};
use store::db::uploads;

use crate::app::App;
use crate::error::{During, Error};
use crate::ops::access::Known;
use crate::ops::entries;
use crate::ops::repositories::MAIN;
use crate::secrets;

/// What a commit says besides its files.
#[derive(Debug, Clone, Default)]
pub struct Message {
    pub title: String,
    pub description: String,
    /// The commit that the branch must stand at, in full or its first digits.
    pub parent: Option<String>,
}

impl Message {
    /// A title is one line of bounded length, as git has it; what it has too much becomes the beginning of the
    /// description.
    pub(super) fn fitted(mut self) -> Result<Self, Error> {
        if self.title.trim().is_empty() {
            return Err(Error::BadRequest("a commit needs a message".to_owned()));
        }
        let title = self.title.trim();
        let line_end = title.find('\n').unwrap_or(title.len());
        let (title, rest) = title.split_at(title.floor_char_boundary(line_end.min(limits::TITLE_BYTES)));
        if !rest.is_empty() {
            self.description = format!("{}\n\n{}", rest.trim_start(), self.description).trim_end().to_owned();
        }
        self.title = title.trim_end().to_owned();
        if self.description.len() > limits::DESCRIPTION_BYTES {
            let limit = limits::DESCRIPTION_BYTES;
            return Err(Error::BadRequest(format!("a commit's description has at most {limit} bytes")));
        }
        Ok(self)
    }
}

/// What a commit goes to.
#[derive(Debug)]
pub(super) enum Target {
    Branch(RefName),
    Pull(Discussion),
    /// A pull request that begins with this commit.
    NewPull,
}

impl Target {
    /// What the commit is based on, as revisions are called.
    pub(super) fn revision(&self) -> String {
        match self {
            Self::Branch(branch) => branch.to_string(),
            Self::Pull(pull) => format!("refs/pr/{}", pull.number),
            Self::NewPull => MAIN.to_owned(),
        }
    }
}

/// Files that the branch has already, by the digest of their bytes.
type InBranch = BTreeMap<Sha256, (Oid, u64)>;

/// A commit while it arrives.
pub struct Draft {
    pub(super) repository: Repository,
    pub(super) target: Target,
    pub(super) author: String,
    pub(super) author_id: AccountId,
    pub(super) message: Message,
    pub(super) changes: Vec<Change>,
    /// Files that arrived, with their places among the changes, and their bytes.
    arrived: Vec<(usize, FilePath)>,
    packing: Option<Packing>,
    known: Option<InBranch>,
}

impl Draft {
    pub(super) fn new(repository: Repository, target: Target, author: &Known) -> Self {
        Self {
            repository,
            target,
            author: author.name.clone(),
            author_id: author.id,
            message: Message::default(),
            changes: Vec::new(),
            arrived: Vec::new(),
            packing: None,
            known: None,
        }
    }

    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Takes what the commit says.
    pub fn describe(&mut self, message: Message) -> Result<(), Error> {
        self.message = message.fitted()?;
        Ok(())
    }

    /// Room for a file's bytes while they arrive.
    pub fn spool(&self, app: &App) -> Spool {
        app.store.blobs.spool(None)
    }

    /// These bytes become the file.
    pub async fn put(&mut self, app: &App, path: FilePath, bytes: Spool) -> Result<(), Error> {
        self.check_room()?;
        let packing = match &mut self.packing {
            Some(packing) => packing,
            None => self.packing.insert(app.store.contents.packing(Stamp(secrets::stamp()?))),
        };
        packing.add(bytes).await.map_err(refusal)?;
        self.arrived.push((self.changes.len(), path));
        Ok(())
    }

    /// A file gets bytes that were sent ahead, or that the branch has already. [`Error::BadRequest`] where there are
    /// none of this digest, and of this length if one is named: bytes of other repositories must not be had for the
    /// knowledge of their digest.
    pub async fn copy(
        &mut self,
        app: &App,
        path: FilePath,
        (sha256, wanted_bytes): (Sha256, Option<u64>),
    ) -> Result<(), Error> {
        self.check_room()?;
        let found = match uploads::hold(&app.store.db, self.repository.id, sha256, clock::now_ms()).await {
            Ok(Some(sent)) => Some((sent.git_oid, sent.n_bytes)),
            Ok(None) => self.find_known(app, sha256).await?,
            Err(error) => return Err(error).during("find an upload"),
        };
        let fits = |(_, n_bytes): &(Oid, u64)| wanted_bytes.is_none_or(|wanted| wanted == *n_bytes);
        let Some((git_oid, n_bytes)) = found.filter(fits) else {
            let message =
                format!("`{path}`: no bytes with the SHA-256 `{sha256}` were sent or are in the branch");
            return Err(Error::BadRequest(message));
        };
        self.changes.push(Change::Put { path, sha256, git_oid, n_bytes });
        Ok(())
    }

    pub async fn delete(&mut self, path: FilePath) -> Result<(), Error> {
        self.check_room()?;
        self.changes.push(Change::Delete { path });
        Ok(())
    }

    pub async fn delete_folder(&mut self, path: FilePath) -> Result<(), Error> {
        self.check_room()?;
        self.changes.push(Change::DeleteFolder { path });
        Ok(())
    }

    /// Makes all bytes durable.
    pub(super) async fn finish(mut self, _app: &App) -> Result<Self, Error> {
        let Some(packing) = self.packing.take() else { return Ok(self) };
        let receipt = Receipt { repository: None, now_ms: clock::now_ms() };
        let mut stored = packing.finish(receipt).await.map_err(refusal)?.into_iter();
        let mut arrived = std::mem::take(&mut self.arrived).into_iter().peekable();
        let mut others = std::mem::take(&mut self.changes).into_iter();
        // Each file stands before the change that came after it.
        for place in 0.. {
            while let Some((_, path)) = arrived.next_if(|(before, _)| *before == place) {
                let Stored { sha256, git_oid, n_bytes } =
                    stored.next().ok_or(Error::Internal("store files"))?;
                self.changes.push(Change::Put { path, sha256, git_oid, n_bytes });
            }
            match others.next() {
                Some(change) => self.changes.push(change),
                None => break,
            }
        }
        Ok(self)
    }

    /// The bytes of the files that it puts somewhere, each once.
    pub(super) fn files(&self) -> BTreeMap<Sha256, u64> {
        let files = self.changes.iter().filter_map(|change| match change {
            Change::Put { sha256, n_bytes, .. } => Some((*sha256, *n_bytes)),
            _ => None,
        });
        files.collect()
    }

    fn check_room(&self) -> Result<(), Error> {
        if self.changes.len() + self.arrived.len() < limits::COMMIT_FILES {
            return Ok(());
        }
        Err(Error::TooLarge { limit: format!("{} files in one commit", limits::COMMIT_FILES) })
    }

    async fn find_known(&mut self, app: &App, sha256: Sha256) -> Result<Option<(Oid, u64)>, Error> {
        let known = match self.known.take() {
            Some(known) => known,
            None => self.read_known(app).await?,
        };
        let found = known.get(&sha256).copied();
        self.known = Some(known);
        Ok(found)
    }

    async fn read_known(&self, app: &App) -> Result<InBranch, Error> {
        let head = revisions::resolve(&app.store.db, self.repository.id, &self.target.revision()).await;
        let Some(head) = head.during("find a branch")? else { return Ok(InBranch::new()) };
        let all = entries::all(app, head.tree_id).await?;
        let files = all.into_iter().filter_map(|entry| {
            let n_bytes = u64::try_from(entry.n_bytes).unwrap_or(0);
            entry.sha256.map(|sha256| (sha256, (entry.git_oid, n_bytes)))
        });
        Ok(files.collect())
    }
}

/// What is wrong with the storage, told apart from what is wrong with a file.
fn refusal(error: store::Error) -> Error {
    match error {
        store::Error::StorageFull { .. } => Error::StorageFull,
        source => Error::Store { operation: "store the files", source },
    }
}
