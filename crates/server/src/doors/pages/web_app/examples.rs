//! Examples one click away: what they are called, and pictures of those that are pictures.
//!
//! Pure. Invariant: a picture of an example shows exactly the values that the model is given.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use spec::manifest::Examples;
use spec::schema::{Image, InputView, Layout};

use super::EXAMPLES;
use crate::doors::pages::repositories::number;
use crate::doors::pages::views::web_app::Example;

/// Longest name of an example, in characters.
const LABEL_CHARACTERS: usize = 24;
/// Above this, not every whole number is a float.
const WHOLE: f64 = 9_007_199_254_740_992.0;
/// Largest side of a small picture; a larger one is thinned out.
const SIDE: usize = 64;

/// The examples that the page offers.
pub(super) fn offer(view: Option<&InputView>, examples: &Examples, current: Option<usize>) -> Vec<Example> {
    let offered = examples.rows.iter().take(EXAMPLES).enumerate();
    let offered = offered.map(|(index, row)| {
        let expected = examples.expected.get(index).map(readable).filter(|text| !text.is_empty());
        let thumbnail = match view {
            Some(InputView::Image(image)) => thumbnail(image, row),
            _ => None,
        };
        let expected = expected.filter(|text| text.chars().count() <= LABEL_CHARACTERS);
        // A picture tells itself from its neighbours.
        let label = match expected {
            Some(text) if thumbnail.is_some() => text,
            Some(text) => format!("{}: {text}", index + 1),
            None => format!("{}", index + 1),
        };
        Example { index, label, is_current: current == Some(index), thumbnail }
    });
    offered.collect()
}

/// A value without the quotes of JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        // A whole number is written as one, whatever Python called it.
        Value::Number(number) => match number.as_f64() {
            Some(value) if value.fract() == 0.0 && value.abs() < WHOLE => value.to_string(),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// A value as people read it: of a number the digits that count.
pub(in super::super) fn readable(value: &Value) -> String {
    match value.as_f64() {
        Some(value) if value.fract() != 0.0 => number(value),
        _ => plain(value),
    }
}

/// The picture of a row as an address of its own; none if the row has other values than a picture.
pub(super) fn thumbnail(image: &Image, row: &[Value]) -> Option<String> {
    let (width, height, channels) = (image.width as usize, image.height as usize, image.channels as usize);
    if Some(row.len()) != image.n_values() || row.is_empty() {
        return None;
    }
    let step = width.max(height).div_ceil(SIDE);
    let (columns, lines) = (width.div_ceil(step), height.div_ceil(step));
    let brightness = |x: usize, y: usize, channel: usize| {
        let channel = channel.min(channels - 1);
        let (x, y) = ((x * step).min(width - 1), (y * step).min(height - 1));
        let at = match image.layout {
            Layout::Nchw => (channel * height + y) * width + x,
            Layout::Flat | Layout::Nhwc => (y * width + x) * channels + channel,
        };
        let value = row[at].as_f64().unwrap_or(image.black);
        (255.0 * (value - image.black) / (image.white - image.black)).clamp(0.0, 255.0) as u8
    };
    let bitmap = bitmap(columns, lines, brightness);
    Some(format!("data:image/bmp;base64,{}", STANDARD.encode(bitmap)))
}

/// A bitmap of 24 bits a pixel, the simplest picture that browsers read.
fn bitmap(width: usize, height: usize, brightness: impl Fn(usize, usize, usize) -> u8) -> Vec<u8> {
    let padding = (4 - width * 3 % 4) % 4;
    let n_pixel_bytes = (width * 3 + padding) * height;
    let small = |n: usize| u32::try_from(n).unwrap_or(0).to_le_bytes();
    let mut out = Vec::with_capacity(54 + n_pixel_bytes);
    out.extend_from_slice(b"BM");
    for field in [54 + n_pixel_bytes, 0, 54, 40, width, height] {
        out.extend_from_slice(&small(field));
    }
    // One plane, 24 bits a pixel.
    out.extend_from_slice(&[1, 0, 24, 0]);
    out.resize(54, 0);
    for y in (0..height).rev() {
        for x in 0..width {
            out.extend([2, 1, 0].map(|channel| brightness(x, y, channel)));
        }
        out.resize(out.len() + padding, 0);
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image(width: u32, channels: u32) -> Image {
        Image { width, height: 1, channels, black: 16.0, white: 0.0, layout: Layout::Flat }
    }

    #[test]
    fn a_thumbnail_shows_the_values_of_its_row() {
        let row = [json!(0), json!(16), json!(8)];
        let address = thumbnail(&image(3, 1), &row).unwrap();
        let bytes = STANDARD.decode(address.strip_prefix("data:image/bmp;base64,").unwrap()).unwrap();
        assert_eq!(bytes.len(), 54 + 12);
        assert_eq!(bytes[54..63], [255, 255, 255, 0, 0, 0, 127, 127, 127]);
    }

    #[test]
    fn a_number_is_written_as_people_write_it() {
        let shown = [json!(8.0), json!(1_033_858.624), json!(0.25), json!(-3)].map(|value| readable(&value));
        assert_eq!(shown, ["8", "1033859", "0.25", "-3"]);
        assert_eq!(plain(&json!(0.123_456_789)), "0.123456789");
    }

    #[test]
    fn a_row_that_is_no_picture_has_none() {
        assert!(thumbnail(&image(3, 1), &[json!(0)]).is_none());
        assert!(thumbnail(&image(0, 1), &[]).is_none());
        assert!(thumbnail(&image(1, 3), &[json!("x"), json!(null), json!(4)]).is_some());
    }

    #[test]
    fn a_large_picture_is_thinned_out() {
        let row = vec![json!(0); 200 * 3];
        let address = thumbnail(&image(200, 3), &row).unwrap();
        assert!(address.len() < 1000);
    }
}
