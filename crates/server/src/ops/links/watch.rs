//! Whether the questions that come through a link look like those of somebody who copies the model.
//!
//! A heuristic, and told as one: whoever copies a model asks for many rows, nearly all of them different. With
//! confidences told, a linear model or a small network is copied with about as many answers as it has parameters,
//! or a few times as many (Tramèr et al., "Stealing Machine Learning Models via Prediction APIs", USENIX Security
//! 2016, sections 4.1 and 4.3). Invariant: of rows only keyed hashes are looked at, in this process's memory, and only
//! counts are written down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sha2::Digest as _;
use spec::api::LinkUse;
use spec::frame::IndexedTensor;
use spec::tensor::Datatype;
use store::clock;
use store::db::ids::{LinkId, RevisionId};
use store::db::link_days::{self, More, Total};
use store::db::links::Link;

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
/// Rows that are digested at once without holding up other requests.
const FEW_ROWS: usize = 64;
/// Fewer different rows than this are nobody's copy of a model.
const FEWEST: i64 = 100;
/// Of a model whose parameters are not counted, so many different rows are many.
const MANY: i64 = 10_000;

/// What was asked through links and is not written down yet.
#[derive(Debug)]
pub struct Watches {
    key: Option<Secret>,
    days: Mutex<BTreeMap<LinkId, Day>>,
}

impl Default for Watches {
    fn default() -> Self {
        Self { key: secrets::seed().ok(), days: Mutex::default() }
    }
}

#[derive(Debug, Default)]
struct Day {
    day: i64,
    n_rows: i64,
    distinct: Sketch,
    hour: i64,
    n_hour: i64,
    n_busiest_hour: i64,
    /// What was written down of this day before: rows and different rows.
    written: (i64, i64),
}

/// Counts the rows of a question that was answered.
pub async fn note(app: &Arc<App>, guest: &Guest, tensors: &[IndexedTensor], n_rows: usize) {
    let (app_of_task, tensors, id) = (Arc::clone(app), tensors.to_vec(), guest.link.id);
    let work = move || app_of_task.watches.add(id, &tensors, n_rows, clock::now_ms());
    match n_rows <= FEW_ROWS {
        true => work(),
        // Whether it ended well changes no answer.
        false => drop(tokio::task::spawn_blocking(work).await),
    }
}

/// Writes down what was counted since the last time.
pub async fn flush(app: &App) -> Result<(), Error> {
    let now_ms = clock::now_ms();
    for more in app.watches.take(now_ms) {
        link_days::add(&app.store.db, &more).await.during("count what links were asked")?;
    }
    let before = now_ms / DAY_MS - DAYS;
    link_days::delete_before(&app.store.db, before).await.during("forget what links were asked")?;
    Ok(())
}

/// What was asked through each of these links of one repository.
pub async fn of(app: &App, links: &[Link]) -> Result<Vec<Option<LinkUse>>, Error> {
    let Some(first) = links.first() else { return Ok(Vec::new()) };
    flush(app).await?;
    let since = clock::now_ms() / DAY_MS - DAYS;
    let found = link_days::totals(&app.store.db, first.repository_id, since).await;
    let found = found.during("sum what links were asked")?;
    let mut uses = Vec::with_capacity(links.len());
    for link in links {
        uses.push(match found.iter().find(|total| total.link_id == link.id) {
            Some(total) => Some(describe(app, total, link.revision_id).await?),
            None => None,
        });
    }
    Ok(uses)
}

async fn describe(app: &App, total: &Total, revision: RevisionId) -> Result<LinkUse, Error> {
    let n_parameters = match total.n_distinct >= FEWEST {
        true => parameters(app, revision).await?,
        false => None,
    };
    Ok(LinkUse {
        days: total.n_days,
        rows: total.n_rows,
        distinct: total.n_distinct.min(total.n_rows),
        busiest_hour: total.n_busiest_hour,
        warning: warning(total, n_parameters),
    })
}

/// The numbers that the served file holds, where they were counted.
async fn parameters(app: &App, revision: RevisionId) -> Result<Option<i64>, Error> {
    let facts = facts::ensure(app, revision).await?;
    let file = facts.model.as_ref().and_then(|model| facts.file(model));
    Ok(file.and_then(|file| i64::try_from(file.n_parameters?).ok()))
}

/// The rule: nine in ten rows differ, and they are as many as the model has parameters, but at least a hundred.
fn warning(total: &Total, n_parameters: Option<i64>) -> Option<String> {
    let n_distinct = total.n_distinct.min(total.n_rows);
    let bar = n_parameters.unwrap_or(MANY).max(FEWEST);
    if n_distinct < bar || n_distinct * 10 < total.n_rows * 9 {
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
    fn add(&self, id: LinkId, tensors: &[IndexedTensor], n_rows: usize, now_ms: i64) {
        let Some(key) = &self.key else { return };
        let hashes = hashes(key, tensors, n_rows);
        let Ok(mut days) = self.days.lock() else { return };
        if days.len() >= LINKS && !days.contains_key(&id) {
            return;
        }
        let day = days.entry(id).or_default();
        day.begin(now_ms);
        let n_rows = i64::try_from(n_rows).unwrap_or(i64::MAX);
        day.n_rows = day.n_rows.saturating_add(n_rows);
        day.n_hour = day.n_hour.saturating_add(n_rows);
        day.n_busiest_hour = day.n_busiest_hour.max(day.n_hour);
        hashes.into_iter().for_each(|hash| day.distinct.add(hash));
    }

    /// What came since the last time; forgets the days that are over.
    fn take(&self, now_ms: i64) -> Vec<More> {
        let Ok(mut days) = self.days.lock() else { return Vec::new() };
        let mut found = Vec::new();
        for (id, day) in days.iter_mut() {
            let n_distinct = day.distinct.count().min(day.n_rows);
            let (n_rows_before, n_distinct_before) = day.written;
            if day.n_rows > n_rows_before {
                found.push(More {
                    link_id: *id,
                    day: day.day,
                    n_rows: day.n_rows - n_rows_before,
                    n_distinct: (n_distinct - n_distinct_before).max(0),
                    n_busiest_hour: day.n_busiest_hour,
                });
                day.written = (day.n_rows, n_distinct.max(n_distinct_before));
            }
        }
        days.retain(|_, day| day.day == now_ms / DAY_MS);
        found
    }
}

impl Day {
    /// Turns to the hour, and the day, that it is now. A clock that was set back changes neither.
    fn begin(&mut self, now_ms: i64) {
        let (day, hour) = (now_ms / DAY_MS, now_ms / HOUR_MS);
        if self.n_rows == 0 {
            self.day = day;
        }
        if hour > self.hour {
            (self.hour, self.n_hour) = (hour, 0);
        }
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

    fn total(n_rows: i64, n_distinct: i64) -> Total {
        Total { link_id: LinkId(1), n_days: 1, n_rows, n_distinct, n_busiest_hour: n_rows }
    }

    fn question(values: &[f32]) -> Vec<IndexedTensor> {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        vec![IndexedTensor {
            index: 0,
            datatype: Datatype::Fp32,
            shape: vec![values.len(), 1],
            data: data.into(),
        }]
    }

    #[test]
    fn as_many_different_rows_as_parameters_are_warned_of() {
        assert!(warning(&total(500, 490), Some(15)).is_some());
        assert!(warning(&total(500, 490), Some(5_000)).is_none());
        assert!(warning(&total(99, 99), Some(15)).is_none());
        // The same rows again and again are somebody's monitoring.
        assert!(warning(&total(10_000, 500), Some(15)).is_none());
        assert!(warning(&total(9_999, 9_999), None).is_none());
        assert!(warning(&total(20_000, 20_000), None).is_some());
    }

    #[test]
    fn the_same_row_is_counted_once_and_written_down_once() {
        let (watches, link) = (Watches::default(), LinkId(1));
        watches.add(link, &question(&[1.0, 2.0, 1.0]), 3, 5 * DAY_MS);
        watches.add(link, &question(&[2.0]), 1, 5 * DAY_MS + HOUR_MS);
        let more = watches.take(5 * DAY_MS);
        assert_eq!((more[0].day, more[0].n_rows, more[0].n_distinct, more[0].n_busiest_hour), (5, 4, 2, 3));
        assert!(watches.take(5 * DAY_MS).is_empty());
        watches.add(link, &question(&[3.0]), 1, 5 * DAY_MS);
        let more = watches.take(6 * DAY_MS);
        assert_eq!((more[0].n_rows, more[0].n_distinct), (1, 1));
        assert!(watches.take(6 * DAY_MS).is_empty());
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
