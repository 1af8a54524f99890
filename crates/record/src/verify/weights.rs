//! C1: the tensors of both runs, bit by bit. Containers are not compared: a time stamp in an archive is no weight.
//!
//! Invariants: memory does not grow with the files; of two files that differ, something is said to differ unless all
//! that can be learned in them is equal. A file of weights in which no tensors are found, or not all of which can be
//! followed, is compared as the bytes that it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use inspect::distance::{self, Distance, PIECE_BYTES};
use inspect::tensors::{Bytes, Tensor, Tensors};
use spec::criteria::{Criterion, Difference, Finding, Standing, TensorFinding};

use super::side::{Kind, Pair, Side, pair, paths};
use super::{LISTED, NOTHING, differs, standing};
use crate::capsule as folder;
use crate::error::{Error, at};

pub(super) struct Weights {
    pub(super) finding: Finding,
    /// Those that differ.
    pub(super) tensors: Vec<TensorFinding>,
    /// Whether both runs have the same tensors, of the same types and shapes.
    pub(super) is_same_form: bool,
}

/// What was counted on the way.
#[derive(Default)]
struct Count {
    n_files: usize,
    n_tensors: usize,
    tensors: Vec<TensorFinding>,
    /// Tensors or files that one run has and the other has not, or has in another form.
    forms: Vec<Difference>,
}

/// What a pickle holds besides arrays.
pub(super) const OTHERS: &str = "all that is no array";

pub(super) fn compare(a: &Side, b: &Side) -> Result<Weights, Error> {
    let mut count = Count::default();
    for path in paths(a, b, Kind::Weights) {
        match pair(a, b, path)? {
            Pair::Files(file_a, file_b) => count.file(path, file_a, file_b)?,
            Pair::Equal => count.add_equal(1),
            Pair::Different(difference) => count.forms.push(difference),
        }
    }
    let standing = standing(count.n_files, count.n_different());
    let mut differences = count.forms.clone();
    differences.extend(count.tensors.iter().map(|tensor| {
        let many = format!("{} of its elements differ", tensor.n_different);
        differs(&tensor.name, many, format!("by up to {:e}", tensor.max_absolute))
    }));
    differences.truncate(LISTED);
    let summary = count.summary(standing);
    let finding = Finding { criterion: Criterion::Weights, standing, summary, differences };
    Ok(Weights { finding, is_same_form: count.forms.is_empty(), tensors: count.tensors })
}

impl Count {
    fn summary(&self, standing: Standing) -> String {
        let files = format!("{} file{}", self.n_files, if self.n_files == 1 { "" } else { "s" });
        match (standing, self.forms.first(), self.tensors.first()) {
            (Standing::NotComparable, ..) => "neither run has files of weights".to_owned(),
            (Standing::Equal, ..) => format!("{} tensors in {files}, all bits equal", self.n_tensors),
            (_, Some(form), _) => {
                format!("`{}` is not the same in both: {} and {}", form.what, form.a, form.b)
            }
            (_, None, Some(tensor)) => {
                let at = tensor.first_different.map_or_else(String::new, |at| format!(" at element {at}"));
                let n = self.tensors.len();
                format!("{n} of {} tensors differ, first `{}`{at}", self.n_tensors, tensor.name)
            }
            _ => String::new(),
        }
    }

    fn n_different(&self) -> usize {
        self.tensors.len() + self.forms.len()
    }

    fn add_equal(&mut self, n_tensors: usize) {
        self.n_files += 1;
        self.n_tensors += n_tensors.max(1);
    }

    fn file(&mut self, path: &str, a: &Path, b: &Path) -> Result<(), Error> {
        let (mut file_a, mut file_b) = (open(a)?, open(b)?);
        let in_a = inspect::tensors::tensors(path, &mut file_a);
        if are_equal((a, &file_a), (b, &file_b))? {
            self.add_equal(in_a.map_or(1, |tensors| tensors.found.len()));
            return Ok(());
        }
        self.n_files += 1;
        let in_b = inspect::tensors::tensors(path, &mut file_b);
        let (Some(in_a), Some(in_b)) = (in_a, in_b) else {
            return self.bytes(path, (a, &file_a), (b, &file_b));
        };
        let is_complete = in_a.is_complete && in_b.is_complete;
        let is_empty = in_a.found.is_empty() && in_b.found.is_empty();
        let n_told = self.n_different();
        self.tensors(path, (a, &file_a, in_a), (b, &file_b, in_b))?;
        if !is_complete {
            return self.bytes(path, (a, &file_a), (b, &file_b));
        }
        if self.n_different() > n_told {
            return Ok(());
        }
        match (others(path, (a, &mut file_a))?, others(path, (b, &mut file_b))?) {
            (None, None) if is_empty => self.bytes(path, (a, &file_a), (b, &file_b))?,
            (others_a, others_b) if others_a != others_b => {
                let told = |digest: Option<String>| digest.unwrap_or_else(|| NOTHING.to_owned());
                self.forms.push(differs(format!("{path}: {OTHERS}"), told(others_a), told(others_b)));
            }
            _ => {}
        }
        Ok(())
    }

    /// A file in which there are no tensors to be found is one tensor of bytes.
    fn bytes(&mut self, path: &str, a: (&Path, &File), b: (&Path, &File)) -> Result<(), Error> {
        let whole = |(path, file): (&Path, &File)| {
            let n_bytes = file.metadata().map_err(at("look at", path))?.len();
            let bytes = Bytes::At { offset: 0, n_bytes };
            Ok(Tensor { name: String::new(), datatype: None, shape: vec![n_bytes], bytes })
        };
        let (whole_a, whole_b) = (whole(a)?, whole(b)?);
        self.n_tensors += 1;
        self.pair(path.to_owned(), (a, &whole_a), (b, &whole_b))
    }

    fn tensors(
        &mut self,
        path: &str,
        (path_a, file_a, in_a): (&Path, &File, Tensors),
        (path_b, file_b, in_b): (&Path, &File, Tensors),
    ) -> Result<(), Error> {
        let numbered = |tensors: Tensors| -> BTreeMap<(String, usize), Tensor> {
            let mut met: BTreeMap<String, usize> = BTreeMap::new();
            let mut keyed = BTreeMap::new();
            for tensor in tensors.found {
                let n = met.entry(tensor.name.clone()).or_insert(0);
                keyed.insert((tensor.name.clone(), *n), tensor);
                *n += 1;
            }
            keyed
        };
        let (in_a, in_b) = (numbered(in_a), numbered(in_b));
        self.n_tensors += in_a.len();
        for (key, tensor_a) in &in_a {
            let name = format!("{path}: {}", key.0);
            match in_b.get(key) {
                Some(tensor_b) => {
                    self.pair(name, ((path_a, file_a), tensor_a), ((path_b, file_b), tensor_b))?;
                }
                None => self.forms.push(differs(name, form(tensor_a), NOTHING)),
            }
        }
        for (key, tensor) in in_b.iter().filter(|(key, _)| !in_a.contains_key(*key)) {
            self.forms.push(differs(format!("{path}: {}", key.0), NOTHING, form(tensor)));
        }
        Ok(())
    }

    fn pair(
        &mut self,
        name: String,
        (a, tensor_a): ((&Path, &File), &Tensor),
        (b, tensor_b): ((&Path, &File), &Tensor),
    ) -> Result<(), Error> {
        let is_same_form = tensor_a.shape == tensor_b.shape
            && tensor_a.datatype == tensor_b.datatype
            && tensor_a.bytes.n_bytes() == tensor_b.bytes.n_bytes();
        if !is_same_form {
            self.forms.push(differs(name, form(tensor_a), form(tensor_b)));
            return Ok(());
        }
        let distance = distance((a, tensor_a), (b, tensor_b))?;
        if distance.n_different > 0 {
            self.tensors.push(TensorFinding {
                name,
                datatype: tensor_a.datatype.map_or("bytes", spec::tensor::Datatype::as_str).to_owned(),
                shape: tensor_a.shape.clone(),
                n_different: distance.n_different,
                first_different: distance.first_different,
                max_absolute: told(tensor_a, distance.max_absolute),
                max_relative: told(tensor_a, distance.max_relative),
                max_ulp: distance.max_ulp,
                heat: distance.heat(),
                max_of_largest: if tensor_a.datatype.is_some() {
                    finite(distance.max_of_largest())
                } else {
                    1.0
                },
            });
        }
        Ok(())
    }
}

/// Bytes without a type have no size.
fn told(tensor: &Tensor, value: f64) -> f64 {
    if tensor.datatype.is_some() { finite(value) } else { 0.0 }
}

/// JSON has no infinity.
fn finite(value: f64) -> f64 {
    value.min(f64::MAX)
}

fn form(tensor: &Tensor) -> String {
    let datatype = tensor.datatype.map_or("bytes", spec::tensor::Datatype::as_str);
    let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
    format!("{datatype} ({})", shape.join(", "))
}

/// What a file holds besides its tensors, as a digest; none where that is nothing that can be learned. Two with the
/// same tensors are told apart by it.
pub(super) fn others(name: &str, (path, file): (&Path, &mut File)) -> Result<Option<String>, Error> {
    let pickle = inspect::tensors::pickle(name, file);
    let digest = pickle.map(|pickle| folder::digest_of(pickle).map_err(at("read", path))).transpose()?;
    Ok(digest.map(|(digest, _)| {
        let mut digest = digest.to_string();
        digest.truncate(12);
        digest
    }))
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(at("read", path))
}

/// Whether two files hold the same bytes.
pub(super) fn are_equal(a: (&Path, &File), b: (&Path, &File)) -> Result<bool, Error> {
    let n_bytes = |(path, file): (&Path, &File)| Ok(file.metadata().map_err(at("look at", path))?.len());
    let (n_a, n_b) = (n_bytes(a)?, n_bytes(b)?);
    let whole = Bytes::At { offset: 0, n_bytes: n_a };
    Ok(n_a == n_b && !pieces((a, &whole), (b, &whole), |piece_a, piece_b| piece_a == piece_b)?)
}

fn distance(a: ((&Path, &File), &Tensor), b: ((&Path, &File), &Tensor)) -> Result<Distance, Error> {
    distance::between(a.1, |side, from, space| match side {
        distance::Side::A => fill(a.0, &a.1.bytes, from, space),
        distance::Side::B => fill(b.0, &b.1.bytes, from, space),
    })
}

/// Reads two ranges of one length side by side, until `goes_on` says no; whether it did.
fn pieces(
    (a, in_a): ((&Path, &File), &Bytes),
    (b, in_b): ((&Path, &File), &Bytes),
    mut goes_on: impl FnMut(&[u8], &[u8]) -> bool,
) -> Result<bool, Error> {
    let n_bytes = in_a.n_bytes();
    let (mut space_a, mut space_b) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut done = 0;
    while done < n_bytes {
        let n = usize::try_from(n_bytes - done).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let (piece_a, piece_b) = (&mut space_a[..n], &mut space_b[..n]);
        fill(a, in_a, done, piece_a)?;
        fill(b, in_b, done, piece_b)?;
        if !goes_on(piece_a, piece_b) {
            return Ok(true);
        }
        done += n as u64;
    }
    Ok(false)
}

/// Reads a range piece by piece.
pub(super) fn each_piece(
    from: (&Path, &File),
    bytes: &Bytes,
    mut take: impl FnMut(&[u8]),
) -> Result<(), Error> {
    let n_bytes = bytes.n_bytes();
    let mut space = vec![0; PIECE_BYTES];
    let mut done = 0;
    while done < n_bytes {
        let n = usize::try_from(n_bytes - done).unwrap_or(usize::MAX).min(PIECE_BYTES);
        fill(from, bytes, done, &mut space[..n])?;
        take(&space[..n]);
        done += n as u64;
    }
    Ok(())
}

fn fill((path, file): (&Path, &File), bytes: &Bytes, from: u64, space: &mut [u8]) -> Result<(), Error> {
    match bytes {
        Bytes::At { offset, .. } => file.read_exact_at(space, offset + from).map_err(at("read", path)),
        Bytes::Held(bytes) => {
            let held = usize::try_from(from).ok().and_then(|from| bytes.get(from..)?.get(..space.len()));
            space.copy_from_slice(held.unwrap_or(&vec![0; space.len()]));
            Ok(())
        }
    }
}
