//! A real server: the binary's own `serve`, on a free port, over a folder that outlives it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::reenact::Home;

pub struct Server {
    pub url: String,
    /// On the first start: where the first admin signs in.
    pub sign_in: Option<String>,
    child: Child,
}

impl Server {
    /// Starts over `data` and waits until it says that it answers.
    pub fn start(data: &Path) -> Self {
        Self::start_at(data, "127.0.0.1:0")
    }

    /// The same at an address.
    pub fn start_at(data: &Path, address: &str) -> Self {
        Self::start_as(&Home::new(), data, address)
    }

    /// Starts over data that another server has left behind, with a cache that has the Python environment.
    pub fn start_again(data: &Path, cache: &str) -> Self {
        std::fs::write(data.join("started-before"), "").unwrap();
        Self::start_as(&Home::new().with("REENACT_CACHE", cache), data, "127.0.0.1:0")
    }

    fn start_as(home: &Home, data: &Path, address: &str) -> Self {
        let mut command = home.command(&["serve", "--listen", address, "--log", "warn", "--data"]);
        let mut child = command.arg(data).stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let first = lines.next().expect("the server said nothing");
        let url = first.strip_prefix("reenact is listening on ").expect("another first line").to_owned();
        // The second line is there on the first start alone; a database that is there already tells which it is.
        let is_first = !data.join("started-before").exists();
        let sign_in = is_first.then(|| lines.next().unwrap());
        std::fs::write(data.join("started-before"), "").unwrap();
        Self { url, sign_in, child }
    }

    /// A home whose commands speak to this server with this token.
    pub fn home(&self, token: &str) -> Home {
        Home::new().with("REENACT_URL", &self.url).with("REENACT_TOKEN", token)
    }

    /// As a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As whoever manages the machine's processes would; gives the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server did not end");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a user, with the command that an operator uses, and gives the token.
pub fn add_user(data: &Path, name: &str) -> String {
    Home::new().ask(&["admin", "user", "add", name, "--data", data.to_str().unwrap()])
}
