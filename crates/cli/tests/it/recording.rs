//! What a recording keeps and refuses, and what a replay says when it cannot give back what was.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::reenact::{Ended, Home};
use crate::reproducing::python;

/// Draws, and says what.
const DRAW: &str = "import os\nprint(os.urandom(8).hex())\n";

fn record(home: &Home, name: &str, command: &[&str]) -> Ended {
    home.run(&[&["record", "-o", name, "--"], command].concat())
}

fn capsule(home: &Home, name: &str) -> Value {
    let text = std::fs::read(home.path().join(name).join("capsule.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn a_recording_ends_as_its_command_does() {
    let home = Home::new();
    let ended = record(&home, "a", &["sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(7), "out\n"), "{ended}");
    assert!(ended.stderr.starts_with("err\n") && ended.stderr.contains("capsule: a"), "{ended}");
    assert_eq!(record(&home, "b", &["sh", "-c", "kill -9 $$"]).code, Some(137));
    let missing = record(&home, "c", &["no-such-program"]);
    assert!(
        missing.code == Some(1) && missing.stderr.contains("`no-such-program` was not found"),
        "{missing}"
    );
    let taken = record(&home, "a", &["true"]);
    assert!(taken.code == Some(1) && taken.stderr.contains("`a` is not empty"), "{taken}");
}

#[test]
fn runs_are_listed_shown_and_deleted() {
    let home = Home::new();
    home.write("t.py", DRAW);
    home.ask(&["record", "--name", "first", "--", &python(), "t.py"]);
    record(&home, "elsewhere", &["true"]);
    let listed = home.ask(&["runs"]);
    let (newest, oldest) = (listed.find("elsewhere").unwrap(), listed.find("first").unwrap());
    assert!(newest < oldest, "{listed}");
    let shown = home.ask(&["runs", "show", "first"]);
    assert!(shown.contains("code         t.py") && shown.contains("entropy "), "{shown}");
    home.ask(&["runs", "rm", "elsewhere"]);
    assert!(!home.path().join("elsewhere").exists() && !home.ask(&["runs"]).contains("elsewhere"));
    assert_eq!(home.run(&["runs", "show", "elsewhere"]).code, Some(1));
}

#[test]
fn a_draw_too_many_is_named_and_can_be_allowed() {
    let home = Home::new();
    home.write("extra", "");
    home.write("t.py", "import os\nif open('extra').read(): os.urandom(5)\nprint(os.urandom(8).hex())\n");
    record(&home, "a", &[&python(), "t.py"]);
    // The capsule's own input is changed together with its digest, as somebody would who edits a capsule.
    let mut edited = capsule(&home, "a");
    let extra =
        edited["inputs"].as_array_mut().unwrap().iter_mut().find(|file| file["path"] == "extra").unwrap();
    extra["sha256"] = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881".into();
    home.write("a/inputs/extra", "x");
    home.write("a/capsule.json", edited.to_string());

    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert_eq!(replayed.code, Some(1), "{replayed}");
    assert!(replayed.stdout.contains("in process `r`, thread main, draw"), "{replayed}");
    assert!(replayed.stdout.contains("drew 5 bytes"), "{replayed}");
    let strict = home.run(&["replay", "a", "-o", "c", "--strict"]);
    assert!(strict.code == Some(1) && strict.stderr.contains("it ends here"), "{strict}");
    let allowed = home.run(&["replay", "a", "-o", "d", "--allow-divergence"]);
    assert_eq!(allowed.code, Some(0), "the rest of the draws were given again\n{allowed}");
}

#[test]
fn a_capsule_that_was_changed_is_refused_and_says_where() {
    let home = Home::new();
    home.write("t.py", "import os\nprint(os.urandom(8).hex(), open('data/in.txt').read())\n");
    home.write("data/in.txt", "1\n");
    record(&home, "a", &[&python(), "t.py"]);
    home.write("a/inputs/data/in.txt", "2\n");
    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert!(replayed.code == Some(1) && replayed.stderr.contains("`inputs/data/in.txt`"), "{replayed}");
    std::fs::remove_file(home.path().join("a/inputs/data/in.txt")).unwrap();
    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert!(replayed.stderr.contains("`inputs/data/in.txt` is missing"), "{replayed}");

    let good = capsule(&home, "a");
    for (field, value, said) in [
        ("/format", Value::from(99), "is of format 99"),
        ("/inputs/0/path", Value::from("../../out.txt"), "is no path inside"),
        ("/code/0/path", Value::from("/etc/passwd"), "is no path inside"),
        ("/exit", Value::from("x"), "is not readable as a capsule"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(field).unwrap() = value;
        home.write("a/capsule.json", bad.to_string());
        let replayed = home.run(&["replay", "a", "-o", "b"]);
        assert!(replayed.code == Some(1) && replayed.stderr.contains(said), "{field}\n{replayed}");
    }
    home.write("a/capsule.json", &good.to_string()[..200]);
    assert_eq!(home.run(&["verify", "a", "a"]).code, Some(1));
}

#[test]
fn an_input_elsewhere_must_be_the_recorded_one() {
    let home = Home::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let input = elsewhere.path().join("in.txt");
    std::fs::write(&input, "1").unwrap();
    home.write("t.py", "import sys\nprint(open(sys.argv[1]).read())\n");
    record(&home, "a", &[&python(), "t.py", input.to_str().unwrap()]);
    assert_eq!(home.run(&["replay", "a", "-o", "b"]).code, Some(0));
    std::fs::write(&input, "2").unwrap();
    let changed = home.run(&["replay", "a", "-o", "c"]);
    assert!(changed.code == Some(1) && changed.stderr.contains("is not what the run read"), "{changed}");
    std::fs::remove_file(&input).unwrap();
    let gone = home.run(&["replay", "a", "-o", "d"]);
    assert!(gone.stderr.contains("is not there"), "{gone}");
}

#[test]
fn secrets_stay_out_of_a_capsule() {
    let home = Home::new().with("HF_TOKEN", "hf_inenvironment").with("OMP_NUM_THREADS", "1");
    home.write("t.py", DRAW);
    let recorded = record(&home, "a", &[&python(), "t.py", "--api-key", "incommand"]);
    assert!(recorded.stderr.contains("look like secrets"), "{recorded}");
    assert_eq!(capsule(&home, "a")["variables"]["OMP_NUM_THREADS"], "1");
    let mut left = vec![home.path().join("a")];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains("inenvironment") && !text.contains("incommand"), "{}", path.display());
        }
    }
    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert!(replayed.code == Some(1) && replayed.stderr.contains("taken out as a secret"), "{replayed}");
}

#[test]
fn pins_are_set_kept_and_given_back_and_the_users_own_win() {
    let home = Home::new().with("OMP_NUM_THREADS", "1");
    home.write("t.py", "import os\nprint(os.environ['OPENBLAS_CORETYPE'], os.environ['OMP_NUM_THREADS'])\n");
    let ended = home.run(&["record", "-o", "a", "--pin", "--", &python(), "t.py"]);
    assert_eq!(ended.stdout, "Haswell 1\n", "{ended}");
    let other = Home::new().with("OPENBLAS_CORETYPE", "SkylakeX").with("MKL_CBWR", "COMPATIBLE");
    let from = home.path().join("a");
    let replayed = other.run(&["replay", from.to_str().unwrap(), "-o", "b"]);
    assert!(replayed.code == Some(0) && replayed.stdout.starts_with("Haswell 1\n"), "{replayed}");
}

#[test]
fn another_instruction_set_is_blamed() {
    let home = Home::new();
    home.write("t.py", "import os\nopen('out.txt', 'w').write(os.environ.get('MKL_CBWR', 'none'))\n");
    for (name, isa) in [("a", "AVX2"), ("b", "SSE4_2")] {
        let mut command = home.command(&["record", "-o", name, "--", &python(), "t.py"]);
        assert!(command.env("MKL_CBWR", isa).status().unwrap().success());
    }
    let ended = home.run(&["verify", "a", "b"]);
    assert!(ended.stdout.contains("variable MKL_CBWR is `AVX2` and `SSE4_2`"), "{ended}");
}

#[test]
fn what_the_user_preloads_is_kept() {
    let home = Home::new().with("LD_PRELOAD", "libm.so.6");
    home.write(
        "t.py",
        "import os, subprocess, sys\nprint(os.environ['LD_PRELOAD'])\nsys.stdout.flush()\n\
                        subprocess.run(['sh', '-c', 'echo $LD_PRELOAD'], env={'LD_PRELOAD': 'libdl.so.2'})\n",
    );
    let ended = record(&home, "a", &[&python(), "t.py"]);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0].ends_with("/shim.so:libm.so.6"), "{ended}");
    assert!(lines[1].ends_with("/shim.so:libdl.so.2"), "{ended}");
}

#[test]
fn two_recordings_at_once_do_not_mix() {
    let home = Home::new();
    home.write(
        "t.py",
        "import os, time\nfor _ in range(50):\n    print(os.urandom(8).hex()); time.sleep(0.005)\n",
    );
    let start = |name: &str| home.command(&["record", "-o", name, "--", &python(), "t.py"]).spawn().unwrap();
    let both = [start("a"), start("b")].map(|child| child.wait_with_output().unwrap());
    assert!(both.iter().all(|output| output.status.success()) && both[0].stdout != both[1].stdout);
    for name in ["a", "b"] {
        let replayed = home.run(&["replay", name, "-o", &format!("{name}-again")]);
        assert_eq!(replayed.code, Some(0), "{replayed}");
    }
}

#[test]
fn a_recorder_that_is_killed_leaves_what_was_drawn_and_says_that_it_is_incomplete() {
    let home = Home::new();
    home.write(
        "t.py",
        "import os, sys, time\nprint(os.urandom(8).hex()); sys.stdout.flush()\ntime.sleep(60)\n",
    );
    let mut child = home.command(&["record", "-o", "a", "--", &python(), "t.py"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let said = home.path().join("a/stdout.txt");
    while std::fs::read_to_string(&said).map_or(true, |text| text.len() < 17) {
        assert!(Instant::now() < deadline, "it never drew");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(capsule(&home, "a")["state"], "incomplete");
    let bytes = std::fs::read(home.path().join("a/entropy/r.log")).unwrap();
    let log = spec::capsule::log::read(&bytes).unwrap();
    let drawn: Vec<String> =
        log.draws().map(|draw| draw.payload.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    let said = std::fs::read_to_string(said).unwrap();
    assert!(log.is_whole && drawn.contains(&said.trim().to_owned()), "{drawn:?}");
    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert!(replayed.code == Some(1) && replayed.stderr.contains("did not come to its end"), "{replayed}");
}

#[test]
fn a_program_that_the_shim_cannot_see_is_named() {
    let home = Home::new();
    home.write("static", static_program());
    let path = home.path().join("static");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ended = record(&home, "a", &["./static"]);
    assert!(ended.code == Some(3) && ended.stderr.contains("is linked statically"), "{ended}");
}

/// The smallest program for Linux on x86-64 that ends with 3.
fn static_program() -> Vec<u8> {
    let address = 0x40_0000_u64;
    let code = [0xbf, 3, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([2_u16, 62].map(u16::to_le_bytes).concat());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([address + 120, 64, 0].map(u64::to_le_bytes).concat());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend([64_u16, 56, 1, 0, 0, 0].map(u16::to_le_bytes).concat());
    bytes.extend([1_u32, 5].map(u32::to_le_bytes).concat());
    let size = 120 + code.len() as u64;
    bytes.extend([0, address, address, size, size, 0x1000].map(u64::to_le_bytes).concat());
    bytes.extend(code);
    bytes
}

#[test]
fn runs_with_nothing_in_common_are_not_comparable() {
    let home = Home::new();
    for name in ["a", "b"] {
        std::fs::create_dir(home.path().join(name)).unwrap();
    }
    let ended = home.run(&["verify", "a", "b"]);
    assert!(ended.code == Some(2) && ended.stdout.contains("verdict: not comparable"), "{ended}");
    home.write("a/notes.txt", "x");
    home.write("b/notes.txt", "y");
    assert_eq!(home.run(&["verify", "a", "b"]).code, Some(1));
    home.write("b/notes.txt", "x");
    assert_eq!(home.run(&["verify", "a", "b", "--html", "page.html"]).code, Some(0));
    let page = std::fs::read_to_string(home.path().join("page.html")).unwrap();
    assert!(page.contains("bitwise") && !page.contains("http"), "{page}");
}

#[test]
fn a_file_that_is_too_long_to_hash_is_left_out_when_asked_and_is_said_to_be() {
    let home = Home::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let long = elsewhere.path().join("long.bin");
    let resize = |n_bytes: u64| std::fs::File::create(&long).unwrap().set_len(n_bytes).unwrap();
    resize(100_000_000_000);
    home.write(
        "t.py",
        "import os, sys\nfile = open(sys.argv[1], 'rb')\nprint(len(file.read(9)), os.urandom(4).hex())\n",
    );
    let python = python();
    let command = ["--", &python, "t.py", long.to_str().unwrap()];
    let ended = home.run(&[&["record", "-o", "a", "--hash-up-to", "20 GiB"], &command[..]].concat());
    let said = "was read and not hashed (100000000000 bytes)";
    assert!(ended.code == Some(0) && ended.stderr.contains(said), "{ended}");
    assert_eq!(capsule(&home, "a")["unhashed"][0]["n_bytes"], 100_000_000_000_u64);
    assert!(home.ask(&["runs", "show", "a"]).contains("not hashed"));
    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert!(replayed.code == Some(0) && replayed.stderr.contains(said), "{replayed}");
    resize(99_000_000_000);
    let changed = home.run(&["replay", "a", "-o", "c"]);
    assert!(
        changed.code == Some(1) && changed.stderr.contains("99000000000 bytes, recorded was"),
        "{changed}"
    );
    // One that is hashed shows how far that is.
    resize(1 << 30);
    let ended = home.run(&[&["record", "-o", "d"], &command[..]].concat());
    assert!(
        ended.stderr.contains("0.0 of 1.1 GB") && capsule(&home, "d")["inputs"][0]["n_bytes"] == 1 << 30,
        "{ended}"
    );
    let quiet =
        home.run(&[&["record", "--quiet", "-o", "e", "--hash-up-to", "1 MiB"], &command[..]].concat());
    assert!(!quiet.stderr.contains("hashing"), "{quiet}");
    let wrong = home.run(&["record", "--hash-up-to", "many", "--", "true"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("a size is a number and a unit"), "{wrong}");
}

#[test]
fn a_command_that_runs_out_of_memory_is_recorded_to_its_end() {
    let home = Home::new();
    home.write("t.py", "import os\nprint(os.urandom(8).hex())\nrows = bytearray(10**10)\n");
    let limited = format!("ulimit -v 2000000; exec {} t.py", python());
    let ended = record(&home, "a", &["sh", "-c", &limited]);
    assert!(ended.code == Some(1) && ended.stderr.contains("MemoryError"), "{ended}");
    assert_eq!(
        (&capsule(&home, "a")["state"], &capsule(&home, "a")["exit"]["code"]),
        (&"complete".into(), &1.into())
    );
    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert!(replayed.stdout.starts_with(&ended.stdout), "{replayed}");
}

#[test]
fn what_is_written_outside_of_the_folder_is_said_to_be_no_output() {
    let elsewhere = tempfile::Builder::new().prefix("elsewhere").tempdir().unwrap();
    let out = elsewhere.path().join("out.txt");
    let home = Home::new();
    home.write("t.py", "import sys\nopen(sys.argv[1], 'w').write('x')\nopen('own.txt', 'w').write('y')\n");
    let ended = record(&home, "a", &[&python(), "t.py", out.to_str().unwrap()]);
    let said = format!("outside of the run's folder it wrote `{}`, which is no output", out.display());
    assert!(ended.code == Some(0) && ended.stderr.contains(&said), "{ended}");
    let outputs = capsule(&home, "a")["outputs"].clone();
    assert!(outputs.as_array().unwrap().len() == 1 && outputs[0]["path"] == "own.txt", "{outputs}");
}

/// A small environment of its own, as a user of `uv` makes it; its interpreter.
pub fn environment(home: &Home) -> String {
    let uv = std::path::Path::new(&python()).with_file_name("uv");
    let uv = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&uv);
        let ended = command.args(arguments).current_dir(home.path()).output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    };
    uv(&["venv", "--quiet", "--python", &python(), "own"]);
    uv(&["pip", "install", "--quiet", "--python", "own/bin/python", "idna==3.10"]);
    home.path().join("own/bin/python").display().to_string()
}

/// The same home with `uv` on its path, and with what this machine takes to reach an index of packages.
pub fn with_uv(home: Home) -> Home {
    let folder = std::path::Path::new(&python()).parent().unwrap().to_owned();
    let own = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&own))).unwrap();
    let of_network = |name: &str| {
        name.starts_with("UV_") || name.starts_with("SSL_CERT") || name.to_lowercase().ends_with("_proxy")
    };
    let variables = std::env::vars().filter(|(name, _)| of_network(name));
    let home = variables.fold(home, |home, (name, value)| home.with(&name, &value));
    home.with("PATH", path.to_str().unwrap())
}

#[test]
fn a_python_that_is_gone_is_made_anew_with_its_packages_when_asked() {
    let home = with_uv(Home::new());
    let own = environment(&home);
    home.write(
        "t.py",
        "import idna, random, sys\nprint(idna.__version__, random.random(), sys.prefix != sys.base_prefix)\n",
    );
    let recorded = record(&home, "a", &[&own, "t.py"]);
    assert!(recorded.code == Some(0) && recorded.stdout.starts_with("3.10 "), "{recorded}");
    assert_eq!(capsule(&home, "a")["environment"]["packages"]["idna"], "3.10");
    std::fs::remove_dir_all(home.path().join("own")).unwrap();
    let gone = home.run(&["replay", "a", "-o", "gone"]);
    assert!(gone.code == Some(1) && gone.stderr.contains("--env restore"), "{gone}");
    let restored = home.run(&["replay", "a", "-o", "b", "--env", "restore"]);
    let is_same =
        restored.stdout.starts_with(&recorded.stdout) && restored.stdout.contains("verdict: bitwise");
    assert!(restored.code == Some(0) && is_same, "{recorded}\n{restored}");
    // Made once for each list of packages, and what could be more than a name and a version is none.
    let again = home.run(&["replay", "a", "-o", "c", "--env", "restore", "--sandbox", "on"]);
    assert!(again.code == Some(0) && !again.stderr.contains("making Python"), "{again}");
    let mut edited = capsule(&home, "a");
    edited["environment"]["packages"]["idna"] = "3.10 --index-url http://127.0.0.1:9".into();
    home.write("a/capsule.json", edited.to_string());
    let refused = home.run(&["replay", "a", "-o", "d", "--env", "restore"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("is no package"), "{refused}");
}
