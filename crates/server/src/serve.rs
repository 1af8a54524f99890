//! The server from its start to its end: opens the store, listens, answers on its reactors, stops in order.
//!
//! Knows no route and no rule. Invariants: it says that it is ready only once it answers; when told to stop it
//! takes nothing new, finishes what runs within the time set, and ends every runtime.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use store::{Database, Durability, S3, Storage, Store};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::Gateway;
use crate::ops::{accounts, sessions};
use crate::provider::Launcher;
use crate::settings::Settings;
use crate::{jobs, reactor, router};

/// What the server says when it answers.
#[derive(Debug, Clone)]
pub struct Ready {
    pub address: SocketAddr,
    /// Address for people, without a slash at the end.
    pub url: String,
    /// On the first start: the address that signs the first admin in, once.
    pub sign_in_url: Option<String>,
}

/// Runs a server until told to stop. Blocks; makes its own threads.
pub fn serve(
    mut settings: Settings,
    launcher: Launcher,
    stop: &CancellationToken,
    on_ready: impl FnOnce(&Ready),
) -> Result<(), Error> {
    let listener = listen(settings.listen)?;
    // Port 0 has become a real one, and addresses in answers need it.
    settings.listen = listener.local_addr().during("find the port listened on")?;
    let background = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("background")
        .enable_all()
        .build()
        .during("start the background threads")?;
    let app = background.block_on(open(settings, launcher))?;
    let ready = background.block_on(greet(&app))?;
    let workers = background.block_on(async { jobs::work(&app, stop) })?;
    let reactors = reactor::start(&app, &listener, &router::router(Arc::clone(&app)), stop)?;
    drop(listener);
    let notice = notice(&app.settings);
    std::fs::write(&notice, &ready.url).during("write where the server listens")?;
    on_ready(&ready);
    for reactor in reactors {
        // A reactor's panic is in the log already; the others still end in order.
        let _ = reactor.join();
    }
    stop.cancel();
    background.block_on(async {
        for worker in workers {
            let _ = tokio::time::timeout(app.settings.shutdown_timeout.0, worker).await;
        }
        app.gateway.close();
        app.store.db.close().await;
    });
    background.shutdown_timeout(std::time::Duration::from_secs(1));
    // The next server overwrites one that is left.
    let _ = std::fs::remove_file(notice);
    Ok(())
}

/// Where a server is that uses this data folder: as the settings say, or as the one that runs has noted down, whose
/// port may have been chosen when it started.
pub fn address(settings: &Settings) -> String {
    let set = settings.public_url.trim_end_matches('/');
    if !set.is_empty() {
        return set.to_owned();
    }
    let noted = std::fs::read_to_string(notice(settings)).ok().filter(|url| url.parse::<url::Url>().is_ok());
    noted.unwrap_or_else(|| format!("http://{}", settings.listen))
}

fn notice(settings: &Settings) -> PathBuf {
    settings.data.join("address")
}

/// Opens the store that the settings name.
pub async fn open_store(settings: &Settings) -> Result<Store, Error> {
    Store::open(&store_settings(settings)?).await.during("open the data folder")
}

/// Where that store is.
pub fn store_settings(settings: &Settings) -> Result<store::Settings, Error> {
    let database: Database = match settings.database.as_str() {
        "" => Database::Sqlite,
        url => url.parse::<Database>().during("read the setting `database`")?,
    };
    let storage: Storage = match settings.storage.as_str() {
        "" => Storage::Disk,
        url => url.parse::<Storage>().during("read the setting `storage`")?,
    };
    let storage = match storage {
        Storage::S3(s3) => Storage::S3(S3 { direct: direct(&settings.direct_downloads)?, ..s3 }),
        Storage::Disk if settings.direct_downloads.is_empty() => Storage::Disk,
        Storage::Disk => {
            return Err(bad_direct(&settings.direct_downloads, "of use without an S3 store in `storage`"));
        }
    };
    let durability = if settings.durability == "normal" { Durability::Normal } else { Durability::Full };
    let embedded = store::Settings::embedded(settings.data.clone());
    Ok(store::Settings { database, storage, durability, ..embedded })
}

/// Where clients reach the store, if they do.
fn direct(address: &str) -> Result<Option<String>, Error> {
    if address.is_empty() {
        return Ok(None);
    }
    let url = url::Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| bad_direct(address, "an address such as `https://s3.example.org`"))?;
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

fn bad_direct(value: &str, wanted: &'static str) -> Error {
    Error::Setting { name: "direct_downloads", value: value.to_owned(), wanted }
}

async fn open(settings: Settings, launcher: Launcher) -> Result<Arc<App>, Error> {
    let store = open_store(&settings).await?;
    let gateway = Gateway::new(launcher, &settings);
    Ok(App::new(settings, store, gateway))
}

async fn greet(app: &Arc<App>) -> Result<Ready, Error> {
    let address = app.settings.listen;
    let url = match app.settings.public_url.trim_end_matches('/') {
        "" => format!("http://{address}"),
        url => url.to_owned(),
    };
    let sign_in_url = match accounts::ensure_admin(app).await? {
        Some(admin) => {
            let secret = sessions::create_link(app, &admin).await?;
            Some(format!("{url}/sign-in?link={}", secret.expose()))
        }
        None => None,
    };
    Ok(Ready { address, url, sign_in_url })
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let socket = || {
        let socket =
            socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
        // A server that was restarted must not wait for connections of the last one to be forgotten.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        socket.set_nonblocking(true)?;
        Ok(TcpListener::from(socket))
    };
    socket().map_err(|source| Error::Listen { address, source })
}
