//! Commands that record runs, run them again, compare them, and state what came of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use regex::Regex;
use server::settings::{Bytes, Seconds};

use super::remote::Server;

/// Record a run, so that it can be run again to the same bits
///
/// Runs the command as it is, in the folder where you are, and writes down what made the run what it was: code,
/// inputs, environment, every draw of entropy, outputs, metrics. Ends with the command's own exit code. The
/// record, a capsule, can hold what is secret: look at it with `reenact runs show` before you give it away.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact record -- python train.py
  reenact record -o capsule --name first -- python train.py --epochs 3
  reenact record --outputs 'model/*' --metric-pattern 'loss (?P<loss>\\S+)' -- python train.py")]
pub struct Record {
    /// Folder for the capsule [default: a new one that `reenact runs` lists]
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What to call it
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Files in this folder that are inputs, whether they are read or not
    #[arg(long, value_name = "GLOB")]
    pub inputs: Vec<String>,
    /// Hold threads and instruction set fixed, so that another machine can replay to the same bits
    #[arg(long)]
    pub pin: bool,
    /// Do not hash inputs that are longer, such as `20 GiB`: a replay then cannot know whether they are the same
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub hash_up_to: Option<u64>,
    #[command(flatten)]
    pub wanted: Wanted,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

fn size(text: &str) -> Result<u64, &'static str> {
    let size: Result<Bytes, ()> = text.parse();
    size.map(|size| size.0).map_err(|()| "a size is a number and a unit, such as `500 MiB` or `20 GiB`")
}

/// What of a run is kept, and how long it may take.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Files that are outputs [default: all that the run writes in its folder]
    #[arg(long, value_name = "GLOB")]
    pub outputs: Vec<String>,
    /// Finds metrics in the lines of the output by named groups [default: the usual words, such as `loss=0.5`]
    #[arg(long, value_name = "REGEX")]
    pub metric_pattern: Option<Regex>,
    /// End the command after this time, such as `90s`, `15m` or `12h`
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub timeout: Option<Duration>,
    /// Do not count what programs draw by system calls of their own; they may then gain rights, as by `sudo`
    #[arg(long)]
    pub no_audit: bool,
}

fn time(text: &str) -> Result<Duration, &'static str> {
    let time: Result<Seconds, ()> = text.parse();
    time.map(|time| time.0).map_err(|()| "a time is a number and a unit, such as `90s`, `15m` or `12h`")
}

/// List, show and delete the capsules that are known here
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact runs
  reenact runs show first
  reenact runs rm 3f0c")]
pub struct Runs {
    #[command(subcommand)]
    pub action: Option<RunsAction>,
}

#[derive(Debug, Subcommand)]
pub enum RunsAction {
    /// The capsules known here, newest first
    List(RunsList),
    /// What one capsule says
    Show(RunsShow),
    /// Delete a capsule
    Rm(RunsRm),
}

#[derive(Debug, Args)]
pub struct RunsList {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RunsShow {
    /// Folder, name, id, or at least four characters that it begins with
    pub run: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RunsRm {
    /// Folder, name, id, or at least four characters that it begins with
    pub run: String,
}

/// Run a recorded command again, with the entropy of the recording, and compare
///
/// The run takes place in a fresh folder with the code and inputs of the capsule. One that comes from a server runs
/// with an environment made for it, without network, and sees no files but its own. Ends with 0 where the result is
/// the same bit by bit, and with 1 where it is not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact replay capsule
  reenact replay first -o again --times 3
  reenact replay first --strict        # end at the first draw that is not in the recording
  reenact replay alice/iris            # the capsule that was pushed with a model")]
pub struct Replay {
    /// Folder, name or id of the capsule, or the model that it was pushed with, and its branch, tag or commit
    #[arg(value_name = "CAPSULE|OWNER/NAME[@REV]")]
    pub capsule: String,
    /// Which of several capsules of the model
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Folder for the replay; with `--times` one in it for each [default: new ones that `reenact runs` lists]
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// End the run at the first draw that is not in the recording
    #[arg(long, conflicts_with = "allow_divergence")]
    pub strict: bool,
    /// Judge by the results alone, also where the run drew otherwise than recorded
    #[arg(long)]
    pub allow_divergence: bool,
    /// Which Python it runs with [default: `restore` for a capsule from a server, else `current`]
    #[arg(long, value_name = "WHICH", value_enum)]
    pub env: Option<Environment>,
    /// Whether it runs without network and sees no files but its own [default: `on` for a capsule from a server]
    #[arg(long, value_name = "WHETHER", value_enum)]
    pub sandbox: Option<Sandbox>,
    /// File, or folder of files, among which inputs are looked for that the capsule does not hold
    #[arg(long, value_name = "PATH")]
    pub input: Vec<PathBuf>,
    /// How often to run it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub times: u32,
    #[command(flatten)]
    pub wanted: Wanted,
    #[command(flatten)]
    pub server: Server,
}

/// Whether a replay is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sandbox {
    On,
    Off,
}

/// State with your signature what came of a replay
///
/// The statement says who, when, on what machine, and which criteria held, and has the digests from which that follows.
/// It is signed with a key of yours, which is made the first time and kept beside the capsules. With `--push` the
/// server that the capsule came from checks it and shows it on the model's page.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact replay alice/iris -o again
  reenact attest alice/iris again --push
  reenact attest first again > attestation.json")]
pub struct Attest {
    /// Folder, name or id of the recording, or the model that it was pushed with
    #[arg(value_name = "CAPSULE|OWNER/NAME[@REV]")]
    pub capsule: String,
    /// Folder, name or id of its replay
    pub replay: String,
    /// Which of several capsules of the model
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Send it to the server that the capsule was pushed to
    #[arg(long)]
    pub push: bool,
    #[command(flatten)]
    pub server: Server,
}

/// Sign a folder, or check that its files are what was signed
///
/// The signature names every file of the folder, a model or a capsule, by its digest. The key is the one that `attest`
/// makes and uses. OpenSSF's `model-signing` checks such a signature too, and those of its keys for ECDSA on P-256 are
/// checked here. With `--check` the exit code is 1 where a file was changed, added or taken away.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact sign ./model --public-key alice.pem
  reenact sign ./model --public-key alice.pem --check
  model_signing verify key ./model --signature ./model/model.sig --public_key alice.pem")]
pub struct Sign {
    /// Folder with the model, or of the capsule
    pub folder: PathBuf,
    /// The signature [default: `model.sig` in the folder]
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// Where to write the key that it can be checked with, or with `--check` where that key is
    #[arg(long, value_name = "FILE")]
    pub public_key: Option<PathBuf>,
    /// Check and sign nothing
    #[arg(long, requires = "public_key")]
    pub check: bool,
}

/// Which Python a replay runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// The recorded one, where it is still here
    Current,
    /// One that `uv` makes with the packages of the recording
    Restore,
}

/// Compare two runs: capsules, replays or plain folders of outputs
///
/// Ends with 0 where they are the same bit by bit, with 1 where they are not, and with 2 where there is nothing to
/// compare.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact verify capsule again
  reenact verify first 3f0c --html report.html
  reenact verify outputs-a outputs-b --json")]
pub struct Verify {
    /// Folder, name or id of the one run
    pub a: String,
    /// Folder, name or id of the other
    pub b: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write a page that can be opened without anything else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Run a command once and say what in it cannot be reproduced, why, and what helps
///
/// Names generators without a seed, entropy, orders of sets and folders, pools, threads, instruction sets and the
/// operations of PyTorch that have no fixed order, with the lines of the program that use them. With `--patch` it
/// writes a folder that sets what can be set from outside, and runs the command twice with it; it then ends with 0
/// where both came to the same bits, and with 1 where they did not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact doctor -- python train.py
  reenact doctor --patch -- python train.py
  . ./reenact-patch/env && python train.py")]
pub struct Doctor {
    /// Write what to set, and prove it by running again
    #[arg(long)]
    pub patch: bool,
    /// Folder for the patch
    #[arg(long, value_name = "DIR", default_value = "reenact-patch")]
    pub patch_folder: PathBuf,
    /// Folder for the capsules of the runs [default: a new one]
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub wanted: Wanted,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// Run a command many times as it is, and say how much the results differ
///
/// Each run takes place in the folder where you are, one after the other, and is recorded. Of each metric the last
/// value counts. With `--against` the metrics are compared with those of the runs of another command.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact variance -n 8 -- python train.py
  reenact variance -n 8 -o before -- python train.py
  reenact variance -n 8 -o after --against before --html report.html -- python train.py --dropout 0.2")]
pub struct Variance {
    /// How often to run it
    #[arg(short = 'n', long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub runs: u32,
    /// Folder for the capsules, which are called 1, 2 and so on in it [default: a new one]
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Folder of an earlier `reenact variance -o DIR`, to compare with
    #[arg(long, value_name = "DIR")]
    pub against: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write a page that can be opened without anything else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub wanted: Wanted,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// Switch chance out of addresses and become a program; `record` and `replay` start this
#[derive(Debug, Args)]
pub struct Launch {
    /// Leave the program nothing but what is named here
    #[arg(long)]
    pub confined: bool,
    #[arg(long, requires = "confined")]
    pub readable: Vec<PathBuf>,
    #[arg(long, requires = "confined")]
    pub executable: Vec<PathBuf>,
    #[arg(long, requires = "confined")]
    pub writable: Vec<PathBuf>,
    /// Where somebody listens who is to be asked about draws of entropy
    #[arg(long)]
    pub audit: Option<PathBuf>,
    /// What the loader puts in front of the program's libraries
    #[arg(long)]
    pub preload: OsString,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}
