//! Files in requests: whether each is there, and is of the kind that its input takes.
//!
//! Looks at first bytes and decodes nothing. Invariant: a request that passes holds no empty file, and no file that is
//! known to be of another kind.

use spec::frame::IndexedTensor;
use spec::media;
use spec::schema::Schema;
use spec::schema::parts::{InputKind, InputPart};

use super::Misfit;

/// Checks the files of a request.
pub fn check(schema: &Schema, tensors: &[IndexedTensor]) -> Result<(), Misfit> {
    for tensor in tensors {
        let spec = schema.inputs.get(usize::from(tensor.index));
        let part = spec.and_then(|spec| schema.input_part(&spec.name)).filter(|part| part.kind.is_file());
        let Some(part) = part else { continue };
        for bytes in elements(&tensor.data) {
            check_file(part, bytes).map_err(|what| Misfit(format!("input `{}`: {what}", part.name)))?;
        }
    }
    Ok(())
}

/// Why a file is none that an input takes.
pub(super) fn check_file(part: &InputPart, bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    let found = media::sniff(bytes);
    // Beyond what first bytes tell, the model itself has to know.
    let is_tellable =
        |wanted: &&String| ["image/", "audio/", "video/"].iter().any(|kind| wanted.starts_with(kind));
    let stated: Vec<&str> = part.media_types.iter().filter(is_tellable).map(String::as_str).collect();
    let wanted = match (part.kind, stated.as_slice()) {
        (InputKind::File, []) => return Ok(()),
        (kind, []) => vec![kind.as_str()],
        (_, stated) => stated.to_vec(),
    };
    match found {
        Some(found) if wanted.iter().any(|wanted| media::fits(found, wanted)) => Ok(()),
        Some(found) => Err(format!("{found} came, {} is wanted", wanted.join(" or "))),
        None => Err(format!("what came is not known to be a file of {}", wanted.join(" or "))),
    }
}

/// The elements of a BYTES tensor.
pub fn elements(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (element, after) = after.split_at_checked(length)?;
        rest = after;
        Some(element)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: InputKind, media_types: &[&str], bytes: &[u8]) -> Result<(), String> {
        let media_types = media_types.iter().map(|text| (*text).to_owned()).collect();
        check_file(&InputPart { media_types, ..InputPart::new("x", kind) }, bytes)
    }

    #[test]
    fn a_file_of_another_kind_is_refused_by_name() {
        let png = b"\x89PNG\r\n\x1a\n....";
        assert!(said(InputKind::Image, &[], png).is_ok() && said(InputKind::File, &[], b"?").is_ok());
        assert!(said(InputKind::Image, &["image/png"], png).is_ok());
        assert_eq!(said(InputKind::Audio, &[], png).unwrap_err(), "image/png came, audio is wanted");
        assert_eq!(
            said(InputKind::Image, &["image/jpeg"], png).unwrap_err(),
            "image/png came, image/jpeg is wanted"
        );
        assert!(
            said(InputKind::Image, &[], b"<html>").unwrap_err().contains("not known to be a file of image")
        );
        assert_eq!(said(InputKind::File, &[], b"").unwrap_err(), "the file is empty");
        assert!(said(InputKind::File, &["application/dicom"], b"DICM").is_ok());
    }

    #[test]
    fn elements_end_where_their_bytes_do() {
        let found: Vec<&[u8]> = elements(b"\x01\0\0\0a\0\0\0\0\x09\0\0\0short").collect();
        assert_eq!(found, [&b"a"[..], b""]);
    }
}
