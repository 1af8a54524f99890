//! Whether the questions that come through a link look like those of somebody who copies the model.
//!
//! A heuristic, and told as one: whoever copies a model asks for many rows, nearly all of them different. With
//! confidences told, a linear model or a small network is copied with about as many answers as it has parameters,
//! or a few times as many (Tramèr et al., "Stealing Machine Learning Models via Prediction APIs", USENIX Security
//! 2016, sections 4.1 and 4.3). Invariants: of rows only keyed hashes are looked at, in this process's memory, and only
//! counts are written down; a row that is asked again is the same row, on another day and after a restart too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sha2::Digest as _;
use spec::api::LinkUse;
use spec::frame::IndexedTensor;
use spec::limits;
use spec::tensor::Datatype;
use store::clock;
use store::db::ids::{LinkId, RevisionId};
use store::db::link_days::{self, More};
use store::db::links::Link;
use tokio::sync::OnceCell;

use super::guard::Guest;
use crate::app::App;
use crate::error::{During, Error};
use crate::ops::facts;
use crate::secrets::{self, Secret};
use crate::sketch::Sketch;
use crate::text;

const HOUR_MS: i64 = 3600 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Days that are looked back on, and after which counts are forgotten.
pub const DAYS: i64 = 30;
/// Links that are watched at a time; what comes to others is answered and not counted here.
const LINKS: usize = 10_000;
/// Bytes that a digest takes in at a time: what the shortest row costs.
const BLOCK_BYTES: usize = 64;
/// What the key of the hashes is called in the database.
const KEY_NAME: &str = "watches";
/// Fewer different rows than this are nobody's copy of a model.
const FEWEST: i64 = 100;
/// Of a model whose parameters are not counted, so many different rows are many.
const MANY: i64 = 10_000;

/// What was asked through links on the days that are not over, or not written down yet.
#[derive(Debug, Default)]
pub struct Watches {
    /// What rows are hashed with, once it was needed.
    key: OnceCell<Secret>,
    days: Mutex<BTreeMap<(LinkId, i64), Day>>,
}

#[derive(Debug, Default)]
struct Day {
    /// Rows that are not written down yet.
    n_new: i64,
    distinct: Sketch,
    hour: i64,
    n_hour: i64,
    n_busiest_hour: i64,
}

/// What came to a link over several days.
#[derive(Debug, Default)]
struct Total {
    n_days: i64,
    n_rows: i64,
    n_busiest_hour: i64,
    distinct: Sketch,
}

/// Counts the rows of a question that was answered.
pub async fn note(app: &Arc<App>, guest: &Guest, tensors: &[IndexedTensor], n_rows: usize) {
    let key = match key(app).await {
        Ok(key) => key,
        // The answer is given all the same.
        Err(error) => return tracing::warn!("what came through a link was not counted: {error}"),
    };
    let n_bytes: usize = tensors.iter().map(|tensor| tensor.data.len()).sum();
    let hashes = match n_bytes.saturating_add(n_rows.saturating_mul(BLOCK_BYTES)) <= limits::AT_ONCE_BYTES {
        true => hashes(key, tensors, n_rows),
        false => {
            let (key, tensors) = (key.clone(), tensors.to_vec());
            let hashed = tokio::task::spawn_blocking(move || hashes(&key, &tensors, n_rows)).await;
            // Whether it ended well changes no answer.
            hashed.unwrap_or_default()
        }
    };
    app.watches.add(guest.link.id, hashes, clock::now_ms());
}

/// What rows are hashed with: always the same, so that a row of yesterday is known for the same row today.
async fn key(app: &App) -> Result<&Secret, Error> {
    let read = async || {
        let fresh = secrets::seed()?;
        let kept = store::db::secrets::get_or_create(&app.store.db, KEY_NAME, fresh.expose()).await;
        kept.during("read the key of watches").map(Secret::new)
    };
    app.watches.key.get_or_try_init(read).await
}

/// Writes down what was counted since the last time; what cannot be is kept for the next.
pub async fn flush(app: &App) -> Result<(), Error> {
    let now_ms = clock::now_ms();
    let mut stored = Ok(());
    for more in app.watches.take(now_ms) {
        if let Err(error) = link_days::add(&app.store.db, &more).await {
            app.watches.give_back(&more);
            stored = Err(error);
        }
    }
    stored.during("count what links were asked")?;
    let before = now_ms / DAY_MS - DAYS;
    link_days::delete_before(&app.store.db, before).await.during("forget what links were asked")?;
    Ok(())
}

/// What was asked through each of these links.
pub async fn of(app: &App, links: &[Link]) -> Result<Vec<Option<LinkUse>>, Error> {
    flush(app).await?;
    let since = clock::now_ms() / DAY_MS - DAYS;
    let ids: Vec<LinkId> = links.iter().map(|link| link.id).collect();
    let days = link_days::since(&app.store.db, &ids, since).await.during("read what links were asked")?;
    let mut totals: BTreeMap<LinkId, Total> = BTreeMap::new();
    for day in &days {
        totals.entry(day.link_id).or_default().add(day);
    }
    let mut uses = Vec::with_capacity(links.len());
    for link in links {
        uses.push(match totals.get(&link.id) {
            Some(total) => Some(describe(app, total, link.revision_id).await?),
            None => None,
        });
    }
    Ok(uses)
}

async fn describe(app: &App, total: &Total, revision: RevisionId) -> Result<LinkUse, Error> {
    let n_distinct = total.distinct.count().min(total.n_rows);
    let n_parameters = match n_distinct >= FEWEST {
        true => parameters(app, revision).await?,
        false => None,
    };
    Ok(LinkUse {
        days: total.n_days,
        rows: total.n_rows,
        distinct: n_distinct,
        busiest_hour: total.n_busiest_hour,
        warning: warning((total.n_rows, n_distinct), n_parameters),
    })
}

impl Total {
    fn add(&mut self, day: &link_days::Day) {
        self.n_days += 1;
        self.n_rows = self.n_rows.saturating_add(day.n_rows);
        self.n_busiest_hour = self.n_busiest_hour.max(day.n_busiest_hour);
        self.distinct.merge(&day.registers);
    }
}

/// The numbers that the served file holds, where they were counted.
async fn parameters(app: &App, revision: RevisionId) -> Result<Option<i64>, Error> {
    let facts = facts::ensure(app, revision).await?;
    let file = facts.model.as_ref().and_then(|model| facts.file(model));
    Ok(file.and_then(|file| i64::try_from(file.n_parameters?).ok()))
}

/// The rule: nine in ten rows differ, and they are as many as the model has parameters, but at least a hundred.
fn warning((n_rows, n_distinct): (i64, i64), n_parameters: Option<i64>) -> Option<String> {
    let bar = n_parameters.unwrap_or(MANY).max(FEWEST);
    if n_distinct < bar || n_distinct.saturating_mul(10) < n_rows.saturating_mul(9) {
        return None;
    }
    let count = |n: i64| text::count(u64::try_from(n).unwrap_or(0));
    let beside = match n_parameters {
        Some(n) => format!("as many as the model has parameters ({}) or more", count(n)),
        None => "many".to_owned(),
    };
    Some(format!(
        "In {DAYS} days about {} different rows were asked, {beside}. That is how somebody asks who copies a model. \
        It may also be honest use: this is a rule of thumb.",
        count(n_distinct)
    ))
}

impl Watches {
    fn add(&self, id: LinkId, hashes: Vec<u64>, now_ms: i64) {
        let (at, hour) = ((id, now_ms / DAY_MS), now_ms / HOUR_MS);
        let Ok(mut days) = self.days.lock() else { return };
        if days.len() >= LINKS && !days.contains_key(&at) {
            return;
        }
        let day = days.entry(at).or_default();
        // A clock that was set back changes nothing.
        if hour > day.hour {
            (day.hour, day.n_hour) = (hour, 0);
        }
        let n_rows = i64::try_from(hashes.len()).unwrap_or(i64::MAX);
        day.n_new = day.n_new.saturating_add(n_rows);
        day.n_hour = day.n_hour.saturating_add(n_rows);
        day.n_busiest_hour = day.n_busiest_hour.max(day.n_hour);
        hashes.into_iter().for_each(|hash| day.distinct.add(hash));
    }

    /// What came since the last time; forgets the days that are over.
    fn take(&self, now_ms: i64) -> Vec<More> {
        let Ok(mut days) = self.days.lock() else { return Vec::new() };
        let new = days.iter_mut().filter(|(_, day)| day.n_new > 0);
        let found = new.map(|((link_id, day), counted)| More {
            link_id: *link_id,
            day: *day,
            n_rows: std::mem::take(&mut counted.n_new),
            n_busiest_hour: counted.n_busiest_hour,
            registers: counted.distinct.text(),
        });
        let found = found.collect();
        days.retain(|(_, day), _| *day == now_ms / DAY_MS);
        found
    }

    /// Takes back what could not be written down.
    fn give_back(&self, more: &More) {
        let Ok(mut days) = self.days.lock() else { return };
        let day = days.entry((more.link_id, more.day)).or_default();
        day.n_new = day.n_new.saturating_add(more.n_rows);
        day.n_busiest_hour = day.n_busiest_hour.max(more.n_busiest_hour);
        day.distinct.merge(&more.registers);
    }
}

/// A keyed hash of each row, over all tensors.
fn hashes(key: &Secret, tensors: &[IndexedTensor], n_rows: usize) -> Vec<u64> {
    let mut digests: Vec<sha2::Sha256> =
        (0..n_rows.max(1)).map(|_| sha2::Sha256::new_with_prefix(key.expose())).collect();
    for tensor in tensors {
        let rows = rows(tensor, digests.len());
        digests.iter_mut().zip(rows).for_each(|(digest, row)| digest.update(row));
    }
    let first = |digest: sha2::Sha256| {
        let bytes: [u8; 32] = digest.finalize().into();
        u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
    };
    digests.into_iter().map(first).collect()
}

/// The bytes of each row.
fn rows(tensor: &IndexedTensor, n_rows: usize) -> Vec<&[u8]> {
    let data: &[u8] = &tensor.data;
    if tensor.n_rows() != n_rows {
        return vec![data; n_rows];
    }
    if tensor.datatype != Datatype::Bytes {
        return data.chunks(data.len().div_ceil(n_rows).max(1)).collect();
    }
    let n_elements = tensor.shape.iter().skip(1).product::<usize>();
    let (mut rows, mut begin, mut at) = (Vec::with_capacity(n_rows), 0, 0);
    for _ in 0..n_rows {
        for _ in 0..n_elements {
            let Some(length) = data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()) else { break };
            at += 4 + usize::try_from(u32::from_le_bytes(length)).unwrap_or(0);
        }
        rows.push(data.get(begin..at).unwrap_or_default());
        begin = at;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(values: &[f32]) -> Vec<u64> {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (datatype, shape) = (Datatype::Fp32, vec![values.len(), 1]);
        let tensor = IndexedTensor { index: 0, datatype, shape, data: data.into() };
        hashes(&Secret::new("key".to_owned()), &[tensor], values.len())
    }

    fn total(days: &[More]) -> Total {
        let mut total = Total::default();
        for more in days {
            let More { link_id, n_rows, n_busiest_hour, registers, .. } = more.clone();
            total.add(&link_days::Day { link_id, n_rows, n_busiest_hour, registers });
        }
        total
    }

    #[test]
    fn as_many_different_rows_as_parameters_are_warned_of() {
        assert!(warning((500, 490), Some(15)).is_some());
        assert!(warning((500, 490), Some(5_000)).is_none());
        assert!(warning((99, 99), Some(15)).is_none());
        // The same rows again and again are somebody's monitoring.
        assert!(warning((10_000, 500), Some(15)).is_none());
        assert!(warning((9_999, 9_999), None).is_none());
        assert!(warning((20_000, 20_000), None).is_some());
    }

    #[test]
    fn the_same_row_is_counted_once_and_written_down_once() {
        let (watches, link) = (Watches::default(), LinkId(1));
        watches.add(link, question(&[1.0, 2.0, 1.0]), 5 * DAY_MS);
        watches.add(link, question(&[2.0]), 5 * DAY_MS + HOUR_MS);
        let first = watches.take(5 * DAY_MS);
        assert_eq!((first[0].day, first[0].n_rows, first[0].n_busiest_hour), (5, 4, 3));
        assert_eq!(total(&first).distinct.count(), 2);
        assert!(watches.take(5 * DAY_MS).is_empty());
        watches.add(link, question(&[3.0]), 5 * DAY_MS);
        let more = watches.take(6 * DAY_MS);
        assert_eq!((more[0].n_rows, total(&more).distinct.count()), (1, 3));
        assert!(watches.take(6 * DAY_MS).is_empty());
    }

    #[test]
    fn rows_that_are_asked_again_each_night_are_the_same_rows() {
        let (watches, link) = (Watches::default(), LinkId(1));
        let rows: Vec<f32> = (0..500_u16).map(f32::from).collect();
        let mut days = Vec::new();
        for day in 0..DAYS {
            watches.add(link, question(&rows), day * DAY_MS);
            days.extend(watches.take((day + 1) * DAY_MS));
        }
        let total = total(&days);
        assert_eq!((total.n_days, total.n_rows), (DAYS, 500 * DAYS));
        assert!((450..550).contains(&total.distinct.count()), "{}", total.distinct.count());
        assert!(warning((total.n_rows, total.distinct.count()), Some(15)).is_none());
    }

    #[test]
    fn what_could_not_be_written_down_is_written_down_the_next_time() {
        let (watches, link) = (Watches::default(), LinkId(1));
        watches.add(link, question(&[1.0, 2.0]), 5 * DAY_MS);
        let lost = watches.take(6 * DAY_MS);
        watches.give_back(&lost[0]);
        watches.add(link, question(&[2.0]), 6 * DAY_MS);
        let more = watches.take(6 * DAY_MS);
        assert_eq!(more.iter().map(|more| (more.day, more.n_rows)).collect::<Vec<_>>(), [(5, 2), (6, 1)]);
        assert_eq!(more[0], lost[0]);
    }

    #[test]
    fn texts_are_told_apart_row_by_row() {
        let text =
            |text: &str| [&u32::try_from(text.len()).unwrap().to_le_bytes()[..], text.as_bytes()].concat();
        let data = [text("a"), text("long"), text("a")].concat();
        let tensor = IndexedTensor { index: 0, datatype: Datatype::Bytes, shape: vec![3], data: data.into() };
        let rows = rows(&tensor, 3);
        assert!(rows[0] == rows[2] && rows[0] != rows[1] && rows[1].ends_with(b"long"));
    }
}
