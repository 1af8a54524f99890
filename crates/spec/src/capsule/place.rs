//! Where capsules lie in a repository, so that any client of the Hub finds them.
//!
//! Invariant: a path that is made here stays in the folder of its capsule, whatever the capsule calls itself.

/// The folder of all capsules of a repository.
pub const FOLDER: &str = "capsules";

/// Whether a text is the id of a capsule.
pub fn is_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The path of a capsule's record; none where the id is no id.
pub fn record(id: &str) -> Option<String> {
    is_id(id).then(|| format!("{FOLDER}/{id}/capsule.json"))
}

/// The path of the archive with all of a capsule.
pub fn packed(id: &str) -> Option<String> {
    is_id(id).then(|| format!("{FOLDER}/{id}/capsule.zip"))
}

/// The id of the capsule whose record has this path.
pub fn id_of_record(path: &str) -> Option<&str> {
    let id = path.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix("/capsule.json")?;
    is_id(id).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_makes_a_path() {
        let path = record("0123456789ab").unwrap();
        assert_eq!(path, "capsules/0123456789ab/capsule.json");
        assert_eq!(id_of_record(&path), Some("0123456789ab"));
        for id in ["", "../../../etc", "0123456789aB", "0123456789abc", "01234/6789ab"] {
            assert!(record(id).is_none() && packed(id).is_none(), "{id:?}");
        }
        assert_eq!(id_of_record("capsules/deep/0123456789ab/capsule.json"), None);
    }
}
