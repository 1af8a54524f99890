//! Who answers for an endpoint: its targets, how requests are dealt out among them, and how that is changed.
//!
//! Knows rows and slots, no process. Invariants: shares are whole percents that add up to a hundred; of a hundred
//! requests in a row each target gets exactly its share; only what has answered before takes over.

use std::sync::Arc;

use spec::api::{EndpointState, NewTargets};
use spec::digest::Oid;
use spec::limits;
use spec::name::{RepositoryKind, RepositoryName};
use store::db::endpoints::targets::{self, Share};
use store::db::endpoints::{self, Endpoint};
use store::db::ids::RevisionId;

use super::start::{self, Pinned};
use super::{Described, FullName, get};
use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::{Key, Slot};
use crate::ops::access::{Action, Actor};
use crate::ops::repositories;
use crate::ops::revisions::{self, At};
use crate::ops::webhooks::{self, News};

/// All of the requests.
pub const WHOLE: i64 = 100;

/// The targets of an endpoint as requests meet them.
#[derive(Debug)]
pub struct Traffic {
    pub targets: Vec<KnownTarget>,
    /// For each of a hundred requests the target that answers it.
    turns: Box<[u8]>,
}

/// A target of an endpoint.
#[derive(Debug)]
pub struct KnownTarget {
    pub oid: Oid,
    pub percent: i64,
    pub slot: Arc<Slot>,
}

/// What a request says about who is to answer it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// The first digits of a target's revision.
    pub revision: Option<&'a str>,
    /// Requests with the same key are answered by the same target.
    pub key: Option<&'a [u8]>,
}

impl Traffic {
    fn new(targets: Vec<KnownTarget>) -> Self {
        let shares: Vec<i64> = targets.iter().map(|target| target.percent).collect();
        Self { turns: deal(&shares), targets }
    }

    /// Which target answers a request.
    pub fn draw(&self, choice: Choice<'_>) -> Result<&KnownTarget, Error> {
        if let Some(revision) = choice.revision {
            let is_meant = |target: &&KnownTarget| is_named(revision, &target.oid.to_string());
            return self.targets.iter().find(is_meant).ok_or_else(|| unknown(revision));
        }
        let index = match (self.targets.as_slice(), choice.key) {
            ([_], _) => 0,
            (several, Some(key)) => by_key(several.iter().map(|target| target.percent), key),
            (several, None) => {
                let turn = several.first().map_or(0, |target| target.slot.service.next_turn());
                let place = usize::try_from(turn % self.turns.len().max(1) as u64).unwrap_or_default();
                usize::from(self.turns.get(place).copied().unwrap_or_default())
            }
        };
        self.targets.get(index).ok_or_else(|| unknown("main"))
    }
}

/// Whether these are the first digits of a revision. Fewer than five may mean more than one.
pub fn is_named(digits: &str, revision: &str) -> bool {
    digits.len() >= 5 && revision.starts_with(&digits.to_ascii_lowercase())
}

/// No target has a revision that begins so.
pub fn unknown(digits: &str) -> Error {
    Error::NotFound { what: "target of this endpoint", name: digits.to_owned() }
}

/// Spreads each target's turns as evenly over a hundred as they go.
fn deal(shares: &[i64]) -> Box<[u8]> {
    let mut credit = vec![0_i64; shares.len()];
    let whole: i64 = shares.iter().sum();
    let turn = |_| {
        credit.iter_mut().zip(shares).for_each(|(credit, share)| *credit += share);
        // Of two with the same credit the first.
        let most = (0..credit.len()).rev().max_by_key(|i| credit[*i]).unwrap_or_default();
        if let Some(credit) = credit.get_mut(most) {
            *credit -= whole;
        }
        u8::try_from(most).unwrap_or_default()
    };
    (0..WHOLE).map(turn).collect()
}

/// The target whose share of a hundred the key falls into. A share that grows keeps the keys it had.
fn by_key(shares: impl Iterator<Item = i64>, key: &[u8]) -> usize {
    // FNV-1a, then mixed: which target a key means must be the same tomorrow and on every server.
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let place = i64::try_from((mixed >> 33) % 100).unwrap_or_default();
    let mut below = 0;
    let mut last = 0;
    for (index, share) in shares.enumerate() {
        below += share;
        last = index;
        if place < below {
            break;
        }
    }
    last
}

/// The targets of an endpoint with their slots.
pub async fn traffic(app: &App, row: &Endpoint) -> Result<Traffic, Error> {
    let stored = targets::list(&app.store.db, row.id).await.during("list targets")?;
    Ok(traffic_of(app, row, &stored))
}

/// The same of rows that are known.
pub fn traffic_of(app: &App, row: &Endpoint, stored: &[targets::Target]) -> Traffic {
    let make = |(oid, revision, percent): (Oid, RevisionId, i64)| {
        let slot = app.gateway.slot(Key { repository: row.repository_id, revision });
        slot.recall();
        KnownTarget { oid, percent, slot }
    };
    let known: Vec<_> = match stored {
        // What was deployed first answers as soon as it can.
        [] => vec![make((row.oid, row.revision_id, WHOLE))],
        stored => stored.iter().map(|t| make((t.oid, t.revision_id, t.percent))).collect(),
    };
    Traffic::new(known)
}

/// What was deployed last has started: it takes its share.
pub(super) async fn take_over(app: &App, row: &Endpoint) -> Result<(), Error> {
    let stored = targets::list(&app.store.db, row.id).await.during("list targets")?;
    let before: Vec<Share> = stored.iter().map(|target| (target.revision_id, target.percent)).collect();
    let after = with(&before, (row.revision_id, row.revision_percent));
    if after != before {
        put(app, row, &after).await?;
    }
    Ok(())
}

/// Deals the requests out anew, among revisions that answered before.
pub async fn set(
    app: &Arc<App>,
    actor: &Actor,
    name: &RepositoryName,
    wanted: &NewTargets,
) -> Result<Described, Error> {
    let row = of_writer(app, actor, name).await?;
    let mut shares: Vec<Share> = Vec::new();
    if wanted.targets.len() > limits::TARGETS {
        return Err(Error::BadRequest(format!("an endpoint has at most {} targets", limits::TARGETS)));
    }
    for target in &wanted.targets {
        let at = At { kind: RepositoryKind::Model, name, revision: &target.revision };
        let (_, revision) = revisions::resolve(app, actor, &at, Action::Write).await?;
        let is_ready = revision.id == row.revision_id && row.state == EndpointState::Ready.as_str();
        let was_one =
            targets::was_one(&app.store.db, row.id, revision.id).await.during("look for a target")?;
        if !was_one && !is_ready {
            return Err(Error::NotFound { what: "deployed revision", name: target.revision.clone() });
        }
        if shares.iter().any(|(id, _)| *id == revision.id) {
            return Err(Error::BadRequest(format!("`{}` is named twice", target.revision)));
        }
        if target.percent == 0 {
            return Err(Error::BadRequest(format!("`{}` takes no requests: leave it out", target.revision)));
        }
        shares.push((revision.id, i64::from(target.percent)));
    }
    let sum: i64 = shares.iter().map(|(_, percent)| percent).sum();
    if sum != WHOLE {
        return Err(Error::BadRequest(format!("the shares add up to {sum}, not to 100")));
    }
    shares.sort_unstable();
    put(app, &row, &shares).await?;
    settle(app, &row, &shares).await?;
    get(app, actor, name).await
}

/// What was deployed last takes all requests.
pub async fn promote(app: &Arc<App>, actor: &Actor, name: &RepositoryName) -> Result<Described, Error> {
    let row = of_writer(app, actor, name).await?;
    let stored = targets::list(&app.store.db, row.id).await.during("list targets")?;
    if !stored.iter().any(|target| target.revision_id == row.revision_id && target.percent < WHOLE) {
        let reason = "no canary answers: `reenact deploy OWNER/NAME@REV --canary 10` makes one".to_owned();
        return Err(Error::BadRequest(reason));
    }
    let shares = [(row.revision_id, WHOLE)];
    put(app, &row, &shares).await?;
    settle(app, &row, &shares).await?;
    get(app, actor, name).await
}

/// Whether the endpoint has answered in another way that can be gone back to.
pub async fn can_roll_back(app: &App, row: &Endpoint) -> Result<bool, Error> {
    targets::can_roll_back(&app.store.db, row.id).await.during("look for former targets")
}

/// The targets as they stood before the last change.
pub async fn roll_back(app: &Arc<App>, actor: &Actor, name: &RepositoryName) -> Result<Described, Error> {
    let row = of_writer(app, actor, name).await?;
    let before = targets::list(&app.store.db, row.id).await.during("list targets")?;
    let shares = targets::roll_back(&app.store.db, row.id).await.during("take a change of targets back")?;
    let shares = shares.ok_or_else(|| {
        Error::BadRequest(format!("`{name}` has answered in no other way that could be gone back to"))
    })?;
    moved(app, &row, &before, &shares);
    settle(app, &row, &shares).await?;
    get(app, actor, name).await
}

/// Nothing answers any longer; the targets there were can be gone back to.
pub(super) async fn clear(app: &App, row: &Endpoint) -> Result<(), Error> {
    put(app, row, &[]).await
}

async fn put(app: &App, row: &Endpoint, shares: &[Share]) -> Result<(), Error> {
    let before = targets::list(&app.store.db, row.id).await.during("list targets")?;
    targets::set(&app.store.db, row.id, shares).await.during("change targets")?;
    moved(app, row, &before, shares);
    Ok(())
}

/// The endpoint stands as what was deployed last does where that is a target, and else as its largest target.
async fn settle(app: &Arc<App>, row: &Endpoint, shares: &[Share]) -> Result<(), Error> {
    let own = shares.iter().find(|(revision, _)| *revision == row.revision_id);
    let is_down = row.is_stopped || row.state == EndpointState::Failed.as_str();
    let largest = shares.iter().max_by_key(|(_, percent)| *percent);
    if let Some((revision, percent)) = own.or(largest).filter(|_| own.is_none() || is_down) {
        let new = endpoints::NewEndpoint {
            repository_id: row.repository_id,
            revision_id: *revision,
            percent: *percent,
            state: EndpointState::Idle.as_str(),
            now_ms: store::clock::now_ms(),
        };
        let resumed = endpoints::resume(&app.store.db, row.revision_id, &new).await;
        if resumed.during("store an endpoint")? {
            webhooks::tell(app, row.repository_id, &News::Endpoint(new.state)).await;
        }
    }
    app.known_endpoints.forget(&row.full_name());
    for (revision, _) in shares {
        let pinned = Pinned { repository: row.repository_id, revision: *revision, name: row.full_name() };
        let app_of_task = Arc::clone(app);
        // So that the first request finds it awake. What fails here fails for that request, which is told why.
        app.background.spawn(async move { start::wake(&app_of_task, &pinned).await.map(|_| ()) });
    }
    Ok(())
}

/// Requests go elsewhere from here on.
fn moved(app: &App, row: &Endpoint, before: &[targets::Target], after: &[Share]) {
    app.known_endpoints.forget(&row.full_name());
    for target in before.iter().filter(|old| !after.iter().any(|(new, _)| *new == old.revision_id)) {
        app.gateway.slot(Key { repository: row.repository_id, revision: target.revision_id }).retire();
    }
}

/// The shares with one more target, or with another share for it: the others keep their proportions.
fn with(before: &[Share], (revision, percent): Share) -> Vec<Share> {
    let others: Vec<Share> = before.iter().copied().filter(|(id, _)| *id != revision).collect();
    let whole: i64 = others.iter().map(|(_, share)| share).sum();
    if others.is_empty() || percent >= WHOLE || whole == 0 {
        return vec![(revision, WHOLE)];
    }
    let left = WHOLE - percent;
    let mut after: Vec<Share> = others.iter().map(|(id, share)| (*id, share * left / whole)).collect();
    // What rounding down left over goes to those that lost most by it, the largest first.
    let mut order: Vec<usize> = (0..after.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse((others[*i].1 * left % whole, others[*i].1)));
    let missing =
        usize::try_from(left - after.iter().map(|(_, share)| share).sum::<i64>()).unwrap_or_default();
    order.iter().take(missing).for_each(|i| after[*i].1 += 1);
    after.push((revision, percent));
    after.retain(|(_, share)| *share > 0);
    after.sort_unstable();
    after
}

async fn of_writer(app: &App, actor: &Actor, name: &RepositoryName) -> Result<Endpoint, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Write).await?;
    let row = endpoints::by_repository(&app.store.db, repository.id).await.during("look up an endpoint")?;
    row.ok_or_else(|| Error::EndpointNotFound(name.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_requests_each_target_gets_its_share_evenly() {
        let turns = deal(&[90, 10]);
        assert_eq!(turns.iter().filter(|turn| **turn == 1).count(), 10);
        let places: Vec<_> = (0..100).filter(|i| turns[*i] == 1).collect();
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] == 10), "{places:?}");
        let thirds = deal(&[33, 33, 34]);
        let count = |target| thirds.iter().filter(|turn| **turn == target).count();
        assert_eq!((count(0), count(1), count(2)), (33, 33, 34));
    }

    #[test]
    fn a_key_keeps_its_target_while_that_one_s_share_grows() {
        let target = |canary: i64, key: usize| by_key([100 - canary, canary].into_iter(), &key.to_le_bytes());
        let canaries: Vec<_> = (0..10_000).filter(|key| target(10, *key) == 1).collect();
        assert!((850..1150).contains(&canaries.len()), "{}", canaries.len());
        assert!(canaries.iter().all(|key| target(20, *key) == 1));
    }

    #[test]
    fn a_new_target_takes_its_share_from_all_others() {
        let id = RevisionId;
        assert_eq!(with(&[], (id(1), 10)), [(id(1), 100)]);
        assert_eq!(with(&[(id(1), 100)], (id(2), 10)), [(id(1), 90), (id(2), 10)]);
        assert_eq!(with(&[(id(1), 90), (id(2), 10)], (id(2), 50)), [(id(1), 50), (id(2), 50)]);
        let three = with(&[(id(1), 67), (id(2), 33)], (id(3), 1));
        assert_eq!(three.iter().map(|(_, share)| share).sum::<i64>(), 100);
        assert_eq!(with(&[(id(1), 99), (id(2), 1)], (id(3), 99)), [(id(1), 1), (id(3), 99)]);
        assert_eq!(with(&[(id(1), 50), (id(2), 50)], (id(3), 100)), [(id(3), 100)]);
    }
}
