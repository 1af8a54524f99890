//! The demo, and live models by the command line. They need the Python environment, which takes a minute and the
//! network to make: `REENACT_TEST_DEMO=1` runs them, with the cache of `REENACT_CACHE` where that is set.

use std::fs;

use crate::reenact::Home;
use crate::server::Server;

#[test]
fn the_demo_puts_two_models_live_that_the_command_line_can_ask() {
    if std::env::var_os("REENACT_TEST_DEMO").is_none() {
        eprintln!("skipped: REENACT_TEST_DEMO is not set");
        return;
    }
    let cache = std::env::var("REENACT_CACHE").unwrap_or_else(|_| "cache".into());
    let home = Home::new().with("REENACT_CACHE", &cache);
    let said = home.ask(&["demo", "--once", "--data", "data"]);
    for name in ["demo/digits", "demo/breast-cancer", "checked: 8 addresses answer 200"] {
        assert!(said.contains(name), "`{name}` is missing\n{said}");
    }

    let data = home.path().join("data");
    let token = fs::read_to_string(data.join("demo-token")).unwrap();
    let server = Server::start_again(&data, &cache);
    let owner = server.home(&token);
    let blank = format!("[[{}]]", ["0"; 64].join(","));
    owner.write("rows.json", &blank);
    let table = owner.ask(&["predict", "demo/digits", "--data", "rows.json"]);
    assert!(table.starts_with("prediction\n") && table.lines().count() == 2, "{table}");
    owner.write("short.json", "[[1, 2]]");
    let refused = owner.run(&["predict", "demo/digits", "--data", "short.json"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("hint: "), "{refused}");

    let address = owner.ask(&["deploy", "demo/digits", "--wait"]);
    assert_eq!(address, format!("{}/endpoints/demo/digits/", server.url));
    let shown = owner.ask(&["endpoints", "show", "demo/digits"]);
    assert!(shown.contains("state      ready") && shown.contains("weights    sha256:"), "{shown}");
    owner.ask(&["endpoints", "stop", "demo/digits"]);
    let stopped = owner.run(&["predict", "demo/digits", "--data", "rows.json"]);
    assert!(stopped.code == Some(1) && stopped.stderr.contains("stopped"), "{stopped}");
    assert_eq!(server.terminate(), Some(0));
}
