//! Names: what is taken is written as it was read.

#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use spec::digest::{Oid, Sha256};
use spec::name::{AccountName, FilePath, RefName, RepositoryAt, RepositoryKind, RepositoryName};

fuzz_target!(|text: &str| {
    same::<RepositoryName>(text);
    let at = text.parse::<RepositoryAt>();
    assert!(at.is_err() || at.is_ok_and(|at| text.starts_with(&at.repository.to_string())));
    same::<AccountName>(text);
    same::<FilePath>(text);
    same::<RefName>(text);
    same::<RepositoryKind>(text);
    same::<Sha256>(text);
    same::<Oid>(text);
    let card = spec::card::split(text);
    assert!(text.ends_with(card.body) && card.front_matter.is_none_or(|front| text.contains(front)));
});

/// Whether what was parsed is written so that it is parsed as the same.
fn same<T: FromStr + Display + PartialEq>(text: &str) {
    let Ok(parsed) = text.parse::<T>() else { return };
    let written = parsed.to_string();
    assert!(written.parse::<T>().is_ok_and(|again| again == parsed), "`{text}` is written as `{written}`");
}
