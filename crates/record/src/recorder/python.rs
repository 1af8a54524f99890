//! Whether a Python was told to leave our hooks out.
//!
//! It reads the words of the command only. Invariant: what stands behind the script or module is the script's.

use std::path::Path;

/// What is to be said of a Python that was started without what `PYTHONPATH` names.
pub(crate) fn warning(program: &Path, command: &[String]) -> Option<String> {
    let name = program.file_name()?.to_str()?;
    if !name.starts_with("python") {
        return None;
    }
    let words = command.get(1..)?.iter().take_while(|word| word.starts_with('-') && *word != "-");
    let ours = |word: &&String| !word.starts_with("--") && word.contains(['I', 'E', 'S']);
    // Behind `-c` and `-m` stands code or the name of a module, in the same word or in the next.
    let mut own = words.take_while(|word| !word.starts_with("-c") && !word.starts_with("-m"));
    let word = own.find(|word| !word.starts_with("-W") && !word.starts_with("-X") && ours(word))?;
    Some(format!(
        "python was started with `{word}`, so its metrics were not taken and tasks of pools have no seeds of their own"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_warned(words: &[&str]) -> bool {
        let command: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        warning(Path::new("/usr/bin/python3.11"), &command).is_some()
    }

    #[test]
    fn options_that_leave_the_hooks_out_are_told_from_those_of_the_script() {
        assert!(is_warned(&["python", "-I", "t.py"]) && is_warned(&["python", "-uE", "t.py"]));
        assert!(!is_warned(&["python", "t.py", "-I"]) && !is_warned(&["python", "-u", "-m", "train", "-S"]));
        assert!(!is_warned(&["python", "-WIgnore", "t.py"]) && !is_warned(&["python", "-c", "I"]));
    }
}
