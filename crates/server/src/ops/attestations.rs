//! Attestations: what people state who ran a model's recorded training again.
//!
//! Invariants: none counts that was not checked: the signature, whose key it is, that it is about a recording which the
//! model's owner has on `main`, and that its verdict follows from digests of which the recorded ones are the record's
//! own; whoever made one, and an admin, can take it back, and its subject's owner cannot.

use std::collections::BTreeMap;

use spec::api::Page;
use spec::api::attestations::{Attestation as Shown, NewAttestation, Stated};
use spec::attestation::Attestation;
use spec::capsule::{Capsule, place};
use spec::criteria::Verdict;
use spec::digest::Sha256;
use spec::dsse::{self, DsseError, PublicKey};
use spec::limits;
use spec::name::{RepositoryKind, RepositoryName};
use store::clock;
use store::db::attestations as rows;
use store::db::ids::{AttestationId, TreeId};
use store::db::repositories::Repository;

use super::access::{self, Action, Actor, Known};
use super::events::{self, Done};
use super::repositories::{self, MAIN, full_name};
use super::revisions::{self, At};
use super::{access_requests, entries};
use crate::app::App;
use crate::error::{During, Error};
use crate::text;

pub mod badges;
pub mod training;

/// Takes a signed statement, if it holds.
pub async fn create(
    app: &App,
    actor: &Actor,
    name: &RepositoryName,
    new: &NewAttestation,
) -> Result<Shown, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Read).await?;
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    access_requests::check(app, actor, &repository).await?;
    app.rates.makings.take(&known.name)?;
    let (key, said) = open(new)?;
    said.check().map_err(|error| refused(error.to_string()))?;
    check_place(app, (actor, known), (&repository, name), &said).await?;
    let full_name = full_name(&repository);
    let subject = access::subject(app, actor, &repository, &full_name).await?;
    let text = |value: &_| serde_json::to_string(value).map_err(|_| Error::Internal("write an attestation"));
    let row = rows::NewAttestation {
        repository: repository.id,
        account: known.id,
        key: &key.id(),
        jwk: &serde_json::to_string(&key.jwk()).map_err(|_| Error::Internal("write a key"))?,
        capsule: &said.capsule.sha256.to_string(),
        replay: &said.replay.sha256.to_string(),
        is_same: is_same(said.verdict),
        is_independent: !access::is_writer(actor, &subject),
        summary: &text(&summary(&said))?,
        statement: &new.statement,
        now_ms: clock::now_ms(),
    };
    let made = match rows::create(&app.store.db, &row, limits::ATTESTATIONS).await {
        Err(store::Error::NotFound { what: "signing key", .. }) => {
            return Err(refused("it was signed with a key of another account".to_owned()));
        }
        Err(store::Error::NotFound { .. }) => return Err(Error::RepositoryNotFound(name.to_string())),
        Err(store::Error::AlreadyExists { .. }) => return Err(Error::AlreadyAttested(said.replay.id)),
        Err(store::Error::NotEmpty { .. }) => {
            let most = limits::ATTESTATIONS;
            return Err(Error::BadRequest(format!(
                "one account makes at most {most} attestations of a model"
            )));
        }
        result => result.during("keep an attestation")?,
    };
    note(app, actor, "attestation.create", (&full_name, &made)).await;
    describe(made)
}

/// The attestations of a model, newest first, without their statements.
pub async fn list(
    app: &App,
    actor: &Actor,
    name: &RepositoryName,
    (after, limit): (Option<&str>, u32),
) -> Result<Page<Shown>, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::See).await?;
    let page = rows::list(&app.store.db, repository.id, after, limit).await.during("list attestations")?;
    let items = page.items.into_iter().map(describe).collect::<Result<_, _>>()?;
    Ok(Page { items, next: page.next })
}

/// One attestation with its statement, for those who may have the files that it names.
pub async fn get(app: &App, actor: &Actor, name: &RepositoryName, id: i64) -> Result<Shown, Error> {
    let (_, row) = find(app, actor, (name, Action::Read), id).await?;
    describe(row)
}

/// Takes an attestation back.
pub async fn delete(app: &App, actor: &Actor, name: &RepositoryName, id: i64) -> Result<(), Error> {
    let (repository, row) = find(app, actor, (name, Action::See), id).await?;
    let known = access::signed_in(actor)?;
    if row.account_id != known.id && !known.is_admin {
        let (actor, what) = (known.name.clone(), format!("attestation {id}"));
        return Err(Error::Forbidden { actor, action: "take back", what });
    }
    access::can_write(known)?;
    if !rows::delete(&app.store.db, row.id).await.during("delete an attestation")? {
        return Err(missing(id));
    }
    note(app, actor, "attestation.delete", (&full_name(&repository), &row)).await;
    Ok(())
}

async fn find(
    app: &App,
    actor: &Actor,
    (name, action): (&RepositoryName, Action),
    id: i64,
) -> Result<(Repository, rows::Attestation), Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, action).await?;
    let found = rows::get(&app.store.db, repository.id, AttestationId(id)).await;
    let row = found.during("look up an attestation")?.ok_or_else(|| missing(id))?;
    Ok((repository, row))
}

fn missing(id: i64) -> Error {
    Error::NotFound { what: "attestation", name: id.to_string() }
}

fn refused(reason: String) -> Error {
    Error::BadAttestation(reason)
}

/// What was signed, and with which key.
fn open(new: &NewAttestation) -> Result<(PublicKey, Attestation), Error> {
    let key = PublicKey::from_jwk(&new.key).map_err(|error| refused(error.to_string()))?;
    let payload = dsse::open(&new.statement, std::slice::from_ref(&key)).map_err(|error| match error {
        DsseError::UnknownKey(_) => {
            refused("it was signed with another key than the one beside it".to_owned())
        }
        error => refused(error.to_string()),
    })?;
    let said = dsse::read(&payload).map_err(|error| refused(error.to_string()))?;
    Ok((key, said))
}

/// Whether it is by whoever sends it, about this model, and about a recording that lies there as it says.
async fn check_place(
    app: &App,
    (actor, known): (&Actor, &Known),
    (repository, name): (&Repository, &RepositoryName),
    said: &Attestation,
) -> Result<(), Error> {
    let refuse = |reason: &str| Err(refused(reason.to_owned()));
    if said.by.as_deref() != Some(known.name.as_str()) {
        return refuse("it does not say that it is by the account that sends it");
    }
    let Some(model) = &said.model else { return refuse("it does not name the model") };
    if !model.repository.eq_ignore_ascii_case(&full_name(repository)) {
        return refuse("it is about another model");
    }
    let (id, revision) = (&said.capsule.id, model.revision.to_string());
    let Some((path, packed)) = place::record(id).zip(place::packed(id)) else {
        return refuse("what it calls the capsule is no id of one");
    };
    let at = |revision| At { kind: RepositoryKind::Model, name, revision };
    let named = match revisions::resolve(app, actor, &at(&revision), Action::Read).await {
        Err(Error::RevisionNotFound { .. }) => return refuse("the model has no such commit"),
        found => found?.1,
    };
    if entries::sha256(app, named.tree_id, &packed).await? != Some(model.packed) {
        return refuse("the commit that it names does not hold the capsule that it names");
    }
    // Anybody may offer a commit; on `main` is what the owner took.
    let (_, main) = revisions::resolve(app, actor, &at(MAIN), Action::Read).await?;
    if entries::sha256(app, main.tree_id, &path).await? != Some(said.capsule.sha256) {
        return refuse("the model has no such capsule on `main`");
    }
    let record = record(app, main.tree_id, (&path, said.capsule.sha256)).await?;
    let results = said.recorded.clone();
    let id = said.capsule.id.clone();
    let compare = move || record.id == id && results.are_of(&record);
    let are_its = tokio::task::spawn_blocking(compare).await;
    match are_its.map_err(|_| Error::Internal("compare an attestation with its record"))? {
        true => Ok(()),
        false => refuse("what it says was recorded is not what the capsule says"),
    }
}

/// The record of a capsule that lies in a tree.
async fn record(app: &App, tree: TreeId, (path, sha256): (&str, Sha256)) -> Result<Capsule, Error> {
    let bytes = entries::read_small(app, tree, path, limits::RECORD_BYTES).await?;
    let bytes =
        bytes.ok_or_else(|| refused(format!("`{path}` is longer than {} bytes", limits::RECORD_BYTES)))?;
    let parse =
        move || serde_json::from_slice::<Capsule>(&bytes).ok().filter(|_| Sha256::of(&bytes) == sha256);
    let parsed = tokio::task::spawn_blocking(parse).await.map_err(|_| Error::Internal("read a capsule"))?;
    parsed.ok_or_else(|| refused(format!("`{path}` is no record of a capsule")))
}

/// Whether this verdict says that the replay came to the same.
fn is_same(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Bitwise | Verdict::Process | Verdict::Outcome)
}

fn summary(said: &Attestation) -> Stated {
    let criterion = |held: &spec::attestation::Held| {
        (held.criterion.as_str().to_owned(), held.standing.as_str().to_owned())
    };
    Stated {
        capsule: said.capsule.id.clone(),
        sha256: said.capsule.sha256.to_string(),
        revision: said.model.as_ref().map(|model| model.revision.to_string()).unwrap_or_default(),
        verdict: said.verdict.as_str().to_owned(),
        criteria: said.criteria.iter().map(criterion).collect::<BTreeMap<_, _>>(),
        machine: said.machine.clone(),
        stated: said.time.clone(),
    }
}

fn describe(row: rows::Attestation) -> Result<Shown, Error> {
    let unreadable = |_| Error::Internal("read a kept attestation");
    let is_whole = !row.statement.is_empty();
    let key = serde_json::from_str(&row.jwk).map_err(unreadable)?;
    Ok(Shown {
        id: row.id.0,
        by: row.account_name,
        independent: row.is_independent,
        said: serde_json::from_str(&row.summary).map_err(unreadable)?,
        created: text::rfc3339(row.created_ms),
        key: is_whole.then_some(key),
        statement: is_whole.then_some(row.statement),
    })
}

async fn note(app: &App, actor: &Actor, verb: &'static str, (subject, row): (&str, &rows::Attestation)) {
    let detail = format!("attestation {} of capsule {}", row.id, row.capsule);
    events::note(app, actor, Done { verb, subject, detail: &detail }).await;
}
