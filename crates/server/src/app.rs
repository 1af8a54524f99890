//! What every request can reach: settings, store, gateway, and what is remembered between requests.
//!
//! Knows no protocol. Invariant: what is remembered here is only ever a copy that may be thrown away.

use std::sync::Arc;
use std::time::Duration;

use store::Store;
use tokio::sync::{Notify, OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::oidc::Provider;
use crate::ops::access::{Actor, Rights};
use crate::ops::apps::Admitted;
use crate::ops::endpoints::predict::KnownEndpoints;
use crate::ops::links::Guests;
use crate::ops::links::watch::Watches;
use crate::ops::repositories::Downloads;
use crate::ops::revisions::changes::Comparisons;
use crate::outbound::Outbound;
use crate::rates::Rates;
use crate::secrets::Secret;
use crate::settings::Settings;

/// Passwords that are hashed at a time; each takes 19 MiB of memory and a core.
const SLOW_HASHES: usize = 2;

/// Xorbs that are taken at a time; each takes some 3 MiB of memory.
const XORBS: usize = 32;
/// Shards whose files are verified at a time; each takes some megabytes, and a core.
const SHARDS: usize = 4;

/// The server, as its rooms see it.
#[derive(Debug)]
pub struct App {
    pub settings: Settings,
    pub store: Store,
    pub gateway: Gateway,
    /// Who stands behind a token or session that was seen a moment ago.
    pub actors: Actors,
    /// What was granted to whom, as it was a moment ago.
    pub rights: Rights,
    /// Links that were used a moment ago.
    pub guests: Guests,
    /// What came through links and is not counted in the database yet.
    pub watches: Watches,
    /// Who may ask which endpoint, as it was a moment ago.
    pub known_endpoints: KnownEndpoints,
    /// Weights that were compared a moment ago.
    pub comparisons: Comparisons,
    /// Downloads that are not written down yet.
    pub downloads: Downloads,
    /// Wakes a worker when a short job was added.
    pub job_added: Notify,
    /// Wakes the worker of long jobs. One bell for both would now and then wake the one that has nothing to do,
    /// and let the job wait until the other looks around by itself.
    pub long_job_added: Notify,
    /// A turn for each password that is being hashed.
    pub slow_hashes: Semaphore,
    /// What the addresses of uploads are signed with, once it was needed.
    pub upload_key: OnceCell<Secret>,
    /// What passes for transfers are signed with, once it was needed.
    pub transfer_key: OnceCell<Secret>,
    /// A turn for each xorb that arrives, and for each shard.
    pub xorb_turns: Semaphore,
    pub shard_turns: Semaphore,
    /// What statements are signed with, once it was needed.
    pub statement_key: OnceCell<spec::dsse::Key>,
    /// What the keys of webhooks are made from, once it was needed.
    pub webhook_key: OnceCell<Secret>,
    /// What the addresses of web apps are signed with, once it was needed.
    pub app_key: OnceCell<Secret>,
    /// Addresses of web apps that were used a moment ago.
    pub admitted: Admitted,
    /// How fast things may be tried and made.
    pub rates: Rates,
    /// The way to others over HTTP.
    pub outbound: Outbound,
    /// The provider of sign-ins, as it was a while ago.
    pub oidc: Provider,
    /// Wakes a worker when something is to be sent to a webhook.
    pub delivery_added: Notify,
    /// When this process began, in milliseconds since 1970.
    pub started_ms: i64,
    /// Cancelled as the server stops, for what would otherwise go on without end.
    pub closing: CancellationToken,
    /// The background threads, for what must not hold up a request.
    pub background: tokio::runtime::Handle,
}

impl App {
    pub fn new(settings: Settings, store: Store, gateway: Gateway) -> Arc<Self> {
        Arc::new(Self {
            rates: Rates::new(&settings),
            settings,
            store,
            gateway,
            actors: Actors::default(),
            rights: Rights::default(),
            guests: Guests::default(),
            watches: Watches::default(),
            comparisons: Comparisons::default(),
            downloads: Downloads::default(),
            known_endpoints: KnownEndpoints::default(),
            job_added: Notify::new(),
            long_job_added: Notify::new(),
            slow_hashes: Semaphore::new(SLOW_HASHES),
            upload_key: OnceCell::new(),
            transfer_key: OnceCell::new(),
            xorb_turns: Semaphore::new(XORBS),
            shard_turns: Semaphore::new(SHARDS),
            statement_key: OnceCell::new(),
            webhook_key: OnceCell::new(),
            app_key: OnceCell::new(),
            admitted: Admitted::default(),
            outbound: Outbound::default(),
            oidc: Provider::default(),
            delivery_added: Notify::new(),
            started_ms: store::clock::now_ms(),
            closing: CancellationToken::new(),
            background: tokio::runtime::Handle::current(),
        })
    }
}

/// Accounts by the hash of the secret they came with, for a few seconds: so long a token that was revoked by
/// another process may still work.
#[derive(Debug)]
pub struct Actors(moka::sync::Cache<String, Actor>);

impl Default for Actors {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(5)).build())
    }
}

impl Actors {
    pub fn get(&self, hash: &str) -> Option<Actor> {
        self.0.get(hash)
    }

    pub fn keep(&self, hash: String, actor: &Actor) {
        self.0.insert(hash, actor.clone());
    }

    /// Forgets everybody, since somebody's rights have changed.
    pub fn forget_all(&self) {
        self.0.invalidate_all();
    }
}
