//! Every setting of the server, on one page: its default, its names and what it is for.
//!
//! Order: flags, then environment, then file, then default. The reference in `docs/` is generated from here.
//! Knows nothing of what the settings do. Invariant: a setting that is not on this page does not exist, and
//! an unknown key in the file is an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Error;

mod choice;
mod value;

pub use choice::{Hidden, Networks, OidcAccounts, SignUp, Unsafe};
pub use value::{Bytes, Gpu, Interpreters, LargeFiles, Seconds};

macro_rules! settings {
    ($( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:literal; )+) => {
        /// What the server was told.
        #[derive(Debug, Clone)]
        pub struct Settings {
            $( $(#[doc = $doc])+ pub $field: $type, )+
        }

        /// Name, environment variable, default and meaning of every setting, in the order of this page.
        pub const REFERENCE: &[Setting] = &[
            $( Setting { name: stringify!($field), default: $default, doc: concat!($($doc, "\n"),+) }, )+
        ];

        impl Settings {
            fn from_texts(mut text: impl FnMut(&str, &str) -> String) -> Result<Self, Error> {
                Ok(Self { $(
                    $field: value::parse(stringify!($field), &text(stringify!($field), $default))?,
                )+ })
            }

            /// The settings in force as a file that would give them, secrets hidden.
            pub fn to_toml(&self) -> String {
                let mut out = String::new();
                $(
                    for line in [$($doc),+] {
                        out.push_str(&format!("#{line}\n"));
                    }
                    out.push_str(&format!("{} = {}\n\n", stringify!($field), value::show(&self.$field)));
                )+
                out
            }
        }
    };
}

settings! {
    /// Folder that holds everything the server keeps: database, files, sockets, logs.
    data: PathBuf = "./reenact-data";
    /// Address to listen on. Port 0 takes a free one.
    listen: std::net::SocketAddr = "127.0.0.1:8484";
    /// Address that people and clients use, where it is not the one listened on (behind a proxy).
    /// Empty: told from each request's `Host`.
    public_url: String = "";
    /// Database: empty for SQLite in the data folder, or `postgres://…`.
    database: String = "";
    /// Where stored bytes live: empty for the data folder, or `s3://bucket/prefix`.
    storage: String = "";
    /// Address at which clients reach the S3 store, such as `https://s3.example.org`: they then fetch the chunks of large
    /// files there, each range by an address that is signed for a quarter of an hour. Empty: all through this server.
    direct_downloads: String = "";
    /// What a power cut may cost: `normal` (SQLite may lose the last transactions) or `full` (nothing).
    durability: String = "full";
    /// Log lines: `text` or `json`.
    log_format: String = "text";
    /// Which log lines: a level, or targets with levels as `tracing` writes them.
    log: String = "info";
    /// Threads that accept and answer requests. 0: half the cores, at least one.
    reactors: usize = "0";
    /// Largest commit that is taken, with everything in it.
    commit_limit: Bytes = "64 GiB";
    /// What the repositories of one account may hold, each file counted in full for each repository that has it in a
    /// commit. 0 B: no limit.
    account_quota: Bytes = "0 B";
    /// How clients of the Hub send large files: `auto` (apart from the commit, in chunks or by Git LFS, where the client is
    /// known to do so), `apart` (always) or `in-commit` (never).
    large_files: LargeFiles = "auto";
    /// From which size on a file is large. Weights and tables, by the endings of their names, always are.
    large_file: Bytes = "10 MiB";
    /// Files sent apart that are larger than this come in parts of this size.
    upload_part: Bytes = "64 MiB";
    /// How long the addresses can be used to which files are sent.
    upload_lifetime: Seconds = "6h";
    /// How long `reenact admin gc` keeps what nothing names any more. Clients remember for three weeks what they have
    /// sent: where this is shorter, their pushes may fail until they forget it.
    unused_after: Seconds = "30d";
    /// Largest request to an endpoint.
    predict_limit: Bytes = "32 MiB";
    /// Largest request to anything else.
    request_limit: Bytes = "4 MiB";
    /// How long a request may take to arrive and be answered, uploads and downloads excepted.
    request_timeout: Seconds = "60s";
    /// How long a stopping server waits for what runs.
    shutdown_timeout: Seconds = "30s";
    /// How long a sign-in lasts.
    session_lifetime: Seconds = "30d";
    /// How long the first admin's sign-in link can be used.
    sign_in_link_lifetime: Seconds = "1h";
    /// Who may make an account by themselves: `closed` (nobody; an admin makes accounts and invites) or `open`.
    sign_up: SignUp = "closed";
    /// Provider of sign-ins (OpenID Connect): its issuer, such as `https://login.example.org`. Empty for none. Its
    /// redirect address is `/sign-in/oidc/callback` on this server.
    oidc_issuer: String = "";
    /// What the provider calls this server.
    oidc_client_id: String = "";
    /// The secret that the provider shares with this server.
    oidc_client_secret: Hidden = "";
    /// What the button on the sign-in page calls the provider.
    oidc_label: String = "single sign-on";
    /// Whom the provider lets in: `existing` (who has an account with a verified e-mail address, or has connected one)
    /// or `new` (everybody with a verified e-mail address; an account is made for who has none).
    oidc_accounts: OidcAccounts = "existing";
    /// Proxies before the server, whose word is taken for where a request comes from (`X-Forwarded-For`): addresses or
    /// networks with commas between them.
    trusted_proxies: Networks = "";
    /// Attempts to sign in a minute, from one address and for one account. 0: no limit, as for the next three.
    sign_in_rate: usize = "20";
    /// Accounts that may be made from one address in an hour, where sign-up is open.
    sign_up_rate: usize = "10";
    /// Tokens, links and invitations that are none, a minute from one address.
    guess_rate: usize = "60";
    /// Repositories, tokens, links and webhooks that one account may make a minute.
    making_rate: usize = "600";
    /// Whether webhooks may lead to private networks and to this machine: `refuse` or `allow`.
    private_webhooks: Unsafe = "refuse";
    /// How long after a failed attempt a webhook is tried again. Each further one waits six times as long.
    webhook_retry: Seconds = "5s";
    /// ONNX Runtime's shared library. Empty: `ORT_DYLIB_PATH`, the active Python environment, or the one
    /// that `reenact setup` made.
    onnxruntime: PathBuf = "";
    /// How long an endpoint may be without a request before its runtime is stopped. The next one wakes it.
    idle_after: Seconds = "15m";
    /// How long a runtime may take to load its model.
    load_timeout: Seconds = "120s";
    /// How long one prediction may take.
    predict_timeout: Seconds = "60s";
    /// How long an answer that comes in pieces may take in all; for each piece what a prediction may take.
    stream_timeout: Seconds = "10m";
    /// Requests to one endpoint that may wait at a time. More are answered 503 with Retry-After.
    queue: usize = "1024";
    /// Bytes of requests to one endpoint that may wait at a time.
    queue_bytes: Bytes = "256 MiB";
    /// Threads that one runtime computes with.
    runtime_threads: usize = "1";
    /// Processes that one model in Python computes in at a time.
    python_workers: usize = "1";
    /// Interpreters that models in Python may name, with all packages that they have: `debian=/usr/bin/python3`,
    /// several with commas between.
    python_interpreters: Interpreters = "";
    /// NVIDIA GPUs that models in Python may use: `none`, `all`, or their numbers, such as `0,1`.
    gpu: Gpu = "none";
    /// How long building a Python environment may take.
    build_timeout: Seconds = "30m";
    /// Memory that one runtime may use, and each process of a model in Python.
    runtime_memory: Bytes = "4 GiB";
    /// Most runtimes that an endpoint's owner may have for one revision, and may keep from going to sleep.
    replicas: usize = "4";
    /// Web apps of Gradio and Streamlit that run at a time; of those that nobody visits one sleeps for another. 0: none.
    apps: usize = "4";
    /// Memory that one web app may use.
    app_memory: Bytes = "4 GiB";
    /// What one web app may write, kept in memory too, until it sleeps.
    app_scratch: Bytes = "256 MiB";
    /// Processor time after which a web app is ended; the next visit starts it anew.
    app_processor_time: Seconds = "1h";
    /// Whether models run where the kernel cannot confine them: `refuse` or `allow`.
    unsandboxed: String = "refuse";
}

/// One line of the reference.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub doc: &'static str,
}

impl Setting {
    /// The environment variable that sets it, such as `REENACT_LISTEN`.
    pub fn variable(&self) -> String {
        format!("REENACT_{}", self.name.to_ascii_uppercase())
    }
}

impl Settings {
    /// Merges what was said on the command line (by setting name), in the environment and in the file.
    pub fn load(
        flags: &BTreeMap<String, String>,
        environment: impl Fn(&str) -> Option<String>,
        file: Option<&Path>,
    ) -> Result<Self, Error> {
        let in_file = file.map(read_file).transpose()?.unwrap_or_default();
        Self::from_texts(|name, default| {
            let variable = || environment(&format!("REENACT_{}", name.to_ascii_uppercase()));
            let said = flags.get(name).cloned().or_else(variable).or_else(|| in_file.get(name).cloned());
            said.unwrap_or_else(|| default.to_owned())
        })
    }

    /// The threads that answer requests.
    pub fn n_reactors(&self) -> usize {
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        if self.reactors == 0 { (n_cores / 2).max(1) } else { self.reactors }
    }
}

fn read_file(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let refuse = |reason: String| Error::SettingsFile { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| refuse(error.message().to_owned()))?;
    let mut texts = BTreeMap::new();
    for (name, value) in table {
        if !REFERENCE.iter().any(|setting| setting.name == name) {
            return Err(refuse(format!("`{name}` is no setting")));
        }
        let text = match value {
            toml::Value::String(text) => text,
            other => other.to_string(),
        };
        texts.insert(name, text);
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Settings, Error> {
        let flags = flags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let find = |name: &str| environment.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned());
        Settings::load(&flags, find, None)
    }

    #[test]
    fn a_flag_beats_the_environment() {
        let settings =
            load(&[("queue", "7")], &[("REENACT_QUEUE", "9"), ("REENACT_IDLE_AFTER", "2m")]).unwrap();
        assert_eq!((settings.queue, settings.idle_after.0.as_secs()), (7, 120));
    }

    #[test]
    fn a_value_that_cannot_be_read_names_its_setting() {
        let error = load(&[("request_timeout", "soon")], &[]).unwrap_err().to_string();
        assert!(error.contains("`request_timeout`") && error.contains("`soon`"), "{error}");
    }

    #[test]
    fn interpreters_have_names_and_whole_paths() {
        let text = "debian=/usr/bin/python3, cuda = /opt/torch/bin/python";
        let settings = load(&[("python_interpreters", text)], &[]).unwrap();
        let names: Vec<_> = settings.python_interpreters.0.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["cuda", "debian"]);
        for text in ["/usr/bin/python3", "debian=python3", "De bian=/usr/bin/python3", "=/usr/bin/python3"] {
            let error = load(&[("python_interpreters", text)], &[]).unwrap_err().to_string();
            assert!(error.contains("whole paths"), "{error}");
        }
    }

    #[test]
    fn a_gpu_is_a_number_or_a_word() {
        assert_eq!(load(&[], &[]).unwrap().gpu, Gpu::None);
        assert_eq!(load(&[("gpu", "0, 2")], &[]).unwrap().gpu, Gpu::Numbered(vec![0, 2]));
        assert!(load(&[("gpu", "nvidia0")], &[]).is_err() && load(&[("gpu", "-1")], &[]).is_err());
    }

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let said = [
            ("listen", "127.0.0.1:0"),
            ("runtime_memory", "1 GiB"),
            ("gpu", "0,1"),
            ("python_interpreters", "debian=/usr/bin/python3"),
        ];
        let settings = load(&said, &[]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reenact.toml");
        std::fs::write(&path, settings.to_toml()).unwrap();
        let again = Settings::load(&BTreeMap::new(), |_| None, Some(&path)).unwrap();
        assert_eq!(again.to_toml(), settings.to_toml());
    }

    #[test]
    fn an_unknown_key_in_the_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reenact.toml");
        std::fs::write(&path, "lissten = \"x\"").unwrap();
        let error = Settings::load(&BTreeMap::new(), |_| None, Some(&path)).unwrap_err();
        assert!(error.to_string().contains("`lissten`"));
    }
}
