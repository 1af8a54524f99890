//! What a file holds, told from its first bytes.
//!
//! Decodes nothing: a picture is decoded in the browser and in the model's own worker only. Invariant: whatever the
//! bytes are, it answers without looking beyond the first of them.

/// The media type of a picture, sound or film; none where the beginning is that of none known here.
/// Source: the WHATWG's MIME Sniffing Standard, and the formats' own first bytes.
pub fn sniff(bytes: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 13] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"BM", "image/bmp"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"ID3", "audio/mpeg"),
        (b"fLaC", "audio/flac"),
        (b"OggS", "audio/ogg"),
        (b".snd", "audio/basic"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"\0\0\x01\xba", "video/mpeg"),
    ];
    if let Some((_, media_type)) = STARTS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(media_type);
    }
    match (bytes.get(..4), bytes.get(4..8), bytes.get(8..12)) {
        (Some(b"RIFF"), _, Some(b"WEBP")) => Some("image/webp"),
        (Some(b"RIFF"), _, Some(b"WAVE")) => Some("audio/wav"),
        (Some(b"RIFF"), _, Some(b"AVI ")) => Some("video/x-msvideo"),
        (Some(b"FORM"), _, Some(b"AIFF" | b"AIFC")) => Some("audio/aiff"),
        (_, Some(b"ftyp"), Some(b"avif" | b"avis")) => Some("image/avif"),
        (_, Some(b"ftyp"), Some(b"heic" | b"heix" | b"mif1")) => Some("image/heic"),
        (_, Some(b"ftyp"), Some(b"M4A ")) => Some("audio/mp4"),
        (_, Some(b"ftyp"), Some(_)) => Some("video/mp4"),
        // A frame of MPEG audio, or of AAC, without a header of its own.
        _ => match bytes {
            [0xff, second, ..] if second & 0xe0 == 0xe0 => Some("audio/mpeg"),
            _ => None,
        },
    }
}

/// Whether a file of the media type `found` may stand where `wanted` is wanted: `image/png`, `image/*` or `image`.
pub fn fits(found: &str, wanted: &str) -> bool {
    let kind = wanted.strip_suffix("/*").unwrap_or(wanted);
    let is_of_kind = found.split('/').next() == Some(kind);
    // Sounds and films share their containers.
    let is_container = matches!(
        (kind, found),
        ("audio", "video/webm" | "video/mp4") | ("video", "audio/ogg") | ("audio/webm", "video/webm")
    );
    found == wanted || is_of_kind || is_container
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n"), Some("image/png"));
        assert_eq!(sniff(b"RIFF\0\0\0\0WAVEfmt "), Some("audio/wav"));
        assert_eq!(sniff(b"\0\0\0\x18ftypmp42"), Some("video/mp4"));
        for nothing in [&b""[..], b"RIFF", b"\x89PN", b"hello, world", b"<svg>", &[0xff]] {
            assert_eq!(sniff(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_kind_takes_its_types_alone() {
        assert!(fits("image/png", "image") && fits("image/png", "image/*") && fits("image/png", "image/png"));
        assert!(
            fits("video/webm", "audio") && !fits("image/png", "audio") && !fits("image/png", "image/jpeg")
        );
    }
}
