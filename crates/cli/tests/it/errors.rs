//! What is said when something is wrong with what was typed or with the way to the server.

use crate::reenact::Home;

#[test]
fn a_name_that_cannot_be_right_is_wrong_usage() {
    insta::assert_snapshot!(Home::new().run(&["info", "iris"]));
    insta::assert_snapshot!(Home::new().run(&["push", ".", "api/iris"]));
}

#[test]
fn without_a_server_the_hint_says_how_to_name_one() {
    insta::assert_snapshot!(Home::new().run(&["info", "alice/iris"]));
}

#[test]
fn an_address_without_a_scheme_is_refused() {
    insta::assert_snapshot!(Home::new().run(&["login", "localhost:8484", "--token", "x"]));
}

#[test]
fn where_nothing_listens_the_chain_and_a_hint_are_shown() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::new().with("HF_ENDPOINT", &format!("http://{free}"));
    insta::with_settings!({ filters => vec![(r"127\.0\.0\.1:\d+", "[address]")] }, {
        insta::assert_snapshot!(home.run(&["pull", "alice/iris"]));
    });
}

#[test]
fn rows_that_are_none_are_refused_before_anything_is_sent() {
    let home = Home::new();
    home.write("ragged.csv", "a,b\n1,2\n3\n");
    home.write("other.json", "{\"rows\": []}");
    insta::assert_snapshot!(home.run(&["predict", "alice/iris", "--data", "ragged.csv"]));
    insta::assert_snapshot!(home.run(&["predict", "alice/iris", "--data", "other.json"]));
    insta::assert_snapshot!(home.run(&["predict", "alice/iris", "--data", "none.csv"]));
}

#[test]
fn a_setting_that_cannot_be_read_is_named() {
    let home = Home::new();
    insta::assert_snapshot!(home.run(&["serve", "--queue", "many"]));
    home.write("reenact.toml", "lissten = \"x\"");
    insta::assert_snapshot!(home.run(&["serve", "--config", "reenact.toml"]));
    assert!(!home.path().join("reenact-data").exists());
}

#[test]
fn an_empty_folder_is_not_pushed() {
    let home = Home::new().with("REENACT_URL", "http://127.0.0.1:9");
    home.write("model/.git/config", "");
    insta::assert_snapshot!(home.run(&["push", "model", "alice/iris"]));
}

#[test]
fn whoever_closes_our_output_early_is_no_failure() {
    use std::io::Read;
    let mut child = Home::new().command(&["completions", "zsh"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}
