//! The words by which the people behind a model are known to this server.
//!
//! Invariant: whoever owns the repository, wrote to its history, shares the organisation or is named by its card is
//! among them, as far as the server knows.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use store::db::repositories::Repository;
use store::db::revisions::{self, Revision};
use store::db::{accounts, members};

use crate::anonymity::Identity;
use crate::app::App;
use crate::error::{During, Error};
use crate::ops::cards;

/// Commits of the history whose authors are looked at.
const COMMITS: u32 = 1000;
/// Members of an organisation that are looked at, and organisations of a person.
const PEOPLE: u32 = 200;
/// Words that are given beyond those that are known.
const MORE_WORDS: usize = 100;
/// Fields of a card that name people, each of whose names tells.
const PEOPLE_FIELDS: [&str; 8] =
    ["author", "authors", "contact", "creator", "creators", "developers", "maintainer", "maintainers"];
/// Fields of a card that name an institution, of whose words only all together tell.
const PLACE_FIELDS: [&str; 4] = ["affiliation", "email", "institution", "organization"];

/// An identity of these words.
pub fn of(words: Vec<String>) -> Result<Identity, Error> {
    let identity = Identity::new(words);
    identity.ok_or_else(|| Error::BadRequest("too many words, or too long ones, are to be hidden".to_owned()))
}

/// The words that tell who made a revision, in their order, with those that are known besides.
pub async fn words(
    app: &App,
    repository: &Repository,
    revision: &Revision,
    more: &[String],
) -> Result<Vec<String>, Error> {
    if more.len() > MORE_WORDS {
        return Err(Error::BadRequest(format!("at most {MORE_WORDS} more words can be hidden")));
    }
    let mut words: BTreeSet<String> = more.iter().cloned().collect();
    words.insert(repository.owner_name.clone());
    let history = revisions::history(&app.store.db, revision.id, None, COMMITS).await;
    words.extend(history.during("read a history")?.items.into_iter().map(|commit| commit.author));
    let owner = repository.owner_id;
    let organizations = members::organizations(&app.store.db, owner, PEOPLE).await;
    words.extend(organizations.during("list organisations")?.into_iter().map(|member| member.name));
    let members = members::list(&app.store.db, owner, None, PEOPLE).await.during("list members")?;
    words.extend(members.items.iter().map(|member| member.name.clone()));
    let people = members.items.iter().map(|member| member.account_id).chain([owner]);
    for person in people {
        let profile = accounts::profile(&app.store.db, person).await.during("read a profile")?;
        for text in profile.iter().flat_map(|profile| [&profile.full_name, &profile.email]) {
            words.extend(text.split(' ').map(str::to_owned));
            words.insert(text.clone());
        }
    }
    let card = cards::at(app, revision).await?;
    for (field, text) in texts(&card) {
        if PEOPLE_FIELDS.contains(&field) {
            words.extend(text.split([' ', ',', ';']).map(str::to_owned));
        }
        words.insert(text.to_owned());
    }
    Ok(words.into_iter().collect())
}

/// Every text of the fields that name somebody.
fn texts(card: &Map<String, Value>) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (field, value) in card {
        if PEOPLE_FIELDS.contains(&field.as_str()) || PLACE_FIELDS.contains(&field.as_str()) {
            collect(field, value, &mut found);
        }
    }
    found
}

fn collect<'c>(field: &'c str, value: &'c Value, found: &mut Vec<(&'c str, &'c str)>) {
    match value {
        Value::String(text) => found.push((field, text)),
        Value::Array(values) => values.iter().for_each(|value| collect(field, value, found)),
        Value::Object(fields) => fields.values().for_each(|value| collect(field, value, found)),
        _ => {}
    }
}
