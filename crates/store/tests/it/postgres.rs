//! A PostgreSQL of our own: started once for this test binary, gone with it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Starts a cluster in a fresh folder, says where, and ends it when our end of its input closes, which happens
/// however this process ends. PostgreSQL refuses to run as root, so root becomes `nobody`.
const SCRIPT: &str = r#"
set -e
dir=$(mktemp -d "${TMPDIR:-/tmp}/reenact-postgres-XXXXXX")
as=""
if [ "$(id -u)" = 0 ]; then
    chown nobody "$dir"
    as="setpriv --reuid=nobody --regid=nogroup --clear-groups"
fi
trap 'kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
$as "$1/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 || {
    cat "$dir/log" >&2
    exit 1
}
cd "$dir"
$as "$1/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c max_connections=300 \
    >>"$dir/log" 2>&1 &
server=$!
n=0
until "$1/pg_isready" -q -h "$dir"; do
    n=$((n + 1))
    if [ $n -gt 300 ] || ! kill -0 "$server"; then cat "$dir/log" >&2; exit 1; fi
    sleep 0.1
done
echo "$dir"
read -r _ || true
"#;

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
    let Some(programs) = newest_programs() else {
        panic!(
            "PostgreSQL is not installed: `apt-get install postgresql`, or name a server in TEST_DATABASE_URL, \
             or skip these tests with REENACT_SKIP_POSTGRES=1"
        );
    };
    let mut keeper = Command::new("sh")
        .args(["-c", SCRIPT, "postgres"])
        .arg(programs)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh starts");
    let mut folder = String::new();
    let stdout = keeper.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut folder).expect("the script answers");
    let folder = folder.trim();
    assert!(!folder.is_empty(), "PostgreSQL did not start; its log is above");
    Cluster { url: format!("postgres://postgres@localhost/postgres?host={folder}"), _keeper: Some(keeper) }
}

fn newest_programs() -> Option<PathBuf> {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let installed = installed.filter_map(|entry| Some(entry.ok()?.path()));
    installed.filter(|path| version(path).is_some()).max_by_key(version).map(|path| path.join("bin"))
}
