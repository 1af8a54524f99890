//! Taking a pull request: what it changed since it began is done to the branch as it stands now.
//!
//! Refuses to mix two changes of one file. Invariant: a file that changed on the branch alone stays as it is there.

use std::collections::BTreeMap;

use serde_json::json;
use spec::digest::{Oid, Sha256};
use spec::name::{FilePath, RefName, RepositoryKind, RepositoryName};
use store::clock;
use store::db::discussions::{self, Discussion, EventKind, NewEvent, Status};
use store::db::ids::TreeId;
use store::db::refs::RefKind;
use store::db::repositories::Repository;
use store::db::revisions::{self as rows, Change, IfUnchanged, NewRevision, Revision};

use super::{Effect, Pull};
use crate::app::App;
use crate::error::{During, Error};
use crate::jobs;
use crate::ops::access::{Action, Actor};
use crate::ops::repositories::{self, MAIN};
use crate::ops::webhooks::{self, News};
use crate::ops::{cards, entries};

/// All files of a tree.
type Files = BTreeMap<String, (Sha256, Oid, u64)>;

/// Merges a pull request into the branch `main`.
pub async fn merge(
    app: &App,
    actor: &Actor,
    of: (RepositoryKind, &RepositoryName),
    number: i64,
) -> Result<Revision, Error> {
    repositories::get(app, actor, of.0, of.1, Action::Write).await?;
    let (repository, discussion) = super::for_commit(app, actor, of, number).await?;
    let known = super::may_speak(actor)?;
    let main = super::head(app, &repository, MAIN).await?;
    let plan = plan(app, &repository, &discussion, &main).await?;
    if let Some(path) = plan.conflicts.first() {
        return Err(Error::MergeConflict { number, path: path.clone() });
    }
    let now_ms = clock::now_ms();
    let branch: RefName = MAIN.parse()?;
    let task = jobs::follow_up::task(repository.id);
    let follow_up = task.due(now_ms);
    let title = format!("{} (#{number})", discussion.title);
    let new = NewRevision {
        repository_id: repository.id,
        ref_kind: RefKind::Branch,
        branch: &branch,
        expected_parent: Some(main.oid),
        changes: &plan.changes,
        title: &title,
        description: "",
        author: &known.name,
        now_ms,
        if_unchanged: IfUnchanged::Keep,
        follow_up: Some(&follow_up),
    };
    let data = json!({ "status": Status::Merged }).to_string();
    let event = NewEvent { author: known.id, kind: EventKind::StatusChange, data: &data, now_ms };
    match discussions::merge(&app.store.db, discussion.id, &new, &event).await {
        Ok(committed) => {
            app.job_added.notify_one();
            // Whoever looks at once should see it; if this fails, the job does it.
            if let Err(error) = cards::refresh(app, repository.id, &committed.revision).await {
                tracing::warn!(%error, "a card was not read at once");
            }
            webhooks::tell_commit(app, repository.id, "refs/heads/main", &committed.revision).await;
            let merged = Discussion { status: Status::Merged, ..discussion };
            webhooks::tell(app, repository.id, &News::Changed(&merged)).await;
            Ok(committed.revision)
        }
        Err(store::Error::StaleParent { .. }) => {
            Err(Error::StaleParent { expected: main.oid.to_string(), current: "a newer commit".to_owned() })
        }
        Err(store::Error::PathConflict { path, .. }) => Err(Error::MergeConflict { number, path }),
        Err(store::Error::NotFound { .. }) => {
            Err(Error::BadRequest(format!("the pull request {number} is no longer open")))
        }
        Err(error) => Err(error).during("merge a pull request"),
    }
}

/// What merging would do now. A pull request that is no longer open does nothing more.
pub(super) async fn preview(
    app: &App,
    repository: &Repository,
    discussion: &Discussion,
) -> Result<Pull, Error> {
    if !matches!(discussion.status, Status::Open | Status::Draft) {
        return Ok(Pull::default());
    }
    let main = super::head(app, repository, MAIN).await?;
    let plan = plan(app, repository, discussion, &main).await?;
    let changes = plan.changes.into_iter().map(|change| match change {
        Change::Put { path, .. } => (path.to_string(), Effect::Put),
        Change::Delete { path } | Change::DeleteFolder { path } => (path.to_string(), Effect::Delete),
    });
    Ok(Pull { changes: changes.collect(), conflicts: plan.conflicts })
}

#[derive(Debug, Default)]
struct Plan {
    changes: Vec<Change>,
    conflicts: Vec<String>,
}

async fn plan(
    app: &App,
    repository: &Repository,
    discussion: &Discussion,
    main: &Revision,
) -> Result<Plan, Error> {
    let head = super::head(app, repository, &format!("refs/pr/{}", discussion.number)).await?;
    let base = match discussion.base_id {
        Some(id) => rows::by_id(&app.store.db, id).await.during("look up a revision")?,
        None => None,
    };
    let base = base.ok_or(Error::Internal("find where a pull request began"))?;
    let base_files = files(app, base.tree_id).await?;
    let theirs = files(app, head.tree_id).await?;
    let ours =
        if main.tree_id == base.tree_id { base_files.clone() } else { files(app, main.tree_id).await? };
    changes(&base_files, &theirs, &ours)
}

async fn files(app: &App, tree: TreeId) -> Result<Files, Error> {
    let all = entries::all(app, tree).await?;
    let files = all.into_iter().filter_map(|entry| {
        let n_bytes = u64::try_from(entry.n_bytes).unwrap_or(0);
        entry.sha256.map(|sha256| (entry.path, (sha256, entry.git_oid, n_bytes)))
    });
    Ok(files.collect())
}

/// What `theirs` did to `base`, to be done to `ours`.
fn changes(base: &Files, theirs: &Files, ours: &Files) -> Result<Plan, Error> {
    let mut plan = Plan::default();
    let paths: std::collections::BTreeSet<&String> = base.keys().chain(theirs.keys()).collect();
    for path in paths {
        let (before, after, now) = (base.get(path), theirs.get(path), ours.get(path));
        if before == after || after == now {
            continue;
        }
        if before != now {
            plan.conflicts.push(path.clone());
            continue;
        }
        let path: FilePath = path.parse()?;
        plan.changes.push(match after {
            Some((sha256, git_oid, n_bytes)) => {
                Change::Put { path, sha256: *sha256, git_oid: *git_oid, n_bytes: *n_bytes }
            }
            None => Change::Delete { path },
        });
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use spec::git;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> Files {
        let file = |text: &str| (Sha256::of(text.as_bytes()), git::blob(text.as_bytes()), text.len() as u64);
        files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect()
    }

    #[test]
    fn only_what_one_side_changed_is_merged() {
        let base = tree(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")]);
        let theirs = tree(&[("a", "2"), ("b", "1"), ("c", "2"), ("e", "2"), ("new", "2")]);
        let ours = tree(&[("a", "1"), ("b", "3"), ("c", "3"), ("d", "1"), ("e", "2"), ("other", "3")]);
        let plan = changes(&base, &theirs, &ours).unwrap();
        let paths: Vec<String> = (plan.changes.iter())
            .map(|change| match change {
                Change::Put { path, .. } => format!("+{path}"),
                Change::Delete { path } | Change::DeleteFolder { path } => format!("-{path}"),
            })
            .collect();
        assert_eq!(paths, ["+a", "-d", "+new"]);
        assert_eq!(plan.conflicts, ["c"]);
    }

    #[test]
    fn what_one_side_deleted_and_the_other_changed_is_a_conflict() {
        let (base, without, changed) = (tree(&[("a", "1")]), tree(&[]), tree(&[("a", "2")]));
        assert_eq!(changes(&base, &without, &changed).unwrap().conflicts, ["a"]);
        assert_eq!(changes(&base, &changed, &without).unwrap().conflicts, ["a"]);
        let same = changes(&base, &without, &without).unwrap();
        assert!(same.changes.is_empty() && same.conflicts.is_empty());
    }
}
