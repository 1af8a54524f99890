//! Commits to pull requests, and those that open one.
//!
//! Refuses to touch a branch. Invariant: a pull request that a commit opens is there with that commit or not at all.

use serde_json::json;
use spec::digest::Oid;
use store::clock;
use store::db::discussions::{self, EventKind, NewDiscussion, NewEvent, Status};
use store::db::refs::RefKind;
use store::db::revisions::{self as rows, Committed, IfUnchanged, NewRevision};

use super::draft::{Draft, Target};
use super::{Done, refusal};
use crate::app::App;
use crate::error::{During, Error};
use crate::ops::repositories::{self, MAIN};
use crate::ops::webhooks::{self, News};

/// Said where whoever offers a change says nothing.
const NO_DESCRIPTION: &str = "No description.";

pub(super) async fn commit(app: &App, draft: &Draft, expected_parent: Option<Oid>) -> Result<Done, Error> {
    match &draft.target {
        Target::Pull(pull) => {
            let name = discussions::ref_name(pull.number).during("name a pull request")?;
            let new = new_revision(draft, &name, expected_parent);
            let event = |committed: &Committed| (draft.author_id, event_data(committed));
            let made = discussions::commit(&app.store.db, pull.id, &new, event).await;
            let committed = made.map_err(|error| refusal(error, draft))?;
            Ok(Done { committed, pull_request: None })
        }
        Target::Branch(_) | Target::NewPull => open(app, draft, expected_parent).await,
    }
}

/// The pull request begins where the sender says, or else at the branch.
async fn open(app: &App, draft: &Draft, parent: Option<Oid>) -> Result<Done, Error> {
    let start = parent.map_or_else(|| MAIN.to_owned(), |oid| oid.to_string());
    let base = rows::resolve(&app.store.db, draft.repository.id, &start).await;
    let base = base.during("look up a revision")?.ok_or_else(|| Error::RevisionNotFound {
        repository: repositories::full_name(&draft.repository),
        revision: start,
    })?;
    let description = match draft.message.description.trim() {
        "" => NO_DESCRIPTION,
        text => text,
    };
    let data = json!({ "text": description }).to_string();
    let now_ms = clock::now_ms();
    let opening = NewEvent { author: draft.author_id, kind: EventKind::Comment, data: &data, now_ms };
    let new = NewDiscussion {
        repository: draft.repository.id,
        title: &draft.message.title,
        status: Status::Open,
        base: Some(base.id),
        opening,
    };
    // The number is given out with the pull request; this name is only a place for it.
    let name = discussions::ref_name(1).during("name a pull request")?;
    let first = new_revision(draft, &name, None);
    let made = discussions::create_with_commit(&app.store.db, &new, &first, event_data).await;
    let (pull, committed) = made.map_err(|error| refusal(error, draft))?;
    webhooks::tell(app, draft.repository.id, &News::Opened(&pull)).await;
    Ok(Done { committed, pull_request: Some(pull.number) })
}

fn new_revision<'a>(
    draft: &'a Draft,
    name: &'a spec::name::RefName,
    expected_parent: Option<Oid>,
) -> NewRevision<'a> {
    NewRevision {
        repository_id: draft.repository.id,
        ref_kind: RefKind::Pull,
        branch: name,
        expected_parent,
        changes: &draft.changes,
        title: &draft.message.title,
        description: &draft.message.description,
        author: &draft.author,
        now_ms: clock::now_ms(),
        if_unchanged: IfUnchanged::Keep,
        follow_up: None,
    }
}

fn event_data(committed: &Committed) -> String {
    json!({ "subject": committed.revision.title, "oid": committed.revision.oid }).to_string()
}
