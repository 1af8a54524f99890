//! Shared answers: what a model answered, kept under an address that whoever may see the model can open.
//!
//! Knows no page. Invariants: what is kept was answered by the model itself, here and now; an answer that was shared
//! through a link is seen through that link alone.

use serde_json::Value;
use spec::frame::IndexedTensor;
use spec::limits;
use spec::schema::Schema;
use spec::tensor::Datatype;
use store::clock;
use store::db::answers::{self, Answer, By, NewAnswer};
use store::db::repositories::{self, Repository};

use super::access::{self, Action, Actor};
use super::links::guard::Guest;
use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::Live;
use crate::predict::documents;
use crate::secrets::{self, Secret, generate};

/// What was asked and what was answered.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    pub asked: &'a [IndexedTensor],
    pub answered: &'a [IndexedTensor],
    pub live: &'a Live,
}

/// An answer that was shared through a link, and the secret with which it is taken back.
#[derive(Debug)]
pub struct SharedByLink {
    pub secret: Secret,
    pub key: Secret,
}

/// An answer, read back.
#[derive(Debug)]
pub struct Opened {
    pub row: Answer,
    pub schema: Schema,
    /// A request's body.
    pub input: Value,
    /// An answer's body.
    pub output: Value,
    pub may_delete: bool,
}

/// Keeps an answer of this model that the actor got; returns the secret part of its address.
pub async fn share(
    app: &App,
    actor: &Actor,
    repository: &Repository,
    exchange: Exchange<'_>,
) -> Result<Secret, Error> {
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    let name = super::repositories::full_name(repository);
    access::check(actor, Action::Predict, &access::subject(app, actor, repository, &name).await?)?;
    keep(app, repository.id, By::Account(known.id), exchange).await
}

/// Keeps an answer that somebody got who holds a link.
pub async fn share_by_link(app: &App, guest: &Guest, exchange: Exchange<'_>) -> Result<SharedByLink, Error> {
    let key = generate("")?;
    let by_hash = key.hash();
    let secret = keep(app, guest.link.repository_id, By::Link(guest.link.id, &by_hash), exchange).await?;
    Ok(SharedByLink { secret, key })
}

/// The answer at this address, and the model that gave it.
pub async fn open(app: &App, actor: &Actor, secret: &Secret) -> Result<(Opened, Repository), Error> {
    let row = answers::by_hash(&app.store.db, &secret.hash()).await.during("look up an answer")?;
    let row = row.filter(|row| row.link_id.is_none()).ok_or_else(missing)?;
    let repository = repositories::by_id(&app.store.db, row.repository_id).await;
    let repository = repository.during("look up a repository")?.ok_or_else(missing)?;
    let name = super::repositories::full_name(&repository);
    let subject = access::subject(app, actor, &repository, &name).await?;
    // Who may not see the model is not told that it has answered.
    access::check(actor, Action::See, &subject).map_err(|_| missing())?;
    let is_own = matches!(actor, Actor::Account(known) if row.account_id == Some(known.id));
    let may_delete = is_own || access::check(actor, Action::Write, &subject).is_ok();
    Ok((read(row, may_delete)?, repository))
}

/// The answer at this address below a link.
pub async fn open_by_link(
    app: &App,
    guest: &Guest,
    secret: &Secret,
    key: Option<&Secret>,
) -> Result<Opened, Error> {
    let row = answers::by_hash(&app.store.db, &secret.hash()).await.during("look up an answer")?;
    let row = row.filter(|row| row.link_id == Some(guest.link.id)).ok_or_else(missing)?;
    let may_delete = key.is_some_and(|key| secrets::equal(&key.hash(), &row.key_hash));
    let opened = read(row, may_delete)?;
    Ok(Opened { schema: guest.schema(&opened.schema).into_owned(), ..opened })
}

/// Takes an answer back: who shared it may, and who may write the model.
pub async fn delete(app: &App, actor: &Actor, secret: &Secret) -> Result<Repository, Error> {
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    let (opened, repository) = open(app, actor, secret).await?;
    if !opened.may_delete {
        let (actor, what) = (known.name.clone(), "the answer".to_owned());
        return Err(Error::Forbidden { actor, action: "delete", what });
    }
    forget(app, &opened).await.map(|()| repository)
}

/// Takes an answer back that was shared through a link: who has its key may.
pub async fn delete_by_link(
    app: &App,
    guest: &Guest,
    secret: &Secret,
    key: Option<&Secret>,
) -> Result<(), Error> {
    let opened = open_by_link(app, guest, secret, key).await?;
    if !opened.may_delete {
        let (actor, what) =
            ("whoever holds the link".to_owned(), "an answer that somebody else shared".to_owned());
        return Err(Error::Forbidden { actor, action: "delete", what });
    }
    forget(app, &opened).await
}

async fn forget(app: &App, opened: &Opened) -> Result<(), Error> {
    answers::delete(&app.store.db, opened.row.id).await.during("delete an answer").map(|_| ())
}

async fn keep(
    app: &App,
    repository: store::db::ids::RepositoryId,
    by: By<'_>,
    exchange: Exchange<'_>,
) -> Result<Secret, Error> {
    let Exchange { live, .. } = exchange;
    let schema = serde_json::to_string(&live.schema).map_err(|_| Error::Internal("write a schema"))?;
    let (input, output) = write(exchange).await?;
    for (what, text) in [("input", &input), ("answer", &output), ("schema", &schema)] {
        check_length(what, text.len())?;
    }
    let n_shared = answers::count(&app.store.db, repository, by).await.during("count answers")?;
    if n_shared >= limits::SHARED_ANSWERS {
        let most = limits::SHARED_ANSWERS;
        return Err(Error::BadInput(format!(
            "{most} answers of this model are shared already; delete one first"
        )));
    }
    let secret = generate("")?;
    let new = NewAnswer {
        hash: &secret.hash(),
        repository,
        by,
        revision: &live.target.revision.to_string(),
        schema: &schema,
        input: &input,
        output: &output,
        created_ms: clock::now_ms(),
    };
    answers::create(&app.store.db, &new).await.during("keep an answer")?;
    Ok(secret)
}

/// What was asked and what was answered, as it is kept.
async fn write(exchange: Exchange<'_>) -> Result<(String, String), Error> {
    let Exchange { asked, answered, live } = exchange;
    // What is too long in any case is not written first.
    check_length("input", least_bytes(asked))?;
    check_length("answer", least_bytes(answered))?;
    let n_bytes: usize = asked.iter().chain(answered).map(|tensor| tensor.data.len()).sum();
    let (schema, asked, answered) = (live.schema.clone(), asked.to_vec(), answered.to_vec());
    let write = move || {
        let input = documents::of_inputs(&schema, &asked).to_string();
        (input, documents::of_outputs(&schema, &answered).to_string())
    };
    match n_bytes > limits::AT_ONCE_BYTES {
        true => tokio::task::spawn_blocking(write).await.map_err(|_| Error::Internal("write an answer")),
        false => Ok(write()),
    }
}

/// How long tensors are as JSON at least: a number has a digit and a comma, a text its quotes in the place of its length.
fn least_bytes(tensors: &[IndexedTensor]) -> usize {
    let least = |tensor: &IndexedTensor| {
        let n_elements: usize = tensor.shape.iter().product();
        match tensor.datatype {
            Datatype::Bytes => tensor.data.len().saturating_sub(n_elements),
            _ => n_elements.saturating_mul(2),
        }
    };
    tensors.iter().map(least).sum()
}

fn check_length(what: &str, n_bytes: usize) -> Result<(), Error> {
    let most = limits::SHARED_ANSWER_BYTES;
    match n_bytes > most {
        true => {
            let reason =
                format!("the {what} has at least {n_bytes} bytes as JSON; at most {most} can be shared");
            Err(Error::BadInput(reason))
        }
        false => Ok(()),
    }
}

fn read(row: Answer, may_delete: bool) -> Result<Opened, Error> {
    let broken = |_| Error::Internal("read a kept answer");
    let schema = serde_json::from_str(&row.schema).map_err(broken)?;
    let input = serde_json::from_str(&row.input).map_err(broken)?;
    let output = serde_json::from_str(&row.output).map_err(broken)?;
    Ok(Opened { row, schema, input, output, may_delete })
}

fn missing() -> Error {
    // Its address is its secret, and is not said again.
    Error::NotFound { what: "answer", name: "at this address".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tensor_is_shorter_as_json_than_is_said_before_it_is_written() {
        let texts = ["", "a", "long \u{e9}"]
            .map(|text| [&u32::try_from(text.len()).unwrap().to_le_bytes()[..], text.as_bytes()].concat());
        for (datatype, shape, data) in [
            (Datatype::Bytes, vec![3], texts.concat()),
            (Datatype::Fp32, vec![2, 4], vec![0; 32]),
            (Datatype::Int64, vec![0, 4], Vec::new()),
        ] {
            let tensor = IndexedTensor { index: 0, datatype, shape, data: data.into() };
            let written = documents::of_inputs(&schema(datatype), std::slice::from_ref(&tensor)).to_string();
            let least = least_bytes(&[tensor]);
            assert!(least <= written.len() && least + 100 > written.len(), "{least} of {written}");
        }
    }

    fn schema(datatype: Datatype) -> Schema {
        let spec = spec::tensor::TensorSpec { name: "x".into(), datatype, shape: vec![-1, -1] };
        Schema { inputs: vec![spec], ..Schema::default() }
    }
}
