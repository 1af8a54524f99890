//! What in a run cannot be reproduced, for people: one block for each cause, and what a patch came to.
//!
//! Knows nothing of how it was found out.

use spec::diagnosis::{Cause, Cure, Diagnosis, Patch};

/// The most places that are listed for one cause.
const PLACES: usize = 6;

pub fn text(found: &Diagnosis) -> String {
    let mut text = String::new();
    for (n, cause) in found.causes.iter().enumerate() {
        text.push_str(&block(n + 1, cause));
    }
    let n_cured = found.causes.iter().filter(|cause| cause.cure <= Cure::Patch).count();
    let n_source = found.causes.iter().filter(|cause| cause.cure == Cure::Source).count();
    text.push_str(&match (n_cured, n_source) {
        (0, 0) => "nothing was found that makes another run here differ\n".to_owned(),
        (n_cured, 0) => format!("{n_cured} causes, and none needs a change to the program\n"),
        (n_cured, n_source) => {
            format!("{} causes, of which {n_source} need a change to the program\n", n_cured + n_source)
        }
    });
    if let Some(patch) = &found.patch {
        text.push_str(&said(patch));
    }
    text
}

fn block(n: usize, cause: &Cause) -> String {
    let mut text = format!("{n}. {}\n", cause.summary);
    if !cause.places.is_empty() {
        let listed: Vec<&str> = cause.places.iter().take(PLACES).map(String::as_str).collect();
        let more = match cause.places.len().saturating_sub(PLACES) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        text.push_str(&format!("   at      {}{more}\n", listed.join(", ")));
    }
    text + &format!("   cure    {}\n   remedy  {}\n", cause.cure.as_str(), cause.remedy)
}

fn said(patch: &Patch) -> String {
    let mut text = match patch.is_proven {
        true => "with the patch two runs are bitwise the same\n".to_owned(),
        false => "with the patch two runs still differ\n".to_owned(),
    };
    patch.findings.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    text.push_str(&format!("to use it: . {}/env\n", shown(&patch.folder)));
    patch.variables.iter().for_each(|(name, value)| text.push_str(&format!("  {name}={value}\n")));
    text
}

/// A shell looks for a name without a slash elsewhere.
fn shown(folder: &str) -> String {
    if folder.contains('/') { folder.to_owned() } else { format!("./{folder}") }
}
