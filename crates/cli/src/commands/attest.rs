//! `reenact attest`: states with a signature what came of a replay, and sends that to a server.
//!
//! Invariant: what is stated follows from digests that are made here and now, from the files of both runs.

use std::path::Path;

use ::record::{capsule, runs, verify};
use client::http::Client;
use spec::api::attestations::NewAttestation;
use spec::attestation::{self, Attestation, Model, Run};
use spec::capsule::{Capsule, Kind, State};

use crate::args::reproducing::Attest;
use crate::commands::capsules::{self, Origin};
use crate::commands::{ExitStatus, wait_for};
use crate::error::Error;
use crate::printer::Printer;
use crate::{clock, settings, signing};

/// The program that ran and compared.
const SOFTWARE: &str = concat!("reenact ", env!("CARGO_PKG_VERSION"));

pub fn run(args: &Attest, printer: &Printer) -> anyhow::Result<ExitStatus> {
    wait_for(state(args, printer))
}

async fn state(args: &Attest, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let found = capsules::find((&args.capsule, args.id.as_deref()), &args.server, printer).await?;
    let replay = runs::find(&settings::runs_folder()?, &args.replay)?;
    let (recorded, replayed) = (capsule::read(&found.folder)?, capsule::read(&replay)?);
    check(&recorded, &replayed)?;
    let origin = found.origin.filter(|_| args.push);
    let sender = match (&origin, args.push) {
        (Some(origin), _) => Some(sender(args, origin).await?),
        (None, true) => return Err(Error::NoOrigin(recorded.name).into()),
        (None, false) => None,
    };
    let (before, after) = (verify::evidence::evidence(&found.folder)?, verify::evidence::evidence(&replay)?);
    let (criteria, verdict) = attestation::judge(&before, &after);
    let said = Attestation {
        capsule: named(&found.folder, &recorded)?,
        replay: named(&replay, &replayed)?,
        model: origin.as_ref().map(Origin::model),
        by: sender.as_ref().map(|(_, name)| name.clone()),
        time: clock::rfc3339(clock::now_ms()),
        machine: replayed.environment.machine.clone(),
        software: SOFTWARE.to_owned(),
        recorded: before,
        replayed: after,
        criteria,
        verdict,
    };
    said.check()?;
    tell(&said, printer);
    let key = signing::key(printer)?;
    let statement = key.seal(said)?;
    match (origin, sender) {
        (Some(origin), Some((client, _))) => {
            let new = NewAttestation { statement, key: key.public().jwk() };
            let made = client::attestations::create(&client, &origin.repository, &new).await?;
            printer.note(format_args!("the server checked it and took it as attestation {}", made.id));
            printer.answer(format_args!("{}/{}/training", client.base(), origin.repository))?;
        }
        _ => printer.answer(statement)?,
    }
    Ok(ExitStatus::Success)
}

/// Whoever is signed in at the server that the capsule came from.
async fn sender(args: &Attest, origin: &Origin) -> anyhow::Result<(Client, String)> {
    let client = settings::connect(&args.server)?;
    if client.base() != origin.server {
        let (wanted, found) = (origin.server.clone(), client.base().to_owned());
        return Err(Error::OtherServer { wanted, found }.into());
    }
    let name = client::api::me(&client).await?.name;
    Ok((client, name))
}

fn check(recorded: &Capsule, replayed: &Capsule) -> Result<(), Error> {
    let is_replay = replayed.kind == Kind::Replay && replayed.replay_of.as_ref() == Some(&recorded.id);
    if !is_replay {
        return Err(Error::NoReplayOf { replay: replayed.name.clone(), recorded: recorded.name.clone() });
    }
    match [recorded, replayed].into_iter().find(|run| run.state == State::Incomplete) {
        Some(run) => Err(Error::IncompleteRun(run.name.clone())),
        None => Ok(()),
    }
}

fn named(folder: &Path, record: &Capsule) -> anyhow::Result<Run> {
    let (sha256, _) = capsule::digest(&folder.join(capsule::RECORD))?;
    Ok(Run { id: record.id.clone(), sha256 })
}

fn tell(said: &Attestation, printer: &Printer) {
    for held in &said.criteria {
        let criterion = held.criterion;
        printer.note(format_args!(
            "{} {:<12} {}",
            criterion.code(),
            criterion.as_str(),
            held.standing.as_str()
        ));
    }
    printer.note(format_args!("verdict: {}", said.verdict.as_str()));
}

impl Origin {
    fn model(&self) -> Model {
        Model { repository: self.repository.to_string(), revision: self.revision, packed: self.packed }
    }
}
