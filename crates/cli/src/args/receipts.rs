//! Commands about what a server has signed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::remote::Server;

/// Check what a server has signed: receipts of answers, proofs of links
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact predict alice/iris --data rows.csv --receipt answer.receipt
  reenact receipt verify answer.receipt
  reenact receipt verify answer.receipt --rerun --data rows.csv
  reenact receipt verify proof.json --key server-keys.json")]
pub struct Receipt {
    #[command(subcommand)]
    pub action: ReceiptAction,
}

#[derive(Debug, Subcommand)]
pub enum ReceiptAction {
    Verify(ReceiptVerify),
}

/// Check the signature and the digests of a receipt or a proof; exit 1 if anything is not as it was signed
///
/// The server's public key is fetched from the server, or read from a file that was kept: what
/// `reenact admin key show` prints, or `/.well-known/reenact-keys.json` of the server.
#[derive(Debug, Args)]
pub struct ReceiptVerify {
    /// Receipt or proof
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// File with the server's public keys, instead of asking the server
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Ask the model again, and compare the bytes of the answer
    #[arg(long, requires = "data")]
    pub rerun: bool,
    /// Rows that were asked about, as `reenact predict` takes them
    #[arg(long, value_name = "FILE", requires = "rerun")]
    pub data: Option<PathBuf>,
    /// Link to ask, where the receipt came through one
    #[arg(long, value_name = "URL", requires = "rerun")]
    pub link: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}
