//! One line of a commit's body: JSON, of which only a file's content may be long.
//!
//! Knows where in a line it stands, which tells a file's content from everything else; the rest of the line is
//! kept and read as JSON. Invariant: what is kept of a line is bounded, so memory is too.

use std::ops::Range;

use axum::body::Bytes;
use futures_util::Stream;
use serde::Deserialize;
use spec::digest::Sha256;
use spec::name::FilePath;
use store::blobs::Spool;

use super::content;
use super::source::Source;
use crate::error::Error;

/// Longest line, a file's content not counted.
const LINE_BYTES: usize = 64 * 1024;

/// What a line says.
#[derive(Debug, Deserialize)]
#[serde(tag = "key", content = "value", rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Line {
    Header(Header),
    File(File),
    LfsFile(LfsFile),
    DeletedFile(Deleted),
    DeletedFolder(Deleted),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    pub(super) summary: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) parent_commit: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) path: FilePath,
    /// Empty: the content itself went another way.
    content: String,
    #[expect(dead_code, reason = "to read it is to check it")]
    encoding: Encoding,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Base64,
}

#[derive(Debug, Deserialize)]
pub(super) struct LfsFile {
    pub(super) path: FilePath,
    pub(super) oid: Sha256,
    /// Left out where a file is copied.
    #[serde(default)]
    pub(super) size: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Deleted {
    /// A folder's may end in `/`.
    pub(super) path: String,
}

/// Reads the next line that is not empty; `None` at the end. A file's content goes into `spool`, which is made when
/// it begins.
pub(super) async fn next<S, E>(
    source: &mut Source<'_, S>,
    spool: impl Fn() -> Spool,
) -> Result<Option<(Line, Option<Spool>)>, Error>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let mut kept = Vec::new();
    let mut place = Place::default();
    let mut content = None;
    loop {
        let block = source.peek().await?;
        let (n_taken, seen) = scan(block, &mut kept, &mut place);
        let is_end = block.is_empty();
        source.take(n_taken);
        if kept.len() > LINE_BYTES {
            let rule = "only the `content` of a file may be longer, and `key` stands before `value`";
            return Err(Error::BadRequest(format!("a line is longer than {LINE_BYTES} bytes: {rule}")));
        }
        match seen {
            Seen::Content => {
                if content.is_some() {
                    return Err(Error::BadRequest("a file has two contents".to_owned()));
                }
                let mut bytes = spool();
                content::read(source, &mut bytes).await?;
                content = Some(bytes);
                kept.push(b'"');
            }
            Seen::Nothing if !is_end => {}
            // The end of a line, and of the body.
            _ if !kept.trim_ascii().is_empty() => return parse(&kept, content).map(Some),
            _ if is_end => return Ok(None),
            _ => kept.clear(),
        }
    }
}

fn parse(kept: &[u8], content: Option<Spool>) -> Result<(Line, Option<Spool>), Error> {
    let line: Line = serde_json::from_slice(kept)
        .map_err(|error| Error::BadRequest(format!("a line of the commit: {error}")))?;
    match (&line, &content) {
        (Line::File(file), Some(_)) if file.content.is_empty() => {}
        (Line::File(_), _) => {
            let rule = "`key` stands before `value`, and `content` is a text in it";
            return Err(Error::BadRequest(format!("a line of the commit: {rule}")));
        }
        (_, None) => {}
        (_, Some(_)) => return Err(Error::BadRequest("only a file has content".to_owned())),
    }
    Ok((line, content))
}

/// What ended a scan.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    LineEnd,
    /// The opening quote of a file's content.
    Content,
}

/// Moves bytes of the block to what is kept, until something is seen. Returns how many were used.
fn scan(block: &[u8], kept: &mut Vec<u8>, place: &mut Place) -> (usize, Seen) {
    for (i, byte) in block.iter().enumerate() {
        if *byte == b'\n' {
            return (i + 1, Seen::LineEnd);
        }
        kept.push(*byte);
        if place.step(kept) {
            return (i + 1, Seen::Content);
        }
        if kept.len() > LINE_BYTES {
            return (i + 1, Seen::Nothing);
        }
    }
    (block.len(), Seen::Nothing)
}

/// Where in a line's JSON the next byte stands. Of JSON that is not well formed it may be wrong; reading the line
/// as JSON then refuses it.
#[derive(Debug, Default)]
struct Place {
    /// Open braces and brackets.
    depth: u32,
    is_in_string: bool,
    is_escaped: bool,
    /// Behind a colon.
    is_value: bool,
    /// Where the string at hand began.
    start: usize,
    /// The last key.
    key: Range<usize>,
    is_file: bool,
}

impl Place {
    /// Goes over the last byte kept. True if a file's content begins behind it.
    fn step(&mut self, kept: &[u8]) -> bool {
        let Some((byte, before)) = kept.split_last() else { return false };
        if self.is_in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.end_string(before),
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => {
                if self.is_file && self.depth == 2 && self.is_value && &before[self.key.clone()] == b"content"
                {
                    return true;
                }
                self.is_in_string = true;
                self.start = kept.len();
            }
            b':' => self.is_value = true,
            b',' => self.is_value = false,
            b'{' | b'[' => {
                self.depth += 1;
                self.is_value = false;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        false
    }

    fn end_string(&mut self, before: &[u8]) {
        self.is_in_string = false;
        if !self.is_value {
            self.key = self.start..before.len();
        } else if self.depth == 1 && &before[self.key.clone()] == b"key" {
            self.is_file = &before[self.start..] == b"file";
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of the text up to where a content begins.
    fn before_content(text: &str) -> Option<String> {
        let (mut kept, mut place) = (Vec::new(), Place::default());
        let (_, seen) = scan(text.as_bytes(), &mut kept, &mut place);
        (seen == Seen::Content).then(|| String::from_utf8(kept).unwrap())
    }

    #[test]
    fn a_files_content_is_found_wherever_it_stands_in_the_value() {
        let first = r#"{"key": "file", "value": {"content": ""#;
        assert_eq!(before_content(&format!(r#"{first}AAAA"}}}}"#)).as_deref(), Some(first));
        let last = r#"{"key":"file","value":{"path":"content","encoding":"base64","content":""#;
        assert_eq!(before_content(&format!(r#"{last}AAAA"}}}}"#)).as_deref(), Some(last));
        let tricky = r#"{"key":"file","value":{"path":"a\"content\":\\","content" : ""#;
        assert_eq!(before_content(&format!("{tricky}AAAA")).as_deref(), Some(tricky));
    }

    #[test]
    fn what_only_looks_like_content_is_kept() {
        for text in [
            r#"{"key":"header","value":{"content":"AAAA"}}"#,
            r#"{"value":{"content":"AAAA"},"key":"file"}"#,
            r#"{"key":"file","content":"AAAA"}"#,
            r#"{"key":"file","value":{"a":{"content":"AAAA"}}}"#,
            r#"{"key":"file","value":{"path":"content","x":"AAAA"}}"#,
        ] {
            assert_eq!(before_content(text), None, "{text}");
        }
    }

    #[test]
    fn a_line_of_an_unknown_kind_is_refused() {
        assert!(parse(br#"{"key":"rename","value":{}}"#, None).is_err());
        assert!(
            parse(br#"{"key":"file","value":{"path":"a","content":"","encoding":"base64"}}"#, None).is_err()
        );
        assert!(parse(br#"{"key":"deletedFile","value":{"path":"a"},"more":1}"#, None).is_err());
        assert!(parse(br#"{"key":"deletedFile","value":{"path":"a"}}"#, None).is_ok());
    }
}
