//! Repositories: making, finding, listing, opening, closing and deleting them.
//!
//! Knows nothing of their files but the first commit. Invariant: every operation on a repository begins with
//! [`get`], which looks it up and asks [`access`] in one step, so that none can forget to ask.

use spec::name::{AccountName, RefName, RepositoryKind, RepositoryName};
use store::clock;
use store::contents::{Receipt, Stamp};
use store::db::ids::AccountId;
use store::db::refs::RefKind;
use store::db::repositories::{self, ListQuery, Repository, Sort};
use store::db::revisions::{Change, IfUnchanged, NewRevision, Revision};
use store::db::{Page, accounts};

use super::access::{self, Action, Actor, Known};
use super::webhooks::{self, News, Receivers};
use crate::app::App;
use crate::error::{During, Error};
use crate::secrets;

mod downloads;

pub use downloads::{Downloads, count_download};

/// The branch that every repository has.
pub const MAIN: &str = "main";
/// What the first commit is called.
const FIRST_TITLE: &str = "initial commit";
/// What the first commit holds: which files tools of git keep beside their history.
const GIT_ATTRIBUTES: &str = include_str!("repositories/gitattributes.txt");

/// Who sees a repository besides its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    #[default]
    Private,
    Public,
}

/// A repository to be.
#[derive(Debug, Clone)]
pub struct NewRepository<'a> {
    pub kind: RepositoryKind,
    /// Whoever asks, where it is left out.
    pub owner: Option<&'a str>,
    pub name: &'a str,
    pub visibility: Visibility,
}

/// A repository that was just made.
#[derive(Debug)]
pub struct Created {
    pub repository: Repository,
    pub revision: Revision,
}

/// Which repositories a list shows, and in which order.
#[derive(Debug, Clone)]
pub struct Query {
    pub kind: Option<RepositoryKind>,
    /// The owner's name, in any case of its letters.
    pub author: Option<String>,
    /// What a person typed.
    pub search: Option<String>,
    /// All of them must be there; task, library and `license:…` are tags too.
    pub tags: Vec<String>,
    pub sort: Sort,
    pub is_descending: bool,
    /// `next` of the page before.
    pub after: Option<String>,
    pub limit: u32,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            kind: None,
            author: None,
            search: None,
            tags: Vec::new(),
            sort: Sort::LastModified,
            is_descending: true,
            after: None,
            limit: 30,
        }
    }
}

/// Makes a repository with its first commit. [`Error::AlreadyExists`] carries the name it has.
pub async fn create(app: &App, actor: &Actor, new: &NewRepository<'_>) -> Result<Created, Error> {
    let known = access::signed_in(actor)?;
    let name = RepositoryName::new(new.owner.unwrap_or(&known.name), new.name)?;
    let owner_id = place_for(app, actor, (new.kind, &name)).await?;
    app.rates.makings.take(&known.name)?;
    let now_ms = clock::now_ms();
    let (stamp, receipt) = (Stamp(secrets::stamp()?), Receipt { repository: None, now_ms });
    let stored = app.store.contents.put(stamp, GIT_ATTRIBUTES.as_bytes(), receipt).await;
    let stored = stored.during("store the first file")?;
    let attributes = Change::Put {
        path: ".gitattributes".parse()?,
        sha256: stored.sha256,
        git_oid: stored.git_oid,
        n_bytes: stored.n_bytes,
    };
    let is_private = new.visibility == Visibility::Private;
    let row =
        repositories::NewRepository { owner_id, kind: new.kind, name: &name, is_private, created_ms: now_ms };
    let main: RefName = MAIN.parse()?;
    let first = NewRevision {
        repository_id: store::db::ids::RepositoryId(0),
        ref_kind: RefKind::Branch,
        branch: &main,
        expected_parent: None,
        changes: &[attributes],
        title: FIRST_TITLE,
        description: "",
        author: &known.name,
        now_ms,
        if_unchanged: IfUnchanged::Commit,
        follow_up: None,
    };
    match repositories::create_with_first_revision(&app.store.db, &row, &first).await {
        Ok((repository, committed)) => Ok(Created { repository, revision: committed.revision }),
        // Somebody else made it in this very moment.
        Err(store::Error::AlreadyExists { name, .. }) => {
            Err(Error::AlreadyExists { what: "a repository", name })
        }
        Err(error) => Err(error).during("make a repository"),
    }
}

/// The account that would own a repository of this name, if the actor may make it and there is none.
/// [`Error::AlreadyExists`] carries the name that is taken.
pub(super) async fn place_for(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
) -> Result<AccountId, Error> {
    let owner_id = owner_id(app, access::signed_in(actor)?, name.owner()).await?;
    access::check_create(app, actor, owner_id, &name.to_string()).await?;
    match by_name(app, kind, name).await? {
        Some(existing) => Err(already_exists(&existing)),
        None => Ok(owner_id),
    }
}

/// The repository of this name, in any case of its letters, if the actor may do this to it. Every operation on a
/// repository reaches it through here.
pub async fn get(
    app: &App,
    actor: &Actor,
    kind: RepositoryKind,
    name: &RepositoryName,
    action: Action,
) -> Result<Repository, Error> {
    let Some(repository) = by_name(app, kind, name).await? else {
        return Err(missing(app, actor, kind, name).await?);
    };
    // A refusal repeats the name as it was asked for: the real one's case of letters tells that it is there.
    let name = name.to_string();
    access::check(actor, action, &access::subject(app, actor, &repository, &name).await?)?;
    Ok(repository)
}

/// Deletes a repository with its history and its endpoint.
pub async fn delete(
    app: &App,
    actor: &Actor,
    kind: RepositoryKind,
    name: &RepositoryName,
) -> Result<(), Error> {
    let repository = get(app, actor, kind, name, Action::Administer).await?;
    let receivers = Receivers::of(app, repository.id).await;
    match repositories::delete(&app.store.db, repository.id).await {
        Err(store::Error::NotFound { .. }) => return Err(Error::RepositoryNotFound(name.to_string())),
        result => result.during("delete a repository")?,
    }
    app.known_endpoints.forget(&full_name(&repository));
    app.gateway.forget(repository.id);
    receivers.tell(app, &repository, &News::Deleted).await;
    Ok(())
}

/// Gives a repository another name or owner. The old name leads to the new one until another repository takes it.
pub async fn rename(
    app: &App,
    actor: &Actor,
    kind: RepositoryKind,
    from: &RepositoryName,
    to: &RepositoryName,
) -> Result<Repository, Error> {
    let repository = get(app, actor, kind, from, Action::Administer).await?;
    let known = access::signed_in(actor)?;
    let owner = owner_id(app, known, to.owner()).await?;
    access::check_create(app, actor, owner, &to.to_string()).await?;
    let former = full_name(&repository);
    let renamed = match repositories::rename(&app.store.db, &repository, owner, to, clock::now_ms()).await {
        Ok(renamed) => renamed,
        Err(store::Error::AlreadyExists { name, .. }) => {
            return Err(Error::AlreadyExists { what: "a repository", name });
        }
        Err(store::Error::NotFound { .. }) => return Err(Error::RepositoryNotFound(from.to_string())),
        Err(error) => return Err(error).during("rename a repository"),
    };
    app.known_endpoints.forget(&former);
    app.known_endpoints.forget(&full_name(&renamed));
    // A runtime tells in each answer what it was called when it started.
    app.gateway.forget_runtimes(repository.id);
    Receivers::of(app, repository.id).await.tell(app, &repository, &News::Moved(&renamed)).await;
    Ok(renamed)
}

/// Opens a repository to all or closes it.
pub async fn set_visibility(
    app: &App,
    actor: &Actor,
    kind: RepositoryKind,
    name: &RepositoryName,
    visibility: Visibility,
) -> Result<(), Error> {
    let repository = get(app, actor, kind, name, Action::Administer).await?;
    let is_private = visibility == Visibility::Private;
    match repositories::set_private(&app.store.db, repository.id, is_private, clock::now_ms()).await {
        Err(store::Error::NotFound { .. }) => return Err(Error::RepositoryNotFound(name.to_string())),
        result => result.during("set who sees a repository")?,
    }
    app.known_endpoints.forget(&full_name(&repository));
    webhooks::tell(app, repository.id, &News::Visibility).await;
    Ok(())
}

/// A page of the repositories that the actor may see.
pub async fn list(app: &App, actor: &Actor, wanted: &Query) -> Result<Page<Repository>, Error> {
    let owner = match wanted.author.as_deref() {
        None => None,
        Some(author) => match accounts::by_name(&app.store.db, author).await.during("look up an account")? {
            Some(account) => Some(account.id),
            None => return Ok(Page { items: Vec::new(), next: None }),
        },
    };
    let tags: Vec<&str> = wanted.tags.iter().map(String::as_str).collect();
    let query = ListQuery {
        viewer: access::viewer(actor),
        kind: wanted.kind,
        owner,
        search: wanted.search.as_deref(),
        tags: &tags,
        sort: wanted.sort,
        is_descending: wanted.is_descending,
        after: wanted.after.as_deref(),
        limit: wanted.limit,
    };
    repositories::list(&app.store.db, &query).await.during("list repositories")
}

/// Whether the first commit says of files with such a name that they are kept beside the history: weights and tables.
pub fn is_kept_apart(path: &str) -> bool {
    let extension = path.rsplit('/').next().and_then(|name| name.rsplit_once('.'));
    let Some((_, extension)) = extension else { return false };
    let mut patterns = GIT_ATTRIBUTES.lines().filter_map(|line| line.split_once(" filter=lfs"));
    patterns.any(|(pattern, _)| pattern.strip_prefix("*.").is_some_and(|kept| kept == extension))
}

/// `owner/name`, as its owner wrote it.
pub fn full_name(repository: &Repository) -> String {
    format!("{}/{}", repository.owner_name, repository.name)
}

/// What its owner called it by, beyond its name.
pub fn tags(repository: &Repository) -> Vec<String> {
    serde_json::from_str(&repository.tags).unwrap_or_default()
}

async fn by_name(
    app: &App,
    kind: RepositoryKind,
    name: &RepositoryName,
) -> Result<Option<Repository>, Error> {
    repositories::by_name(&app.store.db, kind, name).await.during("look up a repository")
}

/// What to say of a name that no repository has. Where one had it before, whoever may see that is led there.
async fn missing(
    app: &App,
    actor: &Actor,
    kind: RepositoryKind,
    name: &RepositoryName,
) -> Result<Error, Error> {
    let from = name.to_string();
    let found = repositories::by_former_name(&app.store.db, kind, name).await;
    let Some(found) = found.during("look up a former name")? else {
        return Ok(Error::RepositoryNotFound(from));
    };
    access::check(actor, Action::See, &access::subject(app, actor, &found, &from).await?)?;
    Ok(Error::Moved { from, to: full_name(&found) })
}

/// The account that is to own a repository. Who may not make one for it is not told whether it is there.
async fn owner_id(app: &App, known: &Known, owner: &AccountName) -> Result<AccountId, Error> {
    if owner.as_str().eq_ignore_ascii_case(&known.name) {
        return Ok(known.id);
    }
    let found = accounts::by_name(&app.store.db, owner.as_str()).await.during("look up an account")?;
    match found {
        Some(account) => Ok(account.id),
        None if known.is_admin => Err(Error::NotFound { what: "account", name: owner.to_string() }),
        None => {
            let (actor, what) = (known.name.clone(), owner.to_string());
            Err(Error::Forbidden { actor, action: "create repositories of", what })
        }
    }
}

fn already_exists(existing: &Repository) -> Error {
    Error::AlreadyExists { what: "a repository", name: full_name(existing) }
}
