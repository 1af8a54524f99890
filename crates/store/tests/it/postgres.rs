//! A PostgreSQL of our own: started once for this test binary, gone with it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Starts a cluster in a fresh folder, says where, and ends it when our end of its input closes, which happens
/// however this process ends. `cargo xtask test` starts the same once for all tests.
const SCRIPT: &str = include_str!("postgres.sh");

static CLUSTER: OnceLock<Cluster> = OnceLock::new();

struct Cluster {
    url: String,
    /// Its input stays open as long as this process lives.
    _keeper: Option<Child>,
}

/// The address of a server on which databases can be made, or `None` if the caller's environment says that
/// there need not be one.
pub(crate) fn server() -> Option<&'static str> {
    if std::env::var_os("REENACT_SKIP_POSTGRES").is_some_and(|value| value == "1") {
        return None;
    }
    Some(&CLUSTER.get_or_init(start).url)
}

fn start() -> Cluster {
    if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
        return Cluster { url, _keeper: None };
    }
    let mut keeper = Command::new("sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh starts");
    let mut url = String::new();
    let stdout = keeper.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut url).expect("the script answers");
    let url = url.trim().to_owned();
    assert!(!url.is_empty(), "PostgreSQL did not start; the reason is above");
    Cluster { url, _keeper: Some(keeper) }
}
