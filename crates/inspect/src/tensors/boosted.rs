//! What XGBoost and LightGBM learned: the lists of numbers in UBJSON, JSON, and LightGBM's text.
//!
//! It knows the forms and no tree. Invariant: settings of the training, versions and lengths of texts are no
//! weights, so that two files that differ in those alone have the same.

use std::io::{Cursor, Read};

use serde_json::Value as Json;
use spec::tensor::Datatype;

use super::{Bytes, Tensor, Tensors};
use crate::bounded::{self, Reader, Source};
use crate::limits;

/// Deepest nesting of objects and lists.
const DEEP: usize = 64;
/// Settings and versions, which are not learned.
const SETTINGS: &[&str] = &["version", "attributes", "feature_names", "feature_types"];

/// The numbers of such a file; none where it is of no such form, or too long to be held.
pub(super) fn read(source: &mut dyn Source) -> Option<Tensors> {
    let n_bytes = bounded::length(source).ok()?;
    let head = bounded::head(source, 8).ok()?;
    let is_ours = matches!(head.as_slice(), [b'{', ..]) || head.starts_with(b"tree");
    if !is_ours || n_bytes > limits::HELD_BYTES {
        return None;
    }
    let mut bytes = Vec::new();
    source.take(limits::HELD_BYTES).read_to_end(&mut bytes).ok()?;
    let mut found = Vec::new();
    match head.as_slice() {
        [b'{', b'L' | b'l' | b'I' | b'i' | b'U', ..] => {
            let mut cursor = Cursor::new(&bytes);
            let mut reader = Reader::file(&mut cursor).ok()?;
            ubjson(&mut reader, (String::new(), 0), &mut found)?;
        }
        [b'{', ..] => json(&serde_json::from_slice(&bytes).ok()?, String::new(), &mut found),
        _ => text(std::str::from_utf8(&bytes).ok()?, &mut found),
    }
    (!found.is_empty()).then_some(Tensors { found, is_complete: true })
}

fn numbers(name: String, values: &[f64]) -> Tensor {
    let bytes = Bytes::Held(values.iter().flat_map(|value| value.to_le_bytes()).collect());
    Tensor { name, datatype: Some(Datatype::Fp64), shape: vec![values.len() as u64], bytes }
}

fn below(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") }
}

/// One value of UBJSON; numbers in texts count, since XGBoost writes what it learned of the base so.
fn ubjson(reader: &mut Reader<'_>, (name, depth): (String, usize), found: &mut Vec<Tensor>) -> Option<()> {
    let kind = reader.byte().ok()?;
    value(reader, kind, (name, depth), found)
}

fn value(
    reader: &mut Reader<'_>,
    kind: u8,
    (name, depth): (String, usize),
    found: &mut Vec<Tensor>,
) -> Option<()> {
    if depth > DEEP {
        return None;
    }
    match kind {
        b'{' => object(reader, (name, depth), found),
        b'[' => list(reader, (name, depth), found),
        b'S' => {
            let n = length(reader)?;
            let text = reader.take(n, 64).ok()?;
            let number =
                std::str::from_utf8(&text).ok().and_then(|text| text.trim_matches(['[', ']']).parse().ok());
            found.extend(number.map(|number: f64| numbers(name, &[number])));
            Some(())
        }
        kind => reader.skip(width(kind)?).ok(),
    }
}

fn object(reader: &mut Reader<'_>, (name, depth): (String, usize), found: &mut Vec<Tensor>) -> Option<()> {
    while reader.peek().ok()?? != b'}' {
        let n = length(reader)?;
        let key = String::from_utf8_lossy(&reader.take(n, limits::NAME_BYTES as usize).ok()?).into_owned();
        let mut ignored = Vec::new();
        let into = if SETTINGS.contains(&key.as_str()) { &mut ignored } else { &mut *found };
        ubjson(reader, (below(&name, &key), depth + 1), into)?;
    }
    reader.skip(1).ok()
}

fn list(reader: &mut Reader<'_>, (name, depth): (String, usize), found: &mut Vec<Tensor>) -> Option<()> {
    let mut kind = None;
    if reader.peek().ok()?? == b'$' {
        reader.skip(1).ok()?;
        kind = Some(reader.byte().ok()?);
    }
    let mut n_left = None;
    if reader.peek().ok()?? == b'#' {
        reader.skip(1).ok()?;
        n_left = Some(length(reader)?);
    }
    if let (Some(kind), Some(n)) = (kind, n_left)
        && let Some(width) = width(kind)
    {
        found.push(typed(reader, kind, (n, width), name)?);
        return Some(());
    }
    let mut n = 0;
    loop {
        match n_left {
            Some(0) => return Some(()),
            Some(left) => n_left = Some(left - 1),
            None if reader.peek().ok()?? == b']' => return reader.skip(1).ok(),
            None => {}
        }
        let kind = if let Some(kind) = kind { kind } else { reader.byte().ok()? };
        value(reader, kind, (below(&name, &n.to_string()), depth + 1), found)?;
        n += 1;
    }
}

/// Numbers of one type, the highest byte first.
fn typed(reader: &mut Reader<'_>, kind: u8, (n, width): (u64, u64), name: String) -> Option<Tensor> {
    let n_bytes = n.checked_mul(width)?;
    let mut bytes = reader.take(n_bytes, usize::try_from(n_bytes).ok()?).ok()?;
    if let Ok(width @ 1..) = usize::try_from(width) {
        bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    let datatype = match kind {
        b'd' => Datatype::Fp32,
        b'D' => Datatype::Fp64,
        b'i' => Datatype::Int8,
        b'U' => Datatype::Uint8,
        b'I' => Datatype::Int16,
        b'l' => Datatype::Int32,
        b'L' => Datatype::Int64,
        _ => return Some(Tensor { name, datatype: None, shape: vec![n], bytes: Bytes::Held(bytes) }),
    };
    Some(Tensor { name, datatype: Some(datatype), shape: vec![n], bytes: Bytes::Held(bytes) })
}

/// How many bytes stand for a value of a type; none for those that say it themselves.
fn width(kind: u8) -> Option<u64> {
    Some(match kind {
        b'Z' | b'N' | b'T' | b'F' => 0,
        b'i' | b'U' | b'C' => 1,
        b'I' => 2,
        b'l' | b'd' => 4,
        b'L' | b'D' => 8,
        _ => return None,
    })
}

fn length(reader: &mut Reader<'_>) -> Option<u64> {
    let kind = reader.byte().ok()?;
    let number = match kind {
        b'i' => i64::from(i8::from_be_bytes(reader.array().ok()?)),
        b'U' => i64::from(reader.byte().ok()?),
        b'I' => i64::from(i16::from_be_bytes(reader.array().ok()?)),
        b'l' => i64::from(i32::from_be_bytes(reader.array().ok()?)),
        b'L' => i64::from_be_bytes(reader.array().ok()?),
        _ => return None,
    };
    u64::try_from(number).ok()
}

fn json(value: &Json, name: String, found: &mut Vec<Tensor>) {
    match value {
        Json::Object(fields) => {
            let learned = fields.iter().filter(|(key, _)| !SETTINGS.contains(&key.as_str()));
            learned.for_each(|(key, value)| json(value, below(&name, key), found));
        }
        Json::Array(items) => {
            let values: Option<Vec<f64>> = items.iter().map(Json::as_f64).collect();
            match values.filter(|values| !values.is_empty()) {
                Some(values) => found.push(numbers(name, &values)),
                None => items
                    .iter()
                    .enumerate()
                    .for_each(|(n, item)| json(item, below(&name, &n.to_string()), found)),
            }
        }
        Json::String(text) => {
            let number = text.trim_matches(['[', ']']).parse::<f64>().ok();
            found.extend(number.map(|number| numbers(name, &[number])));
        }
        _ => {}
    }
}

/// LightGBM's text: names and numbers, tree by tree; behind the trees stand the settings.
fn text(text: &str, found: &mut Vec<Tensor>) {
    let mut tree = String::new();
    let learned = text.lines().take_while(|line| *line != "end of trees" && *line != "parameters:");
    for (key, values) in learned.filter_map(|line| line.split_once('=')) {
        if key == "Tree" {
            tree = format!("tree {values}");
        }
        let values: Option<Vec<f64>> = values.split_whitespace().map(|value| value.parse().ok()).collect();
        // The head says how long the text of each tree is.
        if let Some(values) =
            values.filter(|values| !values.is_empty() && key != "tree_sizes" && key != "Tree")
        {
            found.push(numbers(below(&tree, key), &values));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> Option<Vec<(String, Vec<u64>, Bytes)>> {
        let tensors = read(&mut Cursor::new(bytes))?;
        Some(tensors.found.into_iter().map(|tensor| (tensor.name, tensor.shape, tensor.bytes)).collect())
    }

    #[test]
    fn lists_of_a_type_are_found_in_ubjson_and_settings_are_not() {
        let bytes = b"{i\x07learnerL\0"; // A key and the beginning of a number that is cut.
        assert_eq!(found(bytes), None);
        let bytes =
            b"{i\x01a{i\x01b[$d#i\x02\x3f\x80\0\0\x40\0\0\0i\x01cSi\x045E-1}i\x07version[$l#i\x01\0\0\0\x02}";
        let one_two = [1.0_f32, 2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let half = 0.5_f64.to_le_bytes().to_vec();
        assert_eq!(
            found(bytes).unwrap(),
            [("a.b".into(), vec![2], Bytes::Held(one_two)), ("a.c".into(), vec![1], Bytes::Held(half))]
        );
    }

    #[test]
    fn bytes_that_lie_are_refused_and_end() {
        for bytes in
            [&b"{i\x7fx"[..], b"{i\x01a[$d#l\x7f\xff\xff\xff", b"{i\x01a[#L\x7f\xff\xff\xff\xff\xff\xff\xffZ"]
        {
            assert_eq!(found(bytes), None);
        }
        assert_eq!(found(&b"{i\x01a".repeat(10_000)), None);
    }

    #[test]
    fn trees_of_lightgbm_are_numbers_and_its_parameters_are_not() {
        let model = "tree\nversion=v4\ntree_sizes=99\n\nTree=0\nleaf_value=0.5 -1\n\nend of trees\n\nparameters:\n[seed: 7]\n";
        let names: Vec<String> =
            found(model.as_bytes()).unwrap().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["tree 0.leaf_value"]);
    }
}
