//! Folders that are signed: checked by us and by OpenSSF's `model-signing`, in both directions.

use std::process::{Command, Output};

use crate::reenact::Home;
use crate::reproducing::python;

/// The real `model_signing`, in the folder of a home.
fn model_signing(home: &Home, arguments: &[&str]) -> Output {
    let mut command = Command::new(python());
    command.args(["-m", "model_signing"]).args(arguments).current_dir(home.path());
    command.env("HOME", home.path()).output().unwrap()
}

fn home_with_a_model() -> Home {
    let home = Home::new();
    home.write("model/model.onnx", b"weights");
    home.write("model/deep/er/labels.txt", "a\nb\n");
    home.write("model/deep-er.txt", "sorts otherwise by letters than by folders");
    home.write("model/.gitattributes", "*.onnx filter=lfs\n");
    home
}

#[test]
fn a_folder_that_we_sign_is_verified_by_model_signing() {
    let home = home_with_a_model();
    let path = home.ask(&["sign", "model", "--public-key", "alice.pem"]);
    assert!(path.ends_with("model/model.sig"), "{path}");
    let verify = ["verify", "key", "model", "--signature", "model/model.sig", "--public_key", "alice.pem"];
    let checked = model_signing(&home, &verify);
    assert!(checked.status.success(), "{checked:?}");
    // Signed again it is the same, since the signature is over neither itself nor what belongs to git.
    let first = std::fs::read(home.path().join("model/model.sig")).unwrap();
    home.write("model/.gitattributes", "");
    home.ask(&["sign", "model"]);
    assert_eq!(first, std::fs::read(home.path().join("model/model.sig")).unwrap());
    home.write("model/model.onnx", b"Weights");
    assert!(!model_signing(&home, &verify).status.success());
}

#[test]
fn a_folder_that_model_signing_signs_is_checked_by_us() {
    let home = home_with_a_model();
    let keys = "from cryptography.hazmat.primitives.asymmetric import ec\n\
        from cryptography.hazmat.primitives.serialization import *\n\
        key = ec.generate_private_key(ec.SECP256R1())\n\
        own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())\n\
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)\n\
        open('own.pem', 'wb').write(own); open('public.pem', 'wb').write(public)\n";
    let made = Command::new(python()).args(["-c", keys]).current_dir(home.path()).status().unwrap();
    assert!(made.success());
    let signed = model_signing(
        &home,
        &["sign", "key", "model", "--private_key", "own.pem", "--signature", "theirs.sig"],
    );
    assert!(signed.status.success(), "{signed:?}");
    let check = ["sign", "model", "--signature", "theirs.sig", "--public-key", "public.pem", "--check"];
    assert_eq!(home.ask(&check), "all 3 files are as they were signed");
    home.write("model/model.onnx", b"Weights");
    home.write("model/new.txt", "");
    std::fs::remove_file(home.path().join("model/deep-er.txt")).unwrap();
    let ended = home.run(&check);
    let said = ["`model.onnx` was changed", "`deep-er.txt` is not there", "`new.txt` was added"];
    assert!(ended.code == Some(1) && said.iter().all(|said| ended.stderr.contains(said)), "{ended}");
}

#[test]
fn a_signature_by_another_or_over_a_link_is_refused() {
    let home = home_with_a_model();
    home.ask(&["sign", "model", "--public-key", "alice.pem"]);
    let other = Home::new();
    other.write("model/a", "");
    other.ask(&["sign", "model", "--public-key", "bob.pem"]);
    let bob = other.path().join("bob.pem");
    let ended = home.run(&["sign", "model", "--check", "--public-key", bob.to_str().unwrap()]);
    assert!(ended.code == Some(1) && ended.stderr.contains("another key"), "{ended}");
    let ended = home.run(&["sign", "model", "--check", "--public-key", "model/model.onnx"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("no public key"), "{ended}");
    std::os::unix::fs::symlink("/etc/passwd", home.path().join("model/link")).unwrap();
    let ended = home.run(&["sign", "model"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("neither a file nor a folder"), "{ended}");
    let ended = home.run(&["sign", "nowhere"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("`nowhere`"), "{ended}");
}

#[test]
fn a_capsule_can_be_signed_and_is_one_still() {
    let home = Home::new();
    home.ask(&["record", "-o", "first", "--", "sh", "-c", "echo 1 > out.txt"]);
    home.ask(&["sign", "first", "--public-key", "key.pem"]);
    let ended = home.run(&["replay", "first", "-o", "again"]);
    assert_eq!(ended.code, Some(0), "{ended}");
    home.ask(&["sign", "first", "--public-key", "key.pem", "--check"]);
    let record = std::fs::read_to_string(home.path().join("first/capsule.json")).unwrap();
    home.write("first/capsule.json", record.replace("out.txt", "but.txt"));
    let ended = home.run(&["sign", "first", "--public-key", "key.pem", "--check"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("`capsule.json` was changed"), "{ended}");
}
