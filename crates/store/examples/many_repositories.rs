//! Fills a SQLite database with repositories and measures lists and searches, as a page of the front would ask.
//!
//! `cargo run -p store --release --example many_repositories -- [N] [DIR]`, 100,000 unless said otherwise. Titles and
//! names are made of words whose frequency falls as in a language, so some are in every tenth row, some in a few.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints and may stop")]

use std::time::Instant;

use spec::name::{AccountName, RepositoryKind, RepositoryName};
use store::db::accounts::{self, AccountKind, NewAccount};
use store::db::repositories::{self, ListQuery, NewRepository, Sort, Summary};
use store::{Db, Settings, Store};

const N_ACCOUNTS: u64 = 1000;
const N_WORDS: u64 = 5000;
const N_ROUNDS: usize = 200;
const TASKS: &[&str] =
    &["tabular-classification", "image-classification", "text-generation", "tabular-regression"];

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let n = args.next().map_or(100_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    // A folder that is kept is filled once and measured as often as one likes.
    let folder = args.next().map_or(folder.path().to_owned(), std::path::PathBuf::from);
    let is_new = !folder.join("reenact.db").exists();
    let db = Store::open(&Settings::embedded(&folder)).await.unwrap().db;
    if is_new {
        let start = Instant::now();
        fill(&db, n).await;
        let seconds = start.elapsed().as_secs_f64();
        println!("{n} repositories in {seconds:.1} s ({:.0}/s)", n as f64 / seconds);
    }
    measure(&db).await;
    db.close().await;
    println!("{} MB", std::fs::metadata(folder.join("reenact.db")).unwrap().len() / 1_000_000);
}

async fn fill(db: &Db, n: u64) {
    let mut random = Random(7);
    let mut owners = Vec::new();
    for i in 0..N_ACCOUNTS {
        let name: AccountName = format!("user{i}").parse().unwrap();
        let kind = AccountKind::User;
        let new = NewAccount { name: &name, kind, password_hash: None, is_admin: false, created_ms: 0 };
        owners.push(accounts::create(db, &new).await.unwrap());
    }
    let mut downloads = Vec::new();
    for i in 0..n {
        let owner = &owners[random.below(N_ACCOUNTS) as usize];
        let name = format!("{}-{}-{i}", random.word(), random.word());
        let name = RepositoryName::new(&owner.name, &name).unwrap();
        let at_ms = i64::try_from(i * 1000).unwrap();
        let new = NewRepository {
            owner_id: owner.id,
            kind: if i % 5 == 0 { RepositoryKind::Dataset } else { RepositoryKind::Model },
            name: &name,
            is_private: i % 10 == 0,
            created_ms: at_ms,
        };
        let id = repositories::create(db, &new).await.unwrap().id;
        let text: Vec<String> = (0..20).map(|_| random.word()).collect();
        let (title, description) = (text[..4].join(" "), format!("model {}", text.join(" ")));
        let tags = [random.word(), random.word()];
        let task = Some(TASKS[random.below(4) as usize]);
        let summary =
            Summary { title: &title, description: &description, task, tags: &tags, ..Summary::default() };
        repositories::set_summary(db, id, &summary).await.unwrap();
        downloads.push((id, i64::try_from(random.below(10_000)).unwrap()));
    }
    repositories::add_downloads(db, &downloads).await.unwrap();
}

async fn measure(db: &Db) {
    let kind = Some(RepositoryKind::Model);
    let all = ListQuery { kind, ..ListQuery::default() };
    let relevant = |text| ListQuery { search: Some(text), sort: Sort::Relevance, ..all.clone() };
    let recent = |text| ListQuery { search: Some(text), ..all.clone() };
    for (what, query) in [
        ("newest models", all.clone()),
        ("most downloaded models", ListQuery { sort: Sort::Downloads, ..all.clone() }),
        ("newest of both kinds", ListQuery { kind: None, ..all.clone() }),
        (
            "a task, by downloads",
            ListQuery { tags: &["image-classification"], sort: Sort::Downloads, ..all.clone() },
        ),
        ("a rare tag, newest", ListQuery { tags: &["w4000"], ..all.clone() }),
        ("a word in every row, best", relevant("model")),
        ("a word in every row, newest", recent("model")),
        ("a frequent word, best", relevant("w1")),
        ("a frequent word, newest", recent("w10")),
        ("a rare word, best", relevant("w4321")),
        ("a rare word, newest", recent("w4321")),
        ("a frequent and a rare word", relevant("w3 w2500")),
        ("one letter", relevant("w")),
        ("an owner's page", relevant("user77")),
        ("a word that is nowhere", relevant("zebra")),
    ] {
        let mut times = Vec::new();
        let mut n_found = 0;
        for _ in 0..N_ROUNDS {
            let start = Instant::now();
            n_found = repositories::list(db, &query).await.unwrap().items.len();
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let ms = |part: usize| times[N_ROUNDS * part / 100].as_secs_f64() * 1000.0;
        println!("{what:<28} p50 {:7.2} ms   p99 {:7.2} ms   {n_found} rows", ms(50), ms(99));
    }
}

/// The same numbers each time (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }

    /// Word `k` comes about as often as 1/k.
    fn word(&mut self) -> String {
        let limit = self.below(N_WORDS) + 1;
        format!("w{}", self.below(limit))
    }
}
