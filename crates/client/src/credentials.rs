//! Which server to talk to, and as whom: flags, then the environment, then the credentials file.
//!
//! Reads no environment itself; whoever calls hands over what it found. Invariants: a token is used only for
//! the server it was given for, and the file is readable by its owner alone and never half written.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::Error;
use crate::secret::Secret;

/// A server, and the token to use there.
#[derive(Debug, Clone)]
pub struct Server {
    pub url: Url,
    pub token: Option<Secret>,
}

/// An address and a token as found in one place.
#[derive(Debug, Clone, Default)]
pub struct Source {
    pub url: Option<String>,
    pub token: Option<Secret>,
}

/// The places where a server may be named, strongest first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--url` and `--token`.
    pub flags: Source,
    /// `REENACT_URL` and `REENACT_TOKEN`.
    pub own: Source,
    /// `HF_ENDPOINT` and `HF_TOKEN`.
    pub hub: Source,
}

/// Finds the server to talk to, and the token for it. `REENACT_TOKEN` is for `REENACT_URL`, or for any server
/// where that is unset; `HF_TOKEN`, which may be meant for another hub, is for `HF_ENDPOINT` alone.
pub fn resolve(sources: &Sources, credentials: &Credentials) -> Result<Server, Error> {
    let Sources { flags, own, hub } = sources;
    let named = flags.url.as_ref().or(own.url.as_ref()).or(hub.url.as_ref()).or(credentials.default.as_ref());
    let url = parse_url(named.ok_or(Error::NoServer)?)?;
    let is_meant = |named: &Option<String>| {
        named.as_deref().is_some_and(|named| parse_url(named).is_ok_and(|it| it == url))
    };
    let own_token = own.token.as_ref().filter(|_| own.url.is_none() || is_meant(&own.url));
    let hub_token = hub.token.as_ref().filter(|_| is_meant(&hub.url));
    let typed = flags.token.as_ref().or(own_token).or(hub_token).filter(|token| !token.is_empty());
    let token = typed.cloned().or_else(|| credentials.token(&url));
    Ok(Server { url, token })
}

/// Reads a server's address: `http` or `https`, a host, no user, query or fragment.
pub fn parse_url(value: &str) -> Result<Url, Error> {
    let refused = |source| Error::Url { value: value.chars().take(200).collect(), source };
    let url = Url::parse(value.trim().trim_end_matches('/')).map_err(|source| refused(Some(source)))?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let fits = matches!(url.scheme(), "http" | "https") && url.has_host() && plain;
    if fits { Ok(url) } else { Err(refused(None)) }
}

/// The file `credentials.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Credentials {
    /// The server to use where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    servers: BTreeMap<String, Entry>,
}

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    token: String,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entry { token: *** }")
    }
}

impl Credentials {
    /// The token for a server.
    pub fn token(&self, url: &Url) -> Option<Secret> {
        self.servers.get(&key(url)).map(|entry| Secret::new(&entry.token))
    }

    /// Remembers a server's token and makes it the one to use where none is named.
    pub fn remember(&mut self, url: &Url, token: &Secret) {
        self.servers.insert(key(url), Entry { token: token.reveal().to_owned() });
        self.default = Some(key(url));
    }

    /// Reads the file; one that does not exist is empty.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(Error::File { operation: "read", path: path.to_owned(), source }),
        };
        // The cause would quote the line, and with it the token.
        let redact = |mut error: toml::de::Error| {
            error.set_input(None);
            Error::Credentials { path: path.to_owned(), source: error }
        };
        toml::from_str(&text).map_err(redact)
    }

    /// Writes the file whole, readable by its owner alone.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::File { operation: "write", path: path.to_owned(), source };
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        let text = toml::to_string(self).map_err(|error| failed(io::Error::other(error)))?;
        // A temporary file is made with mode 0600, which the rename keeps.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// Where the file is: in `REENACT_HOME`, else in `~/.config/reenact`.
pub fn file_path(reenact_home: Option<&Path>, home: Option<&Path>) -> Result<PathBuf, Error> {
    let folder = match (reenact_home, home) {
        (Some(folder), _) => folder.to_owned(),
        (None, Some(home)) => home.join(".config/reenact"),
        (None, None) => return Err(Error::NoHome),
    };
    Ok(folder.join("credentials.toml"))
}

fn key(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
