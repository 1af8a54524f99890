//! Whoever holds a link: letting them in, and counting what they ask.
//!
//! Knows no names of theirs, and keeps none. Invariants: a link that has ended lets nobody in; the rows that are
//! answered are never more than it allows, however many ask at the same moment; rows that could not be answered are
//! given back.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use spec::digest::Sha256;
use store::clock;
use store::db::ids::LinkId;
use store::db::links::{self, Link};
use tokio::task::JoinHandle;

use crate::anonymity::Identity;
use crate::app::App;
use crate::error::{During, Error};
use crate::predict::blunt::Blunt;
use crate::secrets::Secret;

use super::identity;
use super::traces::Given;

/// Somebody who holds a link that works.
#[derive(Debug)]
pub struct Guest {
    pub link: Link,
    /// What is hidden from them; none if they may know whose the model is.
    pub identity: Option<Identity>,
}

/// Links that were used a moment ago.
#[derive(Debug)]
pub struct Guests {
    /// By their hash. A change by another process may stay unseen so long.
    known: moka::sync::Cache<String, Arc<Guest>>,
    /// How many rows each may still ask, where it may not ask any number of them: kept for longer than a link is known,
    /// so that none gets its minute's worth anew by being forgotten.
    limiters: moka::sync::Cache<LinkId, Arc<DefaultDirectRateLimiter>>,
    /// How files may be given: a link's words and a file's bytes never change.
    given: moka::sync::Cache<(LinkId, Sha256), Given>,
}

impl Default for Guests {
    fn default() -> Self {
        let minute = Duration::from_mins(1);
        Self {
            known: moka::sync::Cache::builder().max_capacity(20_000).time_to_live(minute).build(),
            // After that long all of the quota is there again, as for a link that was never used.
            limiters: moka::sync::Cache::builder().max_capacity(100_000).time_to_idle(minute).build(),
            given: moka::sync::Cache::new(100_000),
        }
    }
}

impl Guests {
    /// Forgets a link that has changed.
    pub fn forget(&self, id: LinkId) {
        let known = self.known.iter().find(|(_, guest)| guest.link.id == id).map(|(hash, _)| hash);
        if let Some(hash) = known {
            self.known.invalidate(hash.as_str());
        }
    }

    /// Counts rows that a link asks now.
    fn check_rate(&self, link: &Link, rows: NonZeroU32) -> Result<(), Error> {
        let quota = link.calls_per_minute.and_then(|n| NonZeroU32::new(u32::try_from(n).ok()?));
        let Some(per_minute) = quota else { return Ok(()) };
        let make = || Arc::new(RateLimiter::direct(Quota::per_minute(per_minute)));
        match self.limiters.get_with(link.id, make).check_n(rows) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::LinkTooFast { per_minute: per_minute.get().into() }),
            // However long they wait, they are too many.
            Err(_) => Err(Error::BadInput(format!(
                "{rows} rows came at once; this link is asked at most {per_minute} a minute"
            ))),
        }
    }

    /// How a file may be given to whoever holds a link, if it was looked through.
    pub fn given(&self, id: LinkId, sha256: Sha256) -> Option<Given> {
        self.given.get(&(id, sha256))
    }

    /// Remembers how a file may be given.
    pub fn remember(&self, id: LinkId, sha256: Sha256, given: Given) {
        self.given.insert((id, sha256), given);
    }
}

/// Who comes with this secret. [`Error::LinkNotFound`] for one that is no link's, [`Error::LinkEnded`] for one whose
/// link no longer works.
pub async fn admit(app: &App, secret: &Secret) -> Result<Arc<Guest>, Error> {
    let hash = secret.hash();
    let guest = match app.guests.known.get(&hash) {
        Some(guest) => guest,
        None => {
            let found = links::by_hash(&app.store.db, &hash).await.during("look up a link")?;
            let guest = Arc::new(guest(found.ok_or(Error::LinkNotFound)?)?);
            app.guests.known.insert(hash, Arc::clone(&guest));
            guest
        }
    };
    match state(&guest.link, clock::now_ms()) {
        // Whether calls are left is asked when one is made: the page is there after the last of them.
        OPEN | USED_UP => Ok(guest),
        ended => Err(Error::LinkEnded(ended)),
    }
}

/// Rows that were counted. Those that are not answered are given back, also where nobody waits for the answer any longer.
#[derive(Debug)]
#[must_use]
pub struct Taken {
    app: Arc<App>,
    guest: Arc<Guest>,
    rows: u32,
}

/// Counts rows that are about to be asked.
pub async fn take(app: &Arc<App>, guest: &Arc<Guest>, n_rows: usize) -> Result<Taken, Error> {
    let rows = NonZeroU32::new(u32::try_from(n_rows).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
    app.guests.check_rate(&guest.link, rows)?;
    let rows = rows.get();
    let (app_of_task, guest) = (Arc::clone(app), Arc::clone(guest));
    // In a task of its own: what the database has counted comes back as rows that are given back, whoever left.
    let taking = app.background.spawn(async move {
        count(&app_of_task, &guest, rows).await?;
        Ok(Taken { app: app_of_task, guest, rows })
    });
    taking.await.map_err(|_| Error::Internal("count a call"))?
}

async fn count(app: &App, guest: &Guest, rows: u32) -> Result<(), Error> {
    let taken = links::take_calls(&app.store.db, guest.link.id, i64::from(rows), clock::now_ms()).await;
    if taken.during("count a call")? {
        return Ok(());
    }
    let now = links::by_id(&app.store.db, guest.link.id).await.during("look up a link")?;
    app.guests.forget(guest.link.id);
    let now = now.ok_or(Error::LinkNotFound)?;
    match state(&now, clock::now_ms()) {
        OPEN | USED_UP => Err(Error::LinkUsedUp { n_left: now.max_calls.unwrap_or_default() - now.n_calls }),
        ended => Err(Error::LinkEnded(ended)),
    }
}

impl Taken {
    /// They were answered.
    pub fn keep(mut self) {
        self.rows = 0;
    }

    /// They were not. When this returns they can be asked again.
    pub async fn give_back(mut self) {
        if let Some(giving) = self.start_giving() {
            // A failure is in the log.
            drop(giving.await);
        }
    }

    fn start_giving(&mut self) -> Option<JoinHandle<()>> {
        let (rows, link) = (std::mem::take(&mut self.rows), self.guest.link.id);
        let app = Arc::clone(&self.app);
        (rows > 0).then(|| {
            self.app.background.spawn(async move {
                if let Err(error) = links::give_back_calls(&app.store.db, link, i64::from(rows)).await {
                    tracing::error!(link = link.0, %error, "calls were not given back");
                }
            })
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        drop(self.start_giving());
    }
}

/// How long before its end whoever made a link is told: two weeks.
pub const SOON_MS: i64 = 14 * DAY_MS;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Whole days until a link that works ends, where that is soon.
pub fn ends_in_days(link: &Link, now_ms: i64) -> Option<i64> {
    let left_ms = link.expires_ms?.saturating_sub(now_ms);
    let is_soon = matches!(state(link, now_ms), OPEN | USED_UP) && left_ms <= SOON_MS;
    is_soon.then_some(left_ms / DAY_MS)
}

/// A link that lets people in.
pub const OPEN: &str = "open";
const USED_UP: &str = "used up";

/// How a link stands, in one word or two.
pub fn state(link: &Link, now_ms: i64) -> &'static str {
    if link.is_revoked {
        return "revoked";
    }
    if link.expires_ms.is_some_and(|end| end <= now_ms) {
        return "expired";
    }
    match link.max_calls {
        Some(most) if link.n_calls >= most => USED_UP,
        _ => OPEN,
    }
}

impl Guest {
    /// How much answers tell them.
    pub fn blunt(&self) -> Blunt {
        Blunt {
            n_decimals: self.link.n_decimals.and_then(|n| u32::try_from(n).ok()),
            top_k: self.link.top_k.and_then(|k| usize::try_from(k).ok()),
        }
    }

    /// A text as they may read it.
    pub fn shown(&self, text: &str) -> String {
        self.identity.as_ref().map_or_else(|| text.to_owned(), |identity| identity.hide(text).into_owned())
    }
}

fn guest(link: Link) -> Result<Guest, Error> {
    let hidden: Vec<String> =
        serde_json::from_str(&link.hidden).map_err(|_| Error::Internal("read a link's hidden words"))?;
    let identity = link.is_anonymous.then(|| identity::of(hidden)).transpose()?;
    Ok(Guest { link, identity })
}

#[cfg(test)]
mod tests {
    use spec::digest::Oid;
    use spec::name::RepositoryKind;
    use spec::rights::Action;
    use store::db::ids::{AccountId, RepositoryId, RevisionId};

    use super::*;

    fn link(expires_ms: Option<i64>) -> Link {
        Link {
            id: LinkId(1),
            hash: String::new(),
            repository_id: RepositoryId(1),
            owner_id: AccountId(1),
            owner_name: "alice".to_owned(),
            repository_kind: RepositoryKind::Model,
            repository_name: "iris".to_owned(),
            revision_id: RevisionId(1),
            oid: Oid::from_bytes([0; 20]),
            action: Action::Predict,
            is_anonymous: false,
            hidden: "[]".to_owned(),
            expires_ms,
            max_calls: Some(5),
            n_calls: 0,
            calls_per_minute: None,
            n_decimals: None,
            top_k: None,
            is_revoked: false,
            created_by: "alice".to_owned(),
            created_ms: 0,
            last_used_ms: None,
        }
    }

    #[test]
    fn whether_a_link_works_is_told_by_the_clock_as_it_is_now() {
        let ending = link(Some(1000));
        // A clock that is set forward ends it, one that is set back opens it again: nothing is remembered of it.
        for (now_ms, expected) in
            [(999, OPEN), (1000, "expired"), (i64::MAX, "expired"), (5, OPEN), (i64::MIN, OPEN)]
        {
            assert_eq!(state(&ending, now_ms), expected, "{now_ms}");
        }
        assert_eq!(state(&link(None), i64::MAX), OPEN);
        let revoked = Link { is_revoked: true, ..link(Some(1000)) };
        assert_eq!((state(&revoked, 5), state(&revoked, 5000)), ("revoked", "revoked"));
        assert_eq!(state(&Link { n_calls: 5, ..link(None) }, 5), USED_UP);
    }

    #[test]
    fn a_link_that_was_forgotten_gets_no_more_for_it() {
        let (guests, link) = (Guests::default(), Link { calls_per_minute: Some(3), ..link(None) });
        let ask = |rows| guests.check_rate(&link, NonZeroU32::new(rows).unwrap());
        ask(3).unwrap();
        guests.known.invalidate_all();
        guests.forget(link.id);
        assert!(matches!(ask(1), Err(Error::LinkTooFast { per_minute: 3 })));
        // What no waiting would help is no matter of time.
        let Err(Error::BadInput(reason)) = ask(4) else { panic!("four rows of three were let pass") };
        assert!(reason.contains("at most 3"), "{reason}");
        let unlimited = Link { calls_per_minute: None, ..link.clone() };
        guests.check_rate(&unlimited, NonZeroU32::MAX).unwrap();
    }

    #[test]
    fn an_end_is_told_from_two_weeks_before() {
        let ends_in = |days: i64, now_ms| ends_in_days(&link(Some(days * DAY_MS)), now_ms);
        assert_eq!((ends_in(14, 0), ends_in(14, 1), ends_in(14, -1)), (Some(14), Some(13), None));
        assert_eq!((ends_in(1, DAY_MS - 1), ends_in(1, DAY_MS)), (Some(0), None));
        assert_eq!((ends_in_days(&link(None), 0), ends_in(1, i64::MIN)), (None, None));
    }
}
