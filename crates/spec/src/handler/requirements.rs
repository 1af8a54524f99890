//! Lists of packages as strangers write them: names with versions, and nothing that leads elsewhere.
//!
//! A list of requirements may also hold options, addresses and paths, which would have the server read files and
//! speak to hosts of the writer's choice. Invariant: what passes names packages of the index that the operator set.

/// Why a list is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    #[error("line {line}: `{text}` is an option; only packages can be named")]
    Option { line: usize, text: String },
    #[error("line {line}: `{text}` is not taken from the package index")]
    Elsewhere { line: usize, text: String },
    #[error("line {line}: `{text}` does not begin with the name of a package")]
    Name { line: usize, text: String },
}

/// Checks every line of a list, locked or not.
pub fn check(text: &str) -> Result<(), RequirementError> {
    // A line that ends in a backslash goes on in the next.
    let mut is_continued = false;
    for (n, line) in text.lines().enumerate() {
        let words = line.split(" #").next().unwrap_or_default().trim();
        let goes_on = words.ends_with('\\');
        let words = words.trim_end_matches('\\').trim();
        if !(words.is_empty() || words.starts_with('#')) {
            check_line(n + 1, words, is_continued)?;
        }
        is_continued = goes_on;
    }
    Ok(())
}

/// Whether every package comes with the digests of its files.
pub fn is_locked(text: &str) -> bool {
    text.contains("--hash=sha256:")
}

/// Whether a list, locked or not, has a package of this name, which is in lower case.
pub fn has(text: &str, package: &str) -> bool {
    text.lines().any(|line| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name = line.trim().split(|c: char| !is_name(c)).next().unwrap_or_default();
        name.replace(['_', '.'], "-").eq_ignore_ascii_case(package)
    })
}

fn check_line(line: usize, words: &str, is_continued: bool) -> Result<(), RequirementError> {
    let told = |word: &str| word.chars().take(80).collect::<String>();
    for (place, word) in words.split_whitespace().enumerate() {
        let is_first = place == 0 && !is_continued;
        let is_hash = !is_first && word.strip_prefix("--hash=sha256:").is_some_and(is_hex);
        if word.starts_with('-') && !is_hash {
            return Err(RequirementError::Option { line, text: told(word) });
        }
        let leads_elsewhere = word.contains('@') || word.contains("//") || word.contains('\\');
        if leads_elsewhere || (is_first && word.contains(['/', ':'])) {
            return Err(RequirementError::Elsewhere { line, text: told(words) });
        }
        if is_first && !word.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(RequirementError::Name { line, text: told(word) });
        }
        if is_first && [".whl", ".zip", ".tar.gz"].iter().any(|end| word.ends_with(end)) {
            return Err(RequirementError::Elsewhere { line, text: told(word) });
        }
    }
    Ok(())
}

fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_versions_extras_and_markers_pass() {
        let hash = format!("--hash=sha256:{}", "a".repeat(64));
        let text = format!(
            "# what it needs\nnumpy==2.*  # arrays\n\nkeras[jax] >= 3, < 4\nscipy; python_version >= '3.11' and \
             sys_platform == 'linux'\njoblib==1.5.0 \\\n    {hash} \\\n    {hash}\n"
        );
        assert_eq!(check(&text), Ok(()));
        assert!(is_locked(&text) && !is_locked("numpy"));
    }

    #[test]
    fn a_package_is_known_by_its_name_alone() {
        assert!(has("numpy\n Gradio [oauth] >= 5 # pages\n", "gradio") && has("gradio==6.1.0 \\", "gradio"));
        assert!(!has("gradio-client==2\n# gradio\n", "gradio") && !has("", "gradio"));
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for line in [
            "--index-url https://evil.example/simple",
            "-r /etc/passwd",
            "-e .",
            "numpy @ https://evil.example/numpy.whl",
            "numpy@git+ssh://evil.example/x",
            "git+https://evil.example/x",
            "./local",
            "../up",
            "/etc/passwd",
            "file:///etc/passwd",
            "local.whl",
            "numpy --config-settings=x",
            "numpy \\\n--find-links https://evil.example",
            "numpy --hash=sha256:zz",
            "C:\\x",
        ] {
            assert!(check(line).is_err(), "{line}");
            assert!(check(&format!("scipy\n{line}\n")).is_err(), "{line}");
        }
    }
}
