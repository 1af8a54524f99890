//! PyTorch: the zip archive of a pickle and storages that `torch.save` writes, and the stream of pickles that it
//! wrote before version 1.6.
//!
//! The storages are not read, only measured. Invariant: every pickle in the archive is walked, not only the one
//! that describes the model.

use spec::facts::{Danger, DangerLevel, FileFacts, Format};

use crate::archive::Archive;
use crate::error::Error;
use crate::pickle::value::{Heap, Value};
use crate::pickle::{self, Loader, Walked};
use crate::{limits, shown};

pub(crate) mod tensors;

/// An archive that carries a program beside its weights.
pub(crate) const SCRIPT: &str = "TorchScript";

/// The entry that describes the model: `<name>/data.pkl`.
pub(crate) fn main_entry(archive: &Archive<'_>) -> Option<String> {
    archive.names.iter().find(|name| name.as_str() == "data.pkl" || name.ends_with("/data.pkl")).cloned()
}

/// Fills in what a PyTorch archive says.
pub(crate) fn read(archive: &mut Archive<'_>, main: &str, facts: &mut FileFacts) -> Result<(), Error> {
    facts.format = Format::Pytorch;
    facts.framework = Some("pytorch".to_owned());
    let prefix = main.strip_suffix("data.pkl").unwrap_or_default().to_owned();
    for (entry, key) in [("version", "archive version"), ("byteorder", "byte order")] {
        facts.metadata.extend(
            archive.text(&format!("{prefix}{entry}")).map(|text| (key.to_owned(), shown::short(&text))),
        );
    }
    let has_code = |name: &String| name.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with("code/"));
    if archive.names.iter().any(has_code) {
        script(facts);
    }
    let walked = walk(archive, main)?;
    add_dangers(walked.dangers, None, facts);
    let mut checked = Ok(());
    if let Some(root) = walked.roots.first() {
        describe(&walked.heap, *root, facts);
        checked = check_storages(archive, &prefix, &tensors::storages(&walked.heap, *root));
    }
    let others = archive.names.iter().filter(|name| name.ends_with(".pkl") && name.as_str() != main);
    let others: Vec<_> = others.take(limits::ARCHIVE_PICKLES).cloned().collect();
    for name in others {
        let walked = walk(archive, &name)?;
        add_dangers(walked.dangers, Some(&name), facts);
    }
    walked.error.map_or(checked, Err)
}

/// Whether the pickles of a file are those of `torch.save` before version 1.6: a magic number, a protocol's
/// version, what the machine was, the object, and then raw storages.
pub(crate) fn is_legacy(roots: &[Value]) -> bool {
    matches!(roots, [Value::Forgotten, Value::Int(1001), ..])
}

/// The object in such a file.
pub(crate) fn legacy_root(walked: &Walked) -> Option<Value> {
    is_legacy(&walked.roots).then(|| walked.roots.get(3).copied()).flatten()
}

/// The class that a persistent id of such a file stands for: a network's class comes with its source, which PyTorch
/// only compares. Any other loader's ids are a danger of their own, whatever they seem to stand for.
pub(crate) fn class_of_module(heap: &Heap, id: Value) -> Option<Value> {
    let [kind, class, _, _] = heap.items(id)? else { return None };
    (heap.text(*kind) == Some("module") && heap.global(*class).is_some()).then_some(*class)
}

/// Fills in what the object in such a file says.
pub(crate) fn describe_legacy(walked: &Walked, root: Value, facts: &mut FileFacts) {
    facts.format = Format::Pytorch;
    facts.framework = Some("pytorch".to_owned());
    facts.metadata.insert("archive version".to_owned(), "before 1.6, not a zip".to_owned());
    describe(&walked.heap, root, facts);
}

fn describe(heap: &Heap, root: Value, facts: &mut FileFacts) {
    facts.class = pickle::estimator::class(heap, root);
    let mut budget = pickle::plain::Budget::default();
    // Of a checkpoint, what stands beside the tensors: epoch, learning rate, settings.
    for (key, value) in heap.pairs(root).unwrap_or_default().iter().take(FileFacts::HYPERPARAMETERS) {
        let (Some(key), Some(value)) = (heap.text(*key), pickle::plain::scalar(heap, *value)) else {
            continue;
        };
        facts.hyperparameters.insert(shown::short(key), value);
    }
    tensors::list(heap, root, &mut budget, facts);
}

pub(crate) fn walk(archive: &mut Archive<'_>, name: &str) -> Result<Walked, Error> {
    let n_bytes = archive.n_bytes;
    Ok(pickle::walk(&mut archive.reader(name)?, n_bytes, Loader::Torch))
}

fn script(facts: &mut FileFacts) {
    facts.metadata.insert("kind".to_owned(), SCRIPT.to_owned());
    facts.dangers.push(Danger {
        level: DangerLevel::Unknown,
        what: SCRIPT.to_owned(),
        place: "code/".to_owned(),
        reason: "it carries a program of its own, which is not read here".to_owned(),
    });
}

fn add_dangers(found: Vec<Danger>, entry: Option<&str>, facts: &mut FileFacts) {
    // The classes of a script stand in its own code, which is named as a danger as a whole.
    let is_script = facts.metadata.get("kind").is_some_and(|kind| kind == SCRIPT);
    let own = |danger: &Danger| danger.level == DangerLevel::Unknown && danger.what.starts_with("__torch__.");
    for mut danger in found.into_iter().filter(|danger| !(is_script && own(danger))) {
        if let Some(entry) = entry {
            danger.place = format!("{} of `{}`", danger.place, shown::short(entry));
        }
        facts.dangers.push(danger);
    }
}

/// Whether the archive holds as many bytes as its tensors need.
fn check_storages(archive: &Archive<'_>, prefix: &str, storages: &[tensors::Storage]) -> Result<(), Error> {
    for storage in storages {
        let got = archive.size(&format!("{prefix}data/{}", storage.key)).unwrap_or(0);
        if got < storage.n_bytes {
            return Err(Error::Storage { key: shown::short(&storage.key), wanted: storage.n_bytes, got });
        }
    }
    Ok(())
}
