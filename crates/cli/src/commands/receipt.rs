//! `reenact receipt`: checks what a server has signed.
//!
//! Invariant: nothing of a statement is told as true before its signature was found good.

use std::path::Path;

use client::http::Client;
use serde::Serialize;
use serde_json::Value;
use spec::dsse::{self, Keys, PublicKey};
use spec::proof::LinkProof;
use spec::receipt::Receipt;

use super::predict;
use crate::args::receipts::{self as args, ReceiptAction, ReceiptVerify};
use crate::commands::ExitStatus;
use crate::error::Error;
use crate::printer::Printer;
use crate::{rows, settings};

/// What was checked, and how it turned out.
#[derive(Debug, Default, Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<Value>,
    #[serde(skip)]
    lines: Vec<(&'static str, String)>,
}

#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    ok: bool,
    detail: String,
}

pub async fn run(args: args::Receipt, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.action {
        ReceiptAction::Verify(args) => verify(args, printer).await,
    }
}

async fn verify(args: ReceiptVerify, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let text = predict::read(&args.file)?;
    let keys = keys(&args).await?;
    let mut report = Report { ok: true, ..Report::default() };
    match dsse::open(&text, &keys) {
        Err(error) => report.note("signature", false, error.to_string()),
        Ok(payload) => {
            report.note("signature", true, "good".to_owned());
            report.statement = serde_json::from_slice(&payload).ok();
            match dsse::read::<LinkProof>(&payload) {
                Ok(proof) => report.tell_proof(&proof),
                Err(_) => verify_receipt(&args, (&payload, &keys), &mut report).await?,
            }
        }
    }
    report.print(printer, args.json)?;
    Ok(if report.ok { ExitStatus::Success } else { ExitStatus::Failure })
}

async fn verify_receipt(
    args: &ReceiptVerify,
    (payload, keys): (&[u8], &[PublicKey]),
    report: &mut Report,
) -> anyhow::Result<()> {
    let receipt = match dsse::read::<Receipt>(payload) {
        Ok(receipt) => receipt,
        Err(error) => {
            report.note("statement", false, error.to_string());
            return Ok(());
        }
    };
    report.tell_receipt(&receipt);
    match receipt.output.is_whole() {
        Some(true) => report.note("output", true, "has the digest that was signed".to_owned()),
        Some(false) => report.note("output", false, "has another digest than was signed".to_owned()),
        None => {
            report
                .lines
                .push(("output", format!("sha256:{}, its bytes are not here", receipt.output.sha256)));
        }
    }
    if args.rerun {
        let again = ask_again(args, &receipt).await?;
        match dsse::open(&again, keys).and_then(|payload| dsse::read::<Receipt>(&payload)) {
            Ok(again) => report.compare(&receipt, &again),
            Err(error) => report.note("rerun", false, format!("the new receipt: {error}")),
        }
    }
    Ok(())
}

/// The receipt for the same question, asked now.
async fn ask_again(args: &ReceiptVerify, receipt: &Receipt) -> anyhow::Result<String> {
    let path = args.data.as_deref().ok_or(Error::NoRows(String::new()))?;
    let rows = rows::read(&path.to_string_lossy(), &predict::read(path)?)?;
    if let Some(link) = &args.link {
        let (_, receipt) = client::receipts::predict_by_link(link, &rows).await?;
        return Ok(receipt);
    }
    let repository = receipt.model.repository.as_ref().ok_or(Error::NoLink)?;
    let client = settings::connect(&args.server)?;
    let (_, receipt) = client::receipts::predict(&client, &repository.parse()?, &rows).await?;
    Ok(receipt)
}

async fn keys(args: &ReceiptVerify) -> anyhow::Result<Vec<PublicKey>> {
    let keys: Keys = match &args.key {
        Some(path) => read_keys(path)?,
        None => {
            let client: Client = settings::connect(&args.server)?;
            client::receipts::keys(&client).await?
        }
    };
    Ok(keys.keys.iter().map(PublicKey::from_jwk).collect::<Result<_, _>>()?)
}

fn read_keys(path: &Path) -> anyhow::Result<Keys> {
    let keys = serde_json::from_str(&predict::read(path)?);
    Ok(keys.map_err(|source| Error::Json { name: path.display().to_string(), source })?)
}

impl Report {
    fn note(&mut self, check: &'static str, ok: bool, detail: String) {
        self.ok &= ok;
        let mark = if ok { "" } else { "FAILED: " };
        self.lines.push((check, format!("{mark}{detail}")));
        self.checks.push(Check { check, ok, detail });
    }

    fn tell_receipt(&mut self, receipt: &Receipt) {
        let model = &receipt.model;
        self.lines.push(("model", model.repository.clone().unwrap_or_else(|| "not named".to_owned())));
        self.lines.push(("revision", model.revision.to_string()));
        self.lines.push(("weights", format!("sha256:{}", model.weights)));
        if let Some(environment) = &model.environment {
            self.lines.push(("packages", environment.clone()));
        }
        self.lines.push(("runtime", format!("{} {}", receipt.runtime.backend, receipt.runtime.version)));
        self.lines.push(("answered", receipt.time.clone()));
        self.lines.push(("input", format!("sha256:{}", receipt.input.sha256)));
        self.lines.push(("stability", receipt.stability.statement.clone()));
    }

    fn tell_proof(&mut self, proof: &LinkProof) {
        self.lines.push(("revision", format!("{}, of {}", proof.revision, proof.revision_time)));
        self.lines.push(("files", format!("sha256:{}", proof.files)));
        if let Some(weights) = &proof.weights {
            self.lines.push(("weights", format!("sha256:{weights}")));
        }
        self.lines.push(("link made", proof.time.clone()));
    }

    fn compare(&mut self, then: &Receipt, now: &Receipt) {
        let served = now.model.revision == then.model.revision;
        if !served {
            let detail = format!("revision {} is served now, not that of the receipt", now.model.revision);
            return self.note("rerun", false, detail);
        }
        if now.input.sha256 != then.input.sha256 {
            return self.note("rerun", false, "the rows are not those that were asked about".to_owned());
        }
        if now.blunted != then.blunted {
            return self.note("rerun", false, "answers are rounded in another way now".to_owned());
        }
        match now.output.sha256 == then.output.sha256 {
            true => self.note("rerun", true, "the same bytes".to_owned()),
            false => self.note("rerun", false, "other bytes".to_owned()),
        }
    }

    fn print(&self, printer: &Printer, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            return printer.answer_json(self);
        }
        for (name, value) in &self.lines {
            printer.answer(format_args!("{name:<10} {value}"))?;
        }
        Ok(())
    }
}
