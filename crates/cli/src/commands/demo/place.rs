//! Where the demo keeps its things, and the user it acts as.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use client::secret::Secret;
use server::admin::{self, IsAdmin};
use server::error::Error as ServerError;
use server::settings::Settings;
use tempfile::TempDir;

use crate::error::Error;

/// The account that owns the demo's models.
pub(super) const OWNER: &str = "demo";
/// File in the data folder with the owner's token, so that the next demo there can go on with it.
const TOKEN: &str = "demo-token";

/// A data folder.
pub(super) struct Place {
    folder: PathBuf,
    pub(super) settings: Settings,
    /// Removed when the demo ends.
    _temporary: Option<TempDir>,
}

impl Place {
    /// The folder that was named, or a temporary one.
    pub(super) fn new(named: Option<&Path>) -> anyhow::Result<Self> {
        let temporary = match named {
            Some(_) => None,
            None => Some(temporary()?),
        };
        let folder = match (named, &temporary) {
            (Some(named), _) => named.to_owned(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => PathBuf::new(),
        };
        // A free port and the embedded defaults: the environment may be set up for another server.
        let flags = [("data", folder.to_string_lossy().into_owned()), ("listen", "127.0.0.1:0".to_owned())];
        let flags: BTreeMap<String, String> =
            flags.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let settings = Settings::load(&flags, |_| None, None)?;
        Ok(Self { folder, settings, _temporary: temporary })
    }

    /// A token of the demo's owner, who is made where there is none.
    pub(super) async fn token(&self) -> anyhow::Result<Secret> {
        let path = self.folder.join(TOKEN);
        match admin::add_user(&self.settings, OWNER, IsAdmin::No).await {
            Ok(token) => {
                let token = Secret::new(token.expose());
                keep(&path, &token).map_err(|source| Error::File { operation: "write", path, source })?;
                Ok(token)
            }
            Err(ServerError::AlreadyExists { .. }) => match fs::read_to_string(&path) {
                Ok(text) => Ok(Secret::new(&text)),
                Err(_) => Err(Error::DemoToken { path: self.folder.clone() }.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// An address, without scheme and host, that signs in as the owner once.
    pub(super) async fn sign_in_link(&self) -> anyhow::Result<String> {
        Ok(admin::sign_in_link(&self.settings, OWNER).await?)
    }
}

fn temporary() -> Result<TempDir, Error> {
    let made = tempfile::Builder::new().prefix("reenact-demo-").tempdir();
    made.map_err(|source| Error::File { operation: "make", path: std::env::temp_dir(), source })
}

/// Readable by the owner alone, as temporary files are made.
fn keep(path: &Path, token: &Secret) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(token.reveal().as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
