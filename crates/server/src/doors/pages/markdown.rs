//! A card as HTML: Markdown by the rules of GitHub, then only what is on the sanitiser's list.
//!
//! Refuses to trust: cards are written by strangers. Invariants: what comes out holds no script, style, form or
//! frame; ids begin with `card-`, so none can stand for an element of ours; pictures come from this server only.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use ammonia::Builder;
use comrak::nodes::NodeValue;
use comrak::{Arena, Options, format_html, parse_document};

use super::place::{encode, encode_path};

mod weight;

/// Deeper headings than this do not exist in HTML.
const DEEPEST_HEADING: u8 = 6;

/// Where a card lies, so that what it links to can be found.
#[derive(Debug, Clone, Copy)]
pub struct Home<'a> {
    /// `/owner/name`
    pub path: &'a str,
    pub revision: &'a str,
}

/// The files that a card can lead to where it is reached by a link: their addresses by their paths.
#[derive(Debug, Default)]
pub struct Reachable {
    pub links: BTreeMap<String, String>,
    pub pictures: BTreeMap<String, String>,
}

/// Where the files are that a card names.
#[derive(Debug, Clone)]
enum Targets {
    /// Below these addresses: pages of files, and files.
    Repository { blob: String, resolve: String },
    /// These alone; what else it names stays text.
    Only(Arc<Reachable>),
    /// Nowhere: their paths are noted.
    Noted(Arc<Mutex<BTreeSet<String>>>),
}

/// Renders the body of a card. What would take a parser too long is shown as text.
pub fn render(markdown: &str, home: Home<'_>) -> String {
    let below = |verb: &str| format!("{}/{verb}/{}", home.path, encode(home.revision));
    render_to(markdown, &Targets::Repository { blob: below("blob"), resolve: below("resolve") })
}

/// Renders the body of a card that is reached by a link: nothing on this server is led to but these files.
pub fn render_by_link(markdown: &str, reachable: Reachable) -> String {
    render_to(markdown, &Targets::Only(Arc::new(reachable)))
}

/// The paths of the files that the body of a card leads to, as it writes them.
pub fn mentioned(markdown: &str) -> BTreeSet<String> {
    let noted = Arc::<Mutex<BTreeSet<String>>>::default();
    render_to(markdown, &Targets::Noted(Arc::clone(&noted)));
    noted.lock().map(|mut noted| std::mem::take(&mut *noted)).unwrap_or_default()
}

fn render_to(markdown: &str, targets: &Targets) -> String {
    let inner =
        if weight::is_flat(markdown) { [InnerHtml::Kept, InnerHtml::Escaped].as_slice() } else { &[] };
    let html = inner.iter().map(|inner| to_html(markdown, *inner)).find(|html| weight::is_bearable(html));
    match html {
        Some(html) => sanitise(&html, targets),
        None => format!("<pre tabindex=\"0\"><code>{}</code></pre>", ammonia::clean_text(markdown)),
    }
}

/// What becomes of HTML within Markdown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InnerHtml {
    /// It goes to the sanitiser, which alone decides.
    Kept,
    Escaped,
}

fn to_html(markdown: &str, inner: InnerHtml) -> String {
    let mut options = Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.extension.header_id_prefix = Some(String::new());
    options.render.r#unsafe = inner == InnerHtml::Kept;
    options.render.escape = inner == InnerHtml::Escaped;
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &options);
    for node in root.descendants() {
        // The page has a heading of its own above these.
        if let NodeValue::Heading(heading) = &mut node.data_mut().value {
            heading.level = (heading.level + 1).min(DEEPEST_HEADING);
        }
    }
    let mut html = String::with_capacity(markdown.len() * 2);
    // Writing to memory cannot fail.
    let _ = format_html(root, &options, &mut html);
    html
}

fn sanitise(html: &str, targets: &Targets) -> String {
    let targets = targets.clone();
    let mut builder = Builder::default();
    builder
        .rm_tags(["h1", "map", "area"])
        .add_tags(["input", "section"])
        .add_tag_attributes("input", ["disabled", "checked"])
        .tag_attribute_values(HashMap::from([(
            "input",
            HashMap::from([("type", HashSet::from(["checkbox"]))]),
        )]))
        .add_generic_attributes(["id"])
        .add_tag_attributes("a", ["aria-label", "class"])
        .add_tag_attributes("code", ["class"])
        .add_tag_attributes("div", ["class"])
        .add_tag_attributes("p", ["class"])
        .id_prefix(Some("card-"))
        .link_rel(Some("noopener noreferrer nofollow ugc"))
        .attribute_filter(move |element, attribute, value| match (element, attribute) {
            ("a", "href") => link(value, &targets),
            ("img", "src") => picture(value, &targets),
            (_, "class") => classes(value),
            _ => Some(Cow::Borrowed(value)),
        });
    reachable(&builder.clean(html).to_string())
}

/// What may be wider than the page scrolls in a box that the keyboard reaches; a task's box says what it is, and is
/// the only field a card has.
/// The text is the sanitiser's, in which `<` begins nothing but a tag, and a tag has only the attributes it let pass.
fn reachable(html: &str) -> String {
    let html = (html.replace("<pre", "<pre tabindex=\"0\""))
        .replace("<table", "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"Table\"><table")
        .replace("</table>", "</table></div>");
    let mut parts = html.split("<input");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (attributes, rest) = part.split_once('>').unwrap_or((part, ""));
        out.push_str(match (attributes.contains("checkbox"), attributes.contains("checked")) {
            (true, true) => "<input type=\"checkbox\" checked disabled aria-label=\"done\">",
            (true, false) => "<input type=\"checkbox\" disabled aria-label=\"open\">",
            (false, _) => "",
        });
        out.push_str(rest);
    }
    out
}

/// A link: within the card, to a file of the repository, or as it is.
fn link<'v>(value: &'v str, targets: &Targets) -> Option<Cow<'v, str>> {
    match value.strip_prefix('#') {
        Some(id) if !id.is_empty() => return Some(Cow::Owned(format!("#card-{id}"))),
        _ => {}
    }
    match targets {
        Targets::Repository { blob, .. } if is_relative(value) => Some(Cow::Owned(within(value, blob))),
        Targets::Repository { .. } => Some(Cow::Borrowed(value)),
        Targets::Only(reachable) if is_relative(value) => {
            reachable.links.get(&file_of(value)).map(|address| Cow::Owned(address.clone()))
        }
        Targets::Only(_) => leads_away(value).then_some(Cow::Borrowed(value)),
        Targets::Noted(noted) => note(value, noted),
    }
}

/// Whether an address is another server's, and whole: one from which a word was taken out leads nowhere.
fn leads_away(value: &str) -> bool {
    let is_whole = !value.contains("[hidden]") && !value.to_ascii_lowercase().contains("%5bhidden%5d");
    is_whole && !value.starts_with(['/', '\\', '?'])
}

fn note<'v>(value: &str, noted: &Mutex<BTreeSet<String>>) -> Option<Cow<'v, str>> {
    if is_relative(value)
        && let Ok(mut noted) = noted.lock()
    {
        noted.insert(file_of(value));
    }
    None
}

/// A picture of the repository. One from elsewhere would tell its host who reads the card.
fn picture<'v>(value: &'v str, targets: &Targets) -> Option<Cow<'v, str>> {
    match targets {
        Targets::Repository { resolve, .. } if is_relative(value) => Some(Cow::Owned(within(value, resolve))),
        Targets::Repository { .. } if value.starts_with('/') && !value.starts_with("//") => {
            Some(Cow::Borrowed(value))
        }
        Targets::Only(reachable) if is_relative(value) => {
            reachable.pictures.get(&file_of(value)).map(|address| Cow::Owned(address.clone()))
        }
        Targets::Noted(noted) => note(value, noted),
        Targets::Repository { .. } | Targets::Only(_) => None,
    }
}

/// Only what the renderer itself writes: languages of code, notes, footnotes.
fn classes(value: &str) -> Option<Cow<'_, str>> {
    let is_ours = |class: &str| {
        class == "anchor" || class.starts_with("language-") || class.starts_with("markdown-alert")
    };
    let kept: Vec<&str> = value.split_ascii_whitespace().filter(|class| is_ours(class)).collect();
    (!kept.is_empty()).then(|| Cow::Owned(kept.join(" ")))
}

/// Whether it names a file beside the card.
fn is_relative(value: &str) -> bool {
    let start = value.split(['/', '?', '#']).next().unwrap_or_default();
    !value.is_empty() && !value.starts_with(['/', '#', '?', '\\']) && !start.contains(':')
}

fn within(value: &str, base: &str) -> String {
    let fragment = value.split_once('#').map(|(_, id)| format!("#{id}")).unwrap_or_default();
    format!("{base}/{}{fragment}", encode_path(&file_of(value)))
}

/// The path of the file that a relative address names.
fn file_of(value: &str) -> String {
    let path = value.split('#').next().unwrap_or_default();
    let mut parts: Vec<Cow<'_, str>> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(percent_encoding::percent_decode_str(part).decode_utf8_lossy()),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn shown(markdown: &str) -> String {
        render(markdown, Home { path: "/alice/iris", revision: "main" })
    }

    #[test]
    fn by_a_link_a_card_leads_to_the_files_of_the_link_and_to_other_servers() {
        let card = "[a](a.txt) [b](./b.txt) [c](/alice/iris) [d](//h/x) [e](https://e.example/x) \
            [f](https://h.example/[hidden]/x) [g](https://h.example/%5Bhidden%5D) ![p](p.png) ![q](q.png) ![r](/r.png)";
        assert_eq!(mentioned(card), ["a.txt", "b.txt", "p.png", "q.png"].map(str::to_owned).into());
        let one = |name: &str| BTreeMap::from([(name.to_owned(), format!("/r/x/{name}"))]);
        let html = render_by_link(card, Reachable { links: one("a.txt"), pictures: one("p.png") });
        let addresses: Vec<&str> =
            html.split('"').filter(|part| part.contains('/') && !part.contains('<')).collect();
        assert_eq!(addresses, ["/r/x/a.txt", "https://e.example/x", "/r/x/p.png"]);
    }

    #[test]
    fn what_a_card_brings_does_not_run() {
        let attacks = [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "<a href=\"jAvAsCrIpT:alert(1)\">x</a>",
            "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
            "<svg onload=alert(1)><script>alert(1)</script></svg>",
            "<iframe src=https://evil.example></iframe>",
            "<form action=https://evil.example><input name=password><button>Sign in</button></form>",
            "<style>body{display:none}</style><p style=\"position:fixed\">x</p>",
            "<meta http-equiv=refresh content=0;url=https://evil.example><base href=https://evil.example>",
            "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
            "```\"><script>alert(1)</script>\ncode\n```",
            "![x](https://evil.example/pixel.gif)",
            "<object data=x></object><embed src=x><link rel=stylesheet href=//evil.example>",
        ];
        let forbidden = [
            "<script",
            "onerror=",
            "onload=",
            "javascript:",
            "<iframe",
            "<form",
            "<style",
            "style=",
            "<meta",
            "<base",
            "<object",
            "<embed",
            "<link",
            "<svg",
            "<button",
            "name=",
            "data:text",
            "src=\"http",
        ];
        for attack in attacks {
            let html = shown(attack);
            let lower = html.to_lowercase();
            // Text may say anything; what counts is what stands within a tag.
            let tags: String = lower
                .split('<')
                .skip(1)
                .map(|part| format!("<{}", part.split('>').next().unwrap()))
                .collect();
            for word in forbidden {
                assert!(!tags.contains(word), "`{attack}` left `{word}`: {html}");
            }
        }
    }

    #[test]
    fn what_a_card_names_is_found_in_its_repository() {
        let html = shown(
            "![a](img/a b.png)\n\n![b](<./img/b c.png>) [usage](docs/usage.md#top) [up](../../x) [site](https://a.b) [in](#how)",
        );
        assert!(html.contains("src=\"/alice/iris/resolve/main/img/b%20c.png\""), "{html}");
        assert!(html.contains("href=\"/alice/iris/blob/main/docs/usage.md#top\""), "{html}");
        assert!(html.contains("href=\"/alice/iris/blob/main/x\""), "{html}");
        assert!(html.contains("href=\"https://a.b\"") && html.contains("href=\"#card-how\""), "{html}");
        assert!(html.contains("rel=\"noopener noreferrer nofollow ugc\""), "{html}");
    }

    #[test]
    fn headings_stand_below_that_of_the_page_and_ids_are_the_cards_own() {
        let html = shown("# Iris\n\n<h1 id=\"data\">raw</h1>\n\n- [x] done\n\n| a |\n|---|\n| 1 |");
        assert!(html.contains("<h2 id=\"card-iris\">") && !html.contains("<h1"), "{html}");
        assert!(html.contains("id=\"card-iris\"") && !html.contains("id=\"data\""), "{html}");
        assert!(html.contains("type=\"checkbox\"") && html.contains("<table>"), "{html}");
    }

    #[test]
    fn what_is_wider_than_the_page_is_reached_by_keyboard_and_a_task_is_named() {
        let html =
            shown("```\na\n```\n\n| a |\n|---|\n| 1 |\n\n- [x] x\n- [ ] y\n\n<input type=text>`<pre>`");
        assert!(html.contains("<pre tabindex=\"0\"><code>a"), "{html}");
        assert!(html.contains("aria-label=\"Table\"><table>") && html.contains("</table></div>"), "{html}");
        assert!(html.contains("aria-label=\"done\"") && html.contains("aria-label=\"open\""), "{html}");
        assert!(html.contains("<code>&lt;pre&gt;</code>"), "{html}");
        assert_eq!(html.matches("<input").count(), 2, "{html}");
    }

    #[test]
    fn a_card_cannot_keep_the_server_busy() {
        let unclosed: String = (0..300).map(|i| format!("<b id={i}>")).collect();
        let bombs = [
            "<div>".repeat(20_000),
            ">".repeat(20_000),
            "> ".repeat(20_000),
            "- ".repeat(20_000),
            "1. ".repeat(20_000),
            "[".repeat(20_000),
            "*a **b ".repeat(5_000),
            "<div><style></div></style>".repeat(5_000),
            "<div title=\"</div>\">".repeat(5_000),
            format!("{unclosed}\n\n{}", "a\n\n".repeat(20_000)),
        ];
        for bomb in bombs {
            let began = Instant::now();
            let html = shown(&bomb);
            assert!(began.elapsed() < Duration::from_secs(30), "{:?}: {}", began.elapsed(), &bomb[..40]);
            assert!(html.len() < 40 * bomb.len() + 1000, "{} bytes from {}", html.len(), &bomb[..40]);
        }
    }

    #[test]
    fn html_that_people_write_in_cards_is_kept() {
        let html =
            shown("<details><summary>More</summary>\n\nIt is **good**.\n\n</details>\n\n<b>x</b><br>\n");
        assert!(
            html.contains("<details>") && html.contains("<strong>good</strong>") && html.contains("<b>x</b>"),
            "{html}"
        );
    }
}
