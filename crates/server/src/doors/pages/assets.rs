//! Styles, scripts and images of the pages, embedded in the binary.
//!
//! Their address holds a digest over all of them, so that a browser keeps them for ever and never mixes two
//! versions. Refuses to read files while running. Invariant: what is not in the table does not exist.

use std::sync::LazyLock;

use spec::digest::Sha256;

/// A file that pages load.
#[derive(Debug)]
pub struct Asset {
    pub name: &'static str,
    pub media_type: &'static str,
    pub content: &'static str,
}

macro_rules! assets {
    ($($name:literal, $media_type:expr, [$($path:literal),+];)+) => {
        &[$( Asset { name: $name, media_type: $media_type, content: concat!($(
            include_str!(concat!("../../../../../web/", $path))),+) } ),+]
    };
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// All of them. Styles that every page needs are one file, for one request.
pub const ASSETS: &[Asset] = assets! {
    "style.css", CSS, ["styles/base.css", "styles/frame.css", "styles/parts.css", "styles/pages.css",
        "styles/web_app.css"];
    "theme.js", SCRIPT, ["scripts/theme.js"];
    "page.js", SCRIPT, ["scripts/page.js"];
    "app.js", SCRIPT, ["scripts/app.js"];
    "endpoint.js", SCRIPT, ["scripts/endpoint.js"];
    "web_app.js", SCRIPT, ["scripts/web_app.js"];
    "answer.js", SCRIPT, ["scripts/answer.js"];
    "csv.js", SCRIPT, ["scripts/csv.js"];
    "request.js", SCRIPT, ["scripts/request.js"];
    "picture.js", SCRIPT, ["scripts/picture.js"];
    "pad.js", SCRIPT, ["scripts/pad.js"];
    "parts.js", SCRIPT, ["scripts/parts.js"];
    "outputs.js", SCRIPT, ["scripts/outputs.js"];
    "media.js", SCRIPT, ["scripts/media.js"];
    "record.js", SCRIPT, ["scripts/record.js"];
    "samples.js", SCRIPT, ["scripts/samples.js"];
    "json.js", SCRIPT, ["scripts/json.js"];
    "chart.js", SCRIPT, ["scripts/chart.js"];
    "history.js", SCRIPT, ["scripts/history.js"];
    "shared.js", SCRIPT, ["scripts/shared.js"];
    "mark.svg", SVG, ["images/mark.svg"];
    "icons.svg", SVG, ["images/icons.svg"];
};

/// Names this version of all assets together.
static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let all: String = ASSETS.iter().flat_map(|asset| [asset.name, "\n", asset.content, "\n"]).collect();
    Sha256::of(all.as_bytes()).to_string().chars().take(16).collect()
});

/// The digest that stands in the addresses of all assets.
pub fn digest() -> &'static str {
    &DIGEST
}

/// Where a page finds an asset.
pub fn address(name: &str) -> String {
    format!("/assets/{}/{name}", digest())
}

/// The asset of this name.
pub fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_by_the_last_part_of_its_address() {
        let address = address("style.css");
        let asset = find(address.rsplit('/').next().unwrap()).unwrap();
        assert!(asset.content.contains("--accent") && address.contains(digest()));
        assert!(find("../Cargo.toml").is_none());
    }

    #[test]
    fn a_script_imports_only_what_is_in_the_table() {
        for asset in ASSETS.iter().filter(|asset| asset.media_type == SCRIPT) {
            for part in asset.content.split("from \"./").skip(1) {
                let name = part.split('"').next().unwrap();
                assert!(find(name).is_some(), "`{}` imports `{name}`", asset.name);
            }
        }
    }
}
