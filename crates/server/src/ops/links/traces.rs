//! Where a revision tells who made it: in its card, its schema and examples, its files' names and what is in them.
//!
//! Looks at stored bytes as they are: what is packed inside of an archive is found by the facts that were read from
//! it, or not at all, and such files are named. Invariant: what is told to be hidden is hidden by the same words.

use futures_util::TryStreamExt;
use spec::api::Trace;
use spec::app::AppFacts;
use spec::digest::Sha256;
use store::db::entries::{self, Entry, Listing};
use store::db::revisions::Revision;

use super::guard::Guest;
use super::veil;
use crate::anonymity::{Found, Identity};
use crate::app::App;
use crate::error::{During, Error};
use crate::ops::facts;

/// Traces that are told.
const TRACES: usize = 200;
/// Traces that are told of one file.
const TRACES_OF_FILE: usize = 20;
/// Files that are looked at.
const FILES: u32 = 1000;
/// Bytes that are looked at, of all files together.
const BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Longest text of which words are taken out when it is downloaded.
pub const TEXT_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of the block before that are looked at again, so that no word falls between two.
const OVERLAP: usize = 512;

/// What was found in a revision.
#[derive(Debug, Default)]
pub struct Findings {
    pub traces: Vec<Trace>,
    /// How the files may be given that were looked at.
    pub given: Vec<(Sha256, Given)>,
}

/// The places where a revision tells who made it, in the order of its files.
pub async fn find(
    app: &App,
    revision: &Revision,
    identity: &Identity,
    (with_files, with_app): (bool, bool),
) -> Result<Findings, Error> {
    let facts = facts::ensure(app, revision.id).await?;
    let examples = facts::examples(app, revision, Some(&facts)).await?;
    let mut traces: Vec<Trace> = facts.app.iter().filter(|_| with_app).map(of_app).collect();
    traces.extend(veil::find(identity, &facts.schema.unwrap_or_default(), &examples));
    let mut given = Vec::new();
    let mut n_left = BYTES;
    for entry in files(app, revision).await? {
        for found in identity.find(entry.path.as_bytes(), TRACES_OF_FILE) {
            let place = format!("the name of the file {}", entry.path);
            traces.push(Trace { word: found.word, place, hidden: true, shown: false });
        }
        // Without files and app the card is the only one whose text is shown.
        let is_card = entry.path == spec::card::PATH;
        let is_shown = with_files || with_app || is_card;
        let size = u64::try_from(entry.n_bytes).unwrap_or(u64::MAX);
        if !is_shown || traces.len() >= TRACES {
            continue;
        }
        if size > n_left {
            let place = format!("{}: too large to be looked at", entry.path);
            traces.push(Trace { word: String::new(), place, hidden: false, shown: with_app });
            continue;
        }
        n_left -= size;
        let scan = scan(app, &entry, identity).await?;
        given.extend(entry.sha256.map(|sha256| (sha256, scan.given(&entry))));
        // An app shows of what it reads whatever it likes.
        traces.extend(of_file(&entry, scan, with_app && !is_card));
    }
    traces.truncate(TRACES);
    Ok(Findings { traces, given })
}

/// The files of a revision, in their order.
pub async fn files(app: &App, revision: &Revision) -> Result<Vec<Entry>, Error> {
    let listing = Listing { folder: "", is_recursive: true, after: None, limit: FILES };
    let page = entries::list(&app.store.db, revision.tree_id, &listing).await.during("list files")?;
    Ok(page.items.into_iter().filter(|entry| !entry.is_folder()).collect())
}

/// An app's own words are nobody's to change.
fn of_app(app: &AppFacts) -> Trace {
    let place = format!("the app {}: its pages are shown as they are", app.file);
    Trace { word: String::new(), place, hidden: false, shown: true }
}

fn of_file(entry: &Entry, scan: Scan, is_of_app: bool) -> Vec<Trace> {
    let is_hidden = scan.is_text && is_short(entry) && !is_of_app;
    let trace = |(found, line): (Found, usize)| {
        let place = match scan.is_text {
            true => format!("{}, line {line}", entry.path),
            false => format!("{}, byte {}", entry.path, found.at),
        };
        Trace { word: found.word, place, hidden: is_hidden, shown: is_of_app }
    };
    let mut traces: Vec<Trace> = scan.found.into_iter().map(trace).collect();
    if scan.is_packed {
        let place = format!("{}: packed, so that nothing in it can be looked at", entry.path);
        traces.push(Trace { word: String::new(), place, hidden: false, shown: is_of_app });
    }
    traces
}

fn is_short(entry: &Entry) -> bool {
    u64::try_from(entry.n_bytes).is_ok_and(|n| n <= TEXT_BYTES)
}

/// Whether a file may be given to somebody from whom this identity is hidden, as it is or with words taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    AsItIs,
    WithoutWords,
    /// Words cannot be taken out of it.
    NotAtAll,
}

/// How a file may be given to whoever holds a link. A file is looked through once.
pub async fn given(app: &App, guest: &Guest, entry: &Entry) -> Result<Given, Error> {
    let Some(identity) = &guest.identity else { return Ok(Given::AsItIs) };
    let sha256 = entry.sha256.ok_or(Error::Internal("read a folder as a file"))?;
    if let Some(known) = app.guests.given(guest.link.id, sha256) {
        return Ok(known);
    }
    let given = scan(app, entry, identity).await?.given(entry);
    app.guests.remember(guest.link.id, sha256, given);
    Ok(given)
}

/// What was found in a file, each with its line.
struct Scan {
    found: Vec<(Found, usize)>,
    is_text: bool,
    /// Whether words in it may be written in a way that is not looked through.
    is_packed: bool,
}

impl Scan {
    fn given(&self, entry: &Entry) -> Given {
        match self {
            Self { is_packed: true, .. } => Given::NotAtAll,
            Self { found, .. } if found.is_empty() => Given::AsItIs,
            Self { is_text: true, .. } if is_short(entry) => Given::WithoutWords,
            _ => Given::NotAtAll,
        }
    }
}

/// A file that is being looked through, block by block.
struct Scanner {
    identity: Identity,
    scan: Scan,
    /// The last block, and the end of the one before it.
    window: Vec<u8>,
    /// Where the window begins: its byte, and its line.
    begin: usize,
    line: usize,
}

async fn scan(app: &App, entry: &Entry, identity: &Identity) -> Result<Scan, Error> {
    let sha256 = entry.sha256.ok_or(Error::Internal("read a folder as a file"))?;
    let mut reading = app.store.contents.read(&sha256, None).await.during("read a stored file")?;
    let scan = Scan { found: Vec::new(), is_text: true, is_packed: false };
    let mut scanner = Scanner { identity: identity.clone(), scan, window: Vec::new(), begin: 0, line: 1 };
    while let Some(block) = reading.stream.try_next().await.during("read a stored file")? {
        let looking = tokio::task::spawn_blocking(move || {
            scanner.add(&block);
            scanner
        });
        scanner = looking.await.map_err(|_| Error::Internal("look through a file"))?;
    }
    Ok(scanner.scan)
}

impl Scanner {
    fn add(&mut self, block: &[u8]) {
        let Self { identity, scan, window, begin, line } = self;
        scan.is_text &= !block.contains(&0);
        window.extend_from_slice(block);
        scan.is_packed |= (*begin == 0 && is_packed_whole(window)) || has_packed_entry(window);
        for found in identity.find(window, TRACES_OF_FILE) {
            let at = *begin + found.at;
            // What lies in the overlap was found before, unless it only now has its end.
            let is_known = scan.found.iter().any(|(known, _)| known.at == at);
            if !is_known && scan.found.len() < TRACES_OF_FILE {
                let line = *line + memchr::memchr_iter(b'\n', &window[..found.at]).count();
                scan.found.push((Found { at, word: found.word }, line));
            }
        }
        let n_gone = window.len().saturating_sub(OVERLAP);
        *line += memchr::memchr_iter(b'\n', &window[..n_gone]).count();
        window.drain(..n_gone);
        *begin += n_gone;
    }
}

/// Whether words in these bytes, of a whole file, may be written in a way that is not looked through.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    is_packed_whole(bytes) || has_packed_entry(bytes)
}

/// Whether the file as a whole is packed: gzip, bzip2, xz, Zstandard, 7z.
fn is_packed_whole(bytes: &[u8]) -> bool {
    let magics: [&[u8]; 5] = [b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf"];
    magics.iter().any(|magic| bytes.starts_with(magic))
}

/// Whether an entry of a zip archive begins here that is not stored as it is (APPNOTE 4.3.7: the method is the
/// fifth field of a local header).
fn has_packed_entry(bytes: &[u8]) -> bool {
    let headers = memchr::memmem::find_iter(bytes, b"PK\x03\x04");
    headers.into_iter().any(|at| bytes.get(at + 8..at + 10).is_some_and(|method| method != [0, 0]))
}
