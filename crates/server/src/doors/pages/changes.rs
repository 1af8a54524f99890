//! The pages of one commit: what it changed, line by line, and tensor by tensor.

use std::sync::Arc;

use axum::extract::{Query, State};
use store::db::revisions::Changed;

use super::files::{After, address, commit_line};
use super::place::{Place, with_query};
use super::repositories::{Opened, open};
use super::views::changes::{CommitPage, FileChange, TensorLine, WeightsPage};
use super::views::frame::Link;
use super::visitor::Visitor;
use super::{Shown, show};
use crate::app::App;
use crate::ops::access::Action;
use crate::ops::revisions::changes::{self, Lines, TensorChange, Uncompared, What};
use crate::text;

/// Files on one page.
const PAGE: u32 = 50;
/// Files whose lines are compared on one page.
const TEXTS: usize = 20;

/// `/{owner}/{name}/commit/{revision}`
pub async fn commit(
    State(app): State<Arc<App>>,
    place: Place,
    Query(after): Query<After>,
    visitor: Visitor,
) -> Shown {
    let opened = open(&app, &visitor, &place, Action::Read).await?;
    let found = changes::changes(&app, &visitor.actor, &place.at(), after.get(), PAGE).await?;
    let mut files = Vec::new();
    for (place, changed) in found.page.items.iter().enumerate() {
        let lines = if place < TEXTS { Some(changes::lines(&app, changed).await?) } else { None };
        files.push(file_change(&opened, &found.revision.oid.to_string(), changed, lines));
    }
    let here = format!("{}/commit/{}", opened.path, found.revision.oid);
    let page = CommitPage {
        frame: opened.frame(&visitor, &found.revision.title),
        head: opened.head("History"),
        tree_href: format!("{}/tree/{}", opened.path, found.revision.oid),
        commit: commit_line(&opened, found.revision),
        parent: found.parent.map(|parent| Link {
            label: parent.oid.to_string()[..8].to_owned(),
            href: format!("{}/commit/{}", opened.path, parent.oid),
            is_current: false,
        }),
        files,
        next: found.page.next.map(|after| with_query(&here, &[("after", &after)])),
    };
    show(&page)
}

/// `/{owner}/{name}/commit/{revision}/{path}`
pub async fn weights(State(app): State<Arc<App>>, place: Place, visitor: Visitor) -> Shown {
    let opened = open(&app, &visitor, &place, Action::Read).await?;
    let found = changes::weights(&app, &visitor.actor, &place.at(), &place.path).await?;
    let (summary, tensors) = match found.as_ref() {
        Ok(weights) => {
            let n_shown = weights.changes.len();
            let rest = match n_shown < weights.n_different {
                true => format!("; the first {n_shown} by name are listed"),
                false => String::new(),
            };
            let told = format!("{} of {} tensors differ{rest}", weights.n_different, weights.n_tensors);
            (told, weights.changes.iter().map(tensor_line).collect())
        }
        Err(why) => (reason(*why), Vec::new()),
    };
    let page = WeightsPage {
        frame: opened.frame(&visitor, &place.path),
        head: opened.head("History"),
        commit: commit_line(&opened, opened.revision.clone()),
        path: place.path,
        summary,
        tensors,
    };
    show(&page)
}

fn file_change(opened: &Opened, oid: &str, changed: &Changed, lines: Option<Lines>) -> FileChange {
    let size = |version: store::db::revisions::Version| text::bytes(version.n_bytes);
    let (what, size) = match (changed.old, changed.new) {
        (None, Some(new)) => ("added", size(new)),
        (Some(old), None) => ("deleted", size(old)),
        (Some(old), Some(new)) if size(old) != size(new) => {
            ("changed", format!("{} → {}", size(old), size(new)))
        }
        (_, new) => ("changed", new.map(size).unwrap_or_default()),
    };
    let is_weights = what == "changed" && inspect::is_model_file(&changed.path);
    let (hunks, why_not) = match lines {
        // What there is to see of weights has a page of its own.
        _ if is_weights => (Vec::new(), None),
        Some(Lines::Differ(hunks)) => (hunks, None),
        Some(Lines::Binary) => (Vec::new(), Some("The file is not text.")),
        Some(Lines::TooLong) => {
            (Vec::new(), Some("The file is too large for its lines to be compared here."))
        }
        None => (Vec::new(), Some("On one page the lines of so many files are compared and no more.")),
    };
    FileChange {
        path: changed.path.clone(),
        what,
        size,
        href: changed.new.map(|_| address(opened, "blob", oid, &changed.path)),
        weights_href: is_weights.then(|| address(opened, "commit", oid, &changed.path)),
        hunks,
        why_not,
    }
}

fn tensor_line(change: &TensorChange) -> TensorLine {
    let sized = |value: &Option<f64>| value.map_or_else(String::new, number);
    let (what, absolute, relative) = match &change.what {
        What::Added => ("added".to_owned(), String::new(), String::new()),
        What::Removed => ("removed".to_owned(), String::new(), String::new()),
        What::Form { old } => (format!("was {old}"), String::new(), String::new()),
        What::Values { n_different, n_elements, max_absolute, max_relative } => {
            let share = *n_different as f64 * 100.0 / (*n_elements).max(1) as f64;
            let what = format!(
                "{} of {} values ({share:.1} %)",
                text::count(*n_different),
                text::count(*n_elements)
            );
            (what, sized(max_absolute), sized(max_relative))
        }
    };
    TensorLine { name: change.name.clone(), form: change.form.clone(), what, absolute, relative }
}

fn number(value: f64) -> String {
    match () {
        () if value.is_infinite() => "no number".to_owned(),
        () if value != 0.0 && !(1e-3..1e5).contains(&value) => format!("{value:.3e}"),
        () => format!("{value:.5}"),
    }
}

fn reason(why: Uncompared) -> String {
    match why {
        Uncompared::Alone => "The file was added or deleted: there is nothing to compare it with.".to_owned(),
        Uncompared::TooLarge => {
            let most = text::bytes(changes::WEIGHTS_BYTES);
            format!(
                "Files of more than {most} are not compared here; `reenact verify` compares folders of any size."
            )
        }
        Uncompared::Unread => "No tensors can be found in this file, before or after.".to_owned(),
    }
}
