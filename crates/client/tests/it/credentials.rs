//! Which server and which token are used, and how they are kept.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use client::credentials::{self, Credentials, Source, Sources, parse_url};
use client::error::Error;
use client::secret::Secret;

#[test]
fn what_was_typed_wins_over_the_environment_and_that_over_the_file() {
    let mut kept = Credentials::default();
    kept.remember(&parse_url("http://kept:1").unwrap(), &Secret::new("kept-token"));
    let chosen = |sources: &Sources| {
        let server = credentials::resolve(sources, &kept).unwrap();
        (server.url.to_string(), server.token.map(|token| token.reveal().to_owned()).unwrap_or_default())
    };
    let mut sources = Sources::default();
    assert_eq!(chosen(&sources), ("http://kept:1/".into(), "kept-token".into()));
    sources.hub = source("http://hub:1", "hub-token");
    assert_eq!(chosen(&sources), ("http://hub:1/".into(), "hub-token".into()));
    sources.own = source("http://own:1", "own-token");
    assert_eq!(chosen(&sources), ("http://own:1/".into(), "own-token".into()));
    sources.flags = source("http://typed:1", "typed-token");
    assert_eq!(chosen(&sources), ("http://typed:1/".into(), "typed-token".into()));
}

#[test]
fn a_token_is_not_sent_to_a_server_it_was_not_given_for() {
    let mut kept = Credentials::default();
    kept.remember(&parse_url("http://kept:1").unwrap(), &Secret::new("kept-token"));
    let sources = Sources {
        flags: Source { url: Some("http://typed:1".into()), token: None },
        own: source("http://own:1", "own-token"),
        hub: source("https://huggingface.co", "hub-token"),
    };
    assert!(credentials::resolve(&sources, &kept).unwrap().token.is_none());
    let sources = Sources { own: Source { url: None, token: Some(Secret::new("own-token")) }, ..sources };
    assert_eq!(credentials::resolve(&sources, &kept).unwrap().token, Some(Secret::new("own-token")));
}

#[test]
fn the_file_is_written_whole_and_for_its_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let path = credentials::file_path(Some(&home.path().join("new")), None).unwrap();
    let url = parse_url("http://127.0.0.1:8484/").unwrap();
    let mut written = Credentials::load(&path).unwrap();
    written.remember(&url, &Secret::new("rn_one"));
    written.save(&path).unwrap();
    written.remember(&url, &Secret::new("rn_two"));
    written.save(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("default = \"http://127.0.0.1:8484\"\n"), "{text}");
    assert!(text.contains("[servers.\"http://127.0.0.1:8484\"]\ntoken = \"rn_two\""), "{text}");
    assert_eq!(Credentials::load(&path).unwrap().token(&url), Some(Secret::new("rn_two")));
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_damaged_file_is_refused_without_showing_its_tokens() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("credentials.toml");
    std::fs::write(&path, "[servers.\"http://h\"]\ntoken = \"rn_secret\noops").unwrap();
    let error = Credentials::load(&path).unwrap_err();
    let chain = format!("{error} {:?} {}", error, std::error::Error::source(&error).unwrap());
    assert!(matches!(error, Error::Credentials { .. }) && !chain.contains("rn_secret"), "{chain}");
}

#[test]
fn an_address_that_is_none_is_refused_with_an_example() {
    for value in ["", "localhost:8484", "ftp://h", "http://user:word@h", "http://h/?token=x", "http://"] {
        let error = parse_url(value).unwrap_err();
        assert!(error.hint().is_some_and(|hint| hint.contains("http://127.0.0.1:8484")), "`{value}`");
    }
    assert_eq!(parse_url("https://h/reenact/").unwrap().as_str(), "https://h/reenact");
}

#[test]
fn without_any_server_the_hint_says_how_to_name_one() {
    let error = credentials::resolve(&Sources::default(), &Credentials::default()).unwrap_err();
    assert!(error.hint().unwrap().contains("reenact login URL"));
    assert_eq!(
        credentials::file_path(None, Some(Path::new("/h"))).unwrap(),
        Path::new("/h/.config/reenact/credentials.toml")
    );
}

fn source(url: &str, token: &str) -> Source {
    Source { url: Some(url.to_owned()), token: Some(Secret::new(token)) }
}
