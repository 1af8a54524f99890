//! Law: a request passes door, ops and store in this order, and no room sees past the next.
//!
//! It knows the rooms by the paths of their files, and what they name by tokens.

use super::{Law, Violation};
use crate::tree::tokens::{self, Mention};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "rooms",
    why: "three protocols and the pages share one set of rules, because rules know no protocol and doors no rows.",
    check,
};

/// Files of a room, what they may not name, and what to do instead.
struct Room {
    folder: &'static str,
    /// Paths as written; each also forbids what lies below it.
    may_not_name: &'static [&'static str],
    /// Whether types below these paths may be named: a row that the next room answered with passes as it is.
    types: Types,
    hint: &'static str,
}

/// Whether the types of a room may be named where its verbs may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Types {
    Pass,
    Stay,
}

const ROOMS: &[Room] = &[
    Room {
        folder: "crates/server/src/doors",
        may_not_name: &["store::db", "store::pool", "sqlx"],
        types: Types::Pass,
        hint: "ask `ops`, which decides who may",
    },
    Room {
        folder: "crates/server/src/ops",
        may_not_name: &["axum", "http", "hyper", "tower_http", "crate::doors", "crate::router", "sqlx"],
        types: Types::Stay,
        hint: "take and give the product's types; a door translates them",
    },
    Room {
        folder: "crates/store/src/db",
        may_not_name: &["ops", "doors", "axum", "http", "server"],
        types: Types::Stay,
        hint: "remember rows; `ops` decides what they mean",
    },
    Room {
        folder: "crates/spec/src",
        may_not_name: &["std::fs", "std::net", "std::process", "std::env", "std::time::SystemTime", "tokio"],
        types: Types::Stay,
        hint: "`spec` is pure: take the bytes or the time as an argument",
    },
    Room {
        folder: "crates/inspect/src",
        may_not_name: &["std::net", "std::process", "std::env", "std::time::SystemTime", "tokio"],
        types: Types::Stay,
        hint: "`inspect` is pure over bytes: it never runs or fetches anything",
    },
];

/// The one file of the server that asks others over HTTP, where addresses, times and lengths are bounded.
const WAY_OUT: &str = "crates/server/src/outbound.rs";

fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust().flat_map(|file| check_file(file).into_iter().chain(check_way_out(file))).collect()
}

fn check_way_out(file: &File) -> Option<Violation> {
    if !file.path.starts_with("crates/server/src/") || file.path == WAY_OUT {
        return None;
    }
    let mentions = file.tokens().map(tokens::mentions).unwrap_or_default();
    let mention = mentions.into_iter().find(|mention| names(mention, "reqwest"))?;
    let hint = format!("ask `{WAY_OUT}`, which refuses private addresses and bounds answers");
    Some(Violation::new(
        &file.path,
        mention.line,
        "only one file of the server may name `reqwest`".to_owned(),
        hint,
    ))
}

fn check_file(file: &File) -> Vec<Violation> {
    let Some(room) = ROOMS.iter().find(|room| stands_in(file, room.folder)) else { return Vec::new() };
    let mentions = file.tokens().map(tokens::mentions).unwrap_or_default();
    let mut found: Vec<Violation> = Vec::new();
    for (n, mention) in mentions.iter().enumerate() {
        // What stands before braces is judged by what stands in them.
        let is_prefix = mentions
            .get(n + 1)
            .is_some_and(|next| next.path.len() > mention.path.len() && next.path.starts_with(&mention.path));
        if room.types == Types::Pass && (is_prefix || is_type(mention)) {
            continue;
        }
        let Some(name) = room.may_not_name.iter().find(|name| names(mention, name)) else { continue };
        let folder = room.folder.rsplit('/').next().unwrap_or(room.folder);
        let room_name = if folder == "src" { "this crate" } else { folder };
        let violation =
            Violation::new(&file.path, mention.line, format!("{room_name} may not name `{name}`"), room.hint);
        if !found.contains(&violation) {
            found.push(violation);
        }
    }
    found
}

/// `folder/…` or `folder.rs`.
fn stands_in(file: &File, folder: &str) -> bool {
    file.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

/// Whether the path begins with the forbidden one. A single word counts only with something below it, or
/// as an import: a variable may well be called `http`.
fn names(mention: &Mention, forbidden: &str) -> bool {
    let wanted: Vec<&str> = forbidden.split("::").collect();
    let begins = mention.path.len() >= wanted.len() && mention.path.iter().zip(&wanted).all(|(a, b)| a == b);
    begins && mention.path.len() > usize::from(wanted.len() == 1)
}

/// Whether the path ends in a type: `store::db::refs::Ref`, but not `store::db::refs::list`.
fn is_type(mention: &Mention) -> bool {
    let begins_large = |name: &String| name.starts_with(char::is_uppercase);
    mention.path.len() > 2 && mention.path.iter().any(begins_large)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn another_way_out_of_the_server_is_caught() {
        let source = "use reqwest::Client;\n";
        catches(&LAW, &[("crates/server/src/jobs/x.rs", source)], "only one file of the server");
        passes(&LAW, &[("crates/server/src/outbound.rs", source), ("crates/server/tests/it/x.rs", source)]);
    }

    #[test]
    fn a_door_that_reads_rows_is_caught_however_it_imports_them() {
        let path = "crates/server/src/doors/api/tokens.rs";
        catches(&LAW, &[(path, "use store::{blobs, db};")], "doors may not name `store::db`");
        catches(&LAW, &[(path, "fn f() {\n    store::db::tokens::list()\n}")], "tokens.rs:2: doors may not");
        passes(&LAW, &[(path, "use crate::ops::tokens;\nuse axum::Json;")]);
        passes(&LAW, &[(path, "use store::db::tokens::{Token, Scope};")]);
    }

    #[test]
    fn rules_that_know_http_are_caught() {
        let path = "crates/server/src/ops/tokens.rs";
        catches(&LAW, &[(path, "use axum::Json;")], "ops may not name `axum`");
        catches(&LAW, &[(path, "fn f() -> http::StatusCode { g() }")], "ops may not name `http`");
        passes(&LAW, &[(path, "fn f(http: u8) -> u8 { http } // axum::Json")]);
    }

    #[test]
    fn memory_that_decides_is_caught() {
        catches(&LAW, &[("crates/store/src/db/tokens.rs", "use server::ops;")], "db may not name `server`");
    }

    #[test]
    fn a_clock_in_spec_is_caught() {
        catches(
            &LAW,
            &[("crates/spec/src/a.rs", "use std::{fmt, fs};")],
            "this crate may not name `std::fs`",
        );
    }
}
