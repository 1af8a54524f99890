//! Cards: what a repository's card and manifest tell searches and lists.
//!
//! Reads YAML, which nobody else does; of Markdown it wants the words alone. Invariant: a card
//! that cannot be read costs its repository nothing but what the card would have said.

use comrak::nodes::NodeValue;
use comrak::{Arena, Options, parse_document};
use serde_json::{Map, Value};
use spec::manifest::{self, Manifest};
use spec::{card, limits};
use store::db::ids::RepositoryId;
use store::db::repositories;
use store::db::revisions::Revision;

use super::entries;
use crate::app::App;
use crate::error::{During, Error};

/// Longest title and tag, and longest description, in bytes; what is longer is cut.
const SHORT_BYTES: usize = 200;
const LONG_BYTES: usize = 2000;
/// Most tags that are read.
const TAGS: usize = 100;

/// What lists and searches show of a repository.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    pub title: String,
    pub description: String,
    /// `pipeline_tag` on the Hub.
    pub task: Option<String>,
    /// `library_name` on the Hub.
    pub library: Option<String>,
    pub license: Option<String>,
    pub tags: Vec<String>,
    /// The card's front matter.
    pub card: Map<String, Value>,
}

/// What is to be said about a card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What makes the front matter unreadable.
    pub errors: Vec<String>,
    /// What its author may want to mend.
    pub warnings: Vec<String>,
}

/// Brings what lists and searches know of a repository up to a revision of its branch `main`.
pub async fn refresh(app: &App, repository: RepositoryId, revision: &Revision) -> Result<(), Error> {
    let card = entries::read_small(app, revision.tree_id, card::PATH, limits::CARD_BYTES).await?;
    let card = card.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let manifest = entries::read_small(app, revision.tree_id, manifest::PATH, limits::MANIFEST_BYTES).await?;
    // The job that inspects the files tells the owner what is wrong with a manifest.
    let manifest = manifest.and_then(|bytes| Manifest::parse(&bytes).ok()).unwrap_or_default();
    let summary = summarise(&card, &manifest);
    let row = repositories::Summary {
        title: &summary.title,
        description: &summary.description,
        task: summary.task.as_deref(),
        library: summary.library.as_deref(),
        license: summary.license.as_deref(),
        tags: &summary.tags,
        card: &Value::from(summary.card).to_string(),
    };
    match repositories::set_summary(&app.store.db, repository, &row).await {
        // Deleted in this very moment: nobody is left to show it to.
        Err(store::Error::NotFound { .. }) => Ok(()),
        result => result.during("note what a card says"),
    }
}

/// The front matter of the card at a revision. Empty where there is none or it cannot be read.
pub async fn at(app: &App, revision: &Revision) -> Result<Map<String, Value>, Error> {
    let card = entries::read_small(app, revision.tree_id, card::PATH, limits::CARD_BYTES).await?;
    let card = card.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    Ok(front_matter(&card).unwrap_or_default())
}

/// What card and manifest say together; where both speak, the manifest is right.
pub fn summarise(card: &str, manifest: &Manifest) -> Summary {
    let front = front_matter(card).unwrap_or_default();
    let body = card::split(card).body;
    let text = |key: &str| strings(&front, key).into_iter().next();
    let said = |text: &Option<String>| text.clone().map(|text| cut(&text, SHORT_BYTES));
    let title = text("title").or_else(|| heading(body)).unwrap_or_default();
    let description = match manifest.description.trim() {
        "" => text("description").or_else(|| paragraph(body)).unwrap_or_default(),
        description => description.to_owned(),
    };
    let mut tags = strings(&front, "tags");
    tags.extend(strings(&front, "language"));
    tags.extend(strings(&front, "datasets").into_iter().map(|name| format!("dataset:{name}")));
    tags.extend(strings(&front, "base_model").into_iter().map(|name| format!("base_model:{name}")));
    let mut seen = std::collections::BTreeSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    tags.truncate(TAGS);
    Summary {
        title: cut(&title, SHORT_BYTES),
        description: cut(&description, LONG_BYTES),
        task: said(&manifest.task).or_else(|| text("pipeline_tag")),
        library: text("library_name"),
        license: said(&manifest.license).or_else(|| text("license")),
        tags,
        card: front,
    }
}

/// The front matter as the JSON that clients are given. [`Error::BadCard`] says where it cannot be read.
pub fn front_matter(card: &str) -> Result<Map<String, Value>, Error> {
    let Some(yaml) = card::split(card).front_matter else { return Ok(Map::new()) };
    match serde_norway::from_str::<Value>(yaml) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(Error::BadCard("the front matter is not a list of `key: value`".to_owned())),
        Err(error) => Err(Error::BadCard(error.to_string())),
    }
}

/// Looks at a card before it is committed.
pub fn validate(card: &str) -> Verdict {
    let mut verdict = Verdict::default();
    if card.len() > limits::CARD_BYTES {
        verdict.errors.push(format!("the card is longer than {} bytes", limits::CARD_BYTES));
        return verdict;
    }
    let front = match front_matter(card) {
        Ok(front) => front,
        Err(error) => {
            verdict.errors.push(error.to_string());
            return verdict;
        }
    };
    if front.is_empty() {
        verdict.warnings.push("the card has no front matter, so searches know little of it".to_owned());
        return verdict;
    }
    for key in ["title", "license", "pipeline_tag", "library_name"] {
        if front.get(key).is_some_and(|value| !value.is_string() && !value.is_null()) && key != "license" {
            verdict.errors.push(format!("`{key}` is a text"));
        }
    }
    let is_tags = |value: &Value| match value {
        Value::Array(items) => items.iter().all(Value::is_string),
        Value::Null => true,
        _ => false,
    };
    if !front.get("tags").is_none_or(is_tags) {
        verdict.errors.push("`tags` is a list of texts".to_owned());
    }
    if !front.contains_key("license") {
        verdict
            .warnings
            .push("the card names no `license`, so nobody knows what they may do with it".to_owned());
    }
    verdict
}

/// The text or texts under a key; numbers and truth values as YAML would write them.
fn strings(front: &Map<String, Value>, key: &str) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        // YAML 1.1 reads the language `no` so.
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    let all: Vec<String> = match front.get(key) {
        Some(Value::Array(items)) => items.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    };
    all.into_iter().filter(|text| !text.is_empty()).map(|text| cut(&text, SHORT_BYTES)).collect()
}

fn heading(body: &str) -> Option<String> {
    let title = plain(body.lines().find_map(|line| line.strip_prefix("# "))?);
    (!title.is_empty()).then_some(title)
}

/// The first lines that are text, without their marks.
fn paragraph(body: &str) -> Option<String> {
    let is_text =
        |line: &&str| line.trim_start().starts_with(|c: char| c.is_alphanumeric() || "*_`\"'(".contains(c));
    let lines: Vec<&str> =
        body.lines().skip_while(|line| !is_text(line)).take_while(|line| !line.trim().is_empty()).collect();
    let text = plain(&lines.join("\n"));
    (!text.is_empty()).then_some(text)
}

/// What a piece of Markdown says, for places that show one line.
fn plain(markdown: &str) -> String {
    let (arena, options) = (Arena::new(), Options::default());
    let mut text = String::new();
    for node in parse_document(&arena, &cut(markdown, 2 * LONG_BYTES), &options).descendants() {
        match &node.data.borrow().value {
            NodeValue::Text(piece) => text.push_str(piece),
            NodeValue::Code(code) => text.push_str(&code.literal),
            NodeValue::SoftBreak | NodeValue::LineBreak => text.push(' '),
            _ => {}
        }
    }
    text.trim().to_owned()
}

fn cut(text: &str, max_bytes: usize) -> String {
    text[..text.floor_char_boundary(max_bytes)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = "---\ntitle: Iris\nlicense: mit\ntags: [flowers, 7, flowers]\nlanguage: [de, no]\n\
        pipeline_tag: tabular-classification\nlibrary_name: sklearn\ndatasets: scikit-learn/iris\n---\n\
        # Another\n\nTells irises\napart.\n\nMore.\n";

    #[test]
    fn a_card_says_what_searches_show() {
        let summary = summarise(CARD, &Manifest::default());
        assert_eq!((summary.title.as_str(), summary.description.as_str()), ("Iris", "Tells irises apart."));
        assert_eq!(summary.task.as_deref(), Some("tabular-classification"));
        assert_eq!((summary.library.as_deref(), summary.license.as_deref()), (Some("sklearn"), Some("mit")));
        assert_eq!(summary.tags, ["flowers", "7", "de", "no", "dataset:scikit-learn/iris"]);
        assert_eq!(summary.card["title"], "Iris");
    }

    #[test]
    fn the_manifest_is_right_where_both_speak() {
        let manifest = Manifest {
            description: "From the manifest.".to_owned(),
            license: Some("apache-2.0".to_owned()),
            ..Manifest::default()
        };
        let summary = summarise(CARD, &manifest);
        assert_eq!(summary.description, "From the manifest.");
        assert_eq!(summary.license.as_deref(), Some("apache-2.0"));
        assert_eq!(summary.task.as_deref(), Some("tabular-classification"));
    }

    #[test]
    fn a_card_without_front_matter_still_has_a_title() {
        let summary = summarise(
            "# Iris\n\n![picture](x.png)\n\n**Good** at [`it`](https://example.org)",
            &Manifest::default(),
        );
        assert_eq!((summary.title.as_str(), summary.description.as_str()), ("Iris", "Good at it"));
        assert_eq!(summarise("---\nx: [\n---\nText", &Manifest::default()).description, "Text");
    }

    #[test]
    fn front_matter_that_is_no_mapping_is_an_error() {
        assert_eq!(validate("---\na: [\n---\n").errors.len(), 1);
        assert_eq!(validate("---\n- a\n---\n").errors.len(), 1);
        assert_eq!(validate("---\ntags: flowers\n---\n").errors, ["`tags` is a list of texts"]);
        assert_eq!(validate(CARD).errors.len(), 1, "a number is no tag");
        assert_eq!(validate("---\nlicense: mit\n---\n"), Verdict::default());
        assert_eq!(validate("# Iris").warnings.len(), 1);
    }

    #[test]
    fn aliases_cannot_blow_a_card_up() {
        let mut bomb = "---\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..30 {
            let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
        }
        assert!(front_matter(&format!("{bomb}---\n")).is_err());
    }
}
