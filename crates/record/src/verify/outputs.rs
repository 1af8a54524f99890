//! C4: the bytes of all outputs that are neither weights nor predictions.

use std::fs::File;

use spec::criteria::{Criterion, Finding, Standing};

use super::side::{Kind, Pair, Side, pair, paths};
use super::{LISTED, differs, standing, weights};
use crate::error::{Error, at};

pub(super) fn compare(a: &Side, b: &Side) -> Result<Finding, Error> {
    let all = paths(a, b, Kind::Other);
    let mut differences = Vec::new();
    for path in &all {
        let difference = match pair(a, b, path)? {
            Pair::Files(in_a, in_b) => {
                let (file_a, file_b) = (
                    File::open(in_a).map_err(at("read", in_a))?,
                    File::open(in_b).map_err(at("read", in_b))?,
                );
                let are_equal = weights::are_equal((in_a, &file_a), (in_b, &file_b))?;
                let n_bytes = |file: &File| file.metadata().map_or(0, |about| about.len());
                let told = |file: &File| format!("{} bytes", n_bytes(file));
                (!are_equal).then(|| differs(*path, told(&file_a), told(&file_b)))
            }
            Pair::Equal => None,
            Pair::Different(difference) => Some(difference),
        };
        differences.extend(difference);
    }
    let standing = standing(all.len(), differences.len());
    let summary = match (standing, differences.first()) {
        (Standing::Different, Some(first)) => {
            format!("{} of {} other outputs differ, first `{}`", differences.len(), all.len(), first.what)
        }
        (Standing::Equal, _) => format!("{} other outputs, byte for byte", all.len()),
        _ => "neither run has other outputs".to_owned(),
    };
    differences.truncate(LISTED);
    Ok(Finding { criterion: Criterion::Outputs, standing, summary, differences })
}
