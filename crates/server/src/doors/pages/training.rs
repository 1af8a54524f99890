//! How a model was trained: its recordings, who ran them again and what came of it, and the badges that this earns.
//!
//! Invariant: what a recording says is shown to those who may have the model's files, and to nobody else.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use spec::api::attestations::Attestation;
use spec::capsule::{Capsule, Exit, State as Reached};
use spec::card;

use super::place::{Place, encode_path};
use super::repositories::{Opened, open_model};
use super::views::front::When;
use super::views::training::{AttestationLine, BadgeBox, RecordingBox, TrainingBox, TrainingPage};
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, show};
use crate::app::App;
use crate::error::Error;
use crate::ops::access::{self, Action, Actor};
use crate::ops::attestations::badges::{self, Evidence};
use crate::ops::attestations::training::{self, Recording, Totals};
use crate::ops::{access_requests, attestations, entries, repositories};
use crate::text;

/// Attestations that are listed on the page.
const LISTED: u32 = 200;

#[derive(Debug, Deserialize)]
pub struct TrainingForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    attestation: i64,
}

/// `/{owner}/{name}/training`
pub async fn page(State(app): State<Arc<App>>, place: Place, visitor: Visitor) -> Shown {
    let opened = open_model(&app, &visitor, &place, Action::See).await?;
    let may_read = may_read(&app, &visitor, &opened).await?;
    let (repository, tree) = (&opened.repository, opened.revision.tree_id);
    let recordings = match may_read {
        true => training::list(&app, repository.id, tree).await?,
        false => Vec::new(),
    };
    let said = attestations::list(&app, &visitor.actor, &place.name, (None, LISTED)).await?;
    let totals = training::totals(&app, repository.id, tree).await?;
    let badges = badges(&app, &opened, (&recordings, totals)).await?;
    show(&TrainingPage {
        frame: opened.frame(&visitor, "Training"),
        head: opened.head("Training"),
        may_read,
        may_write: opened.may_write,
        n_capsules: totals.n_capsules,
        recordings: recordings.iter().map(|it| recording(it, (&said.items, &visitor), &opened)).collect(),
        badges,
    })
}

/// `POST /{owner}/{name}/training`: takes an attestation back.
pub async fn act(
    State(app): State<Arc<App>>,
    place: Place,
    visitor: Visitor,
    Form(form): Form<TrainingForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    open_model(&app, &visitor, &place, Action::See).await?;
    attestations::delete(&app, &visitor.actor, &place.name, form.attestation).await?;
    Ok(go_to(&format!("/{}/training", place.name)))
}

/// What the first page of a model says of its training; nothing where none was recorded.
pub async fn in_short(app: &App, opened: &Opened) -> Result<Option<TrainingBox>, Error> {
    let totals = training::totals(app, opened.repository.id, opened.revision.tree_id).await?;
    let href = Some(format!("{}/training", opened.path));
    Ok(summary(totals, href))
}

/// The same in counts alone, for whoever holds a link.
pub fn summary(totals: Totals, href: Option<String>) -> Option<TrainingBox> {
    (totals.n_capsules > 0).then_some(TrainingBox { n_reproduced: totals.n_reproduced, href })
}

async fn may_read(app: &App, visitor: &Visitor, opened: &Opened) -> Result<bool, Error> {
    let name = repositories::full_name(&opened.repository);
    let subject = access::subject(app, &visitor.actor, &opened.repository, &name).await?;
    if access::check(&visitor.actor, Action::Read, &subject).is_err() {
        return Ok(false);
    }
    match access_requests::check(app, &visitor.actor, &opened.repository).await {
        Err(Error::Gated { .. }) => Ok(false),
        result => result.map(|()| true),
    }
}

async fn badges(
    app: &App,
    opened: &Opened,
    (recordings, totals): (&[Recording], Totals),
) -> Result<Vec<BadgeBox>, Error> {
    let row = &opened.repository;
    let ended_well = |it: &&Recording| {
        it.record
            .as_ref()
            .is_some_and(|record| record.state == Reached::Complete && record.exit == Some(Exit::Code(0)))
    };
    let evidence = Evidence {
        is_public: !row.is_private,
        is_gated: row.gate != store::db::repositories::Gate::Open,
        license: row.license.clone(),
        revision: opened.revision.oid.to_string(),
        has_card: entries::sha256(app, opened.revision.tree_id, card::PATH).await?.is_some(),
        n_complete: recordings.iter().filter(ended_well).count(),
        n_attestations: totals.n_attestations,
        n_reproduced: totals.n_reproduced,
    };
    let describe = |badge: badges::Badge| BadgeBox {
        is_met: badge.is_met(),
        name: badge.name,
        meaning: badge.meaning,
        conditions: badge.conditions.into_iter().map(|it| (it.is_met, it.sentence)).collect(),
    };
    Ok(badges::badges(&evidence).into_iter().map(describe).collect())
}

fn recording(it: &Recording, (said, visitor): (&[Attestation], &Visitor), opened: &Opened) -> RecordingBox {
    let sha256 = it.sha256.to_string();
    let of_this = said.iter().filter(|attestation| attestation.said.sha256 == sha256);
    let path = spec::capsule::place::record(&it.id).unwrap_or_default();
    RecordingBox {
        id: it.id.clone(),
        sha256: sha256.clone(),
        href: format!("{}/blob/main/{}", opened.path, encode_path(&path)),
        name: it.record.as_ref().map(|record| record.name.clone()).unwrap_or_default(),
        command: it.record.as_ref().map(|record| record.command.join(" ")).unwrap_or_default(),
        pairs: it.record.as_ref().map(pairs).unwrap_or_default(),
        files: it.files.clone(),
        n_reproduced: it.n_reproduced,
        attestations: of_this.map(|attestation| line(attestation, visitor)).collect(),
    }
}

/// What is worth knowing of a recording.
fn pairs(record: &Capsule) -> Vec<(&'static str, String)> {
    let machine = |name: &str| record.environment.machine.get(name).cloned();
    let end = match (record.state, record.exit) {
        (Reached::Incomplete, _) | (_, None) => "it did not come to its end".to_owned(),
        (_, Some(Exit::Code(code))) => format!("exit code {code}"),
        (_, Some(Exit::Signal(signal))) => format!("signal {signal}"),
    };
    let seconds = record.duration_ms.map(|ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100));
    let n_packages = record.environment.packages.len();
    let python = record.environment.python.as_ref().map(|python| format!("{python}, {n_packages} packages"));
    let files = [("code", &record.code), ("inputs", &record.inputs), ("outputs", &record.outputs)];
    let files: Vec<String> = files.iter().map(|(what, files)| format!("{what} {}", files.len())).collect();
    let last = record.metrics.iter().filter_map(|(name, values)| Some(format!("{name} {}", values.last()?)));
    let metrics: Vec<String> = last.take(6).collect();
    let all = [
        ("Recorded", Some(text::day(record.started_ms))),
        ("Ended", Some(end)),
        ("Took", seconds),
        ("Python", python),
        ("Processor", machine("processor")),
        ("GPU", machine("gpu")),
        ("Files", Some(files.join(", "))),
        ("Last metrics", Some(metrics.join(", ")).filter(|text| !text.is_empty())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn line(attestation: &Attestation, visitor: &Visitor) -> AttestationLine {
    let said = &attestation.said;
    let of = |standing: &str| -> Vec<String> {
        let names = said.criteria.iter().filter(|(_, is)| *is == standing);
        names.map(|(name, _)| name.clone()).collect()
    };
    let machine = ["processor", "gpu"].iter().filter_map(|name| said.machine.get(*name));
    let may_delete = match &visitor.actor {
        Actor::Account(known) => known.is_admin || known.name == attestation.by,
        Actor::Nobody => false,
    };
    AttestationLine {
        id: attestation.id,
        by: attestation.by.clone(),
        is_independent: attestation.independent,
        is_same: ["bitwise", "process", "outcome"].contains(&said.verdict.as_str()),
        verdict: said.verdict.clone(),
        held: of("equal").join(", "),
        not_held: of("different").join(", "),
        machine: machine.cloned().collect::<Vec<_>>().join(", "),
        at: When { text: text::day_of(&attestation.created), exact: attestation.created.clone() },
        may_delete,
    }
}
