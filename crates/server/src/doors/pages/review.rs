//! What whoever holds a link sees: the card, the web app, how to ask from a program, and files where they may.
//!
//! The pages are those of a repository, with a head of their own. Invariant: every text that comes from the model
//! passes through [`Guest::shown`] or its like, and nobody is signed in here, so that no page tells one visitor from
//! another.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use serde::Deserialize;
use spec::facts::Facts;
use spec::rights::Action;
use spec::{card, limits};
use store::db::entries::Entry;
use store::db::revisions::Revision;

use super::embed;
use super::markdown::{self, Reachable};
use super::place::encode_path;
use super::repositories::{in_short, link_ways, offers};
use super::views::frame::{Frame, Link};
use super::views::repository::Dangers;
use super::views::repository::{CardPage, Head, Review, ReviewFile, ReviewFilesPage, Tab, UsePage};
use super::web_app::sent::Sent;
use super::web_app::{self, Around, At, Door, Tried, answer, form};
use super::{Answer, Html, Shown, answers, show, training, when};
use crate::app::App;
use crate::doors::address::Base;
use crate::error::{During, Error};
use crate::ops::attestations::training::{Totals, totals};
use crate::ops::links::guard::{self, Guest};
use crate::ops::links::traces::{self, Given};
use crate::ops::{entries, facts, links};
use crate::secrets::Secret;
use crate::text;

pub mod apps;

/// What a link's model is called where its card gives it no title.
const UNTITLED: &str = "A model under review";
/// Pictures of a card are shown to whoever may see the card.
const PICTURES: [(&str, &str); 5] = [
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".gif", "image/gif"),
    (".webp", "image/webp"),
];
/// Largest picture of a card.
const PICTURE_BYTES: i64 = 8 * 1024 * 1024;

/// Files that a card names and that are looked at for it.
const MENTIONED: usize = 100;

/// A link's address.
#[derive(Debug, Deserialize)]
pub struct Place {
    link: String,
    #[serde(default)]
    index: usize,
    #[serde(default)]
    path: String,
}

/// What a link leads to.
struct Opened {
    guest: Arc<Guest>,
    revision: Revision,
    facts: Facts,
    /// The card's text as its holder may read it; none without a card.
    card: Option<String>,
    /// `/r/…`
    path: String,
}

/// `/r/{link}`
pub async fn card_page(State(app): State<Arc<App>>, Path(place): Path<Place>, base: Base) -> Shown {
    let opened = open(&app, &place).await?;
    let shown = |(name, value): (String, String)| (name, opened.guest.shown(&value));
    let rendered = match &opened.card {
        Some(text) => {
            let body = card::split(text).body;
            let reachable = opened.reachable(&app, markdown::mentioned(body)).await?;
            Some(markdown::render_by_link(body, reachable))
        }
        None => None,
    };
    show(&CardPage {
        frame: opened.frame(),
        head: opened.head(&app, "Card").await?,
        card: Some(rendered.unwrap_or_else(|| "<p>It came without a card.</p>".to_owned())),
        is_empty: false,
        may_write: false,
        base: base.as_str().to_owned(),
        dangers: Dangers::default(),
        endpoint: None,
        app: None,
        training: training::summary(opened.totals(&app).await?, None),
        facts: in_short(&opened.facts).into_iter().map(shown).collect(),
        conversion: None,
        gate: None,
        tags: Vec::new(),
    })
}

/// `/r/{link}/use`
pub async fn use_page(State(app): State<Arc<App>>, Path(place): Path<Place>, base: Base) -> Shown {
    let opened = open(&app, &place).await?;
    let endpoint = format!("{}{}/", base.as_str(), opened.path);
    show(&UsePage {
        frame: opened.frame(),
        head: opened.head(&app, "Use").await?,
        openapi: opened.facts.schema.is_some().then(|| format!("{}/openapi.json", opened.path)),
        embed: Some(embed::code(&format!("{endpoint}embed"), &opened.title())),
        endpoint: None,
        ways: link_ways(&endpoint, opened.facts.schema.as_ref(), offers(&opened.facts)),
    })
}

/// `/r/{link}/try`
pub async fn try_page(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    Query(wanted): Query<web_app::Wanted>,
    base: Base,
) -> Shown {
    let opened = open(&app, &place).await?;
    let tried = opened.tried(&app).await?;
    let filled = form::Filled { example: wanted.example, ..form::Filled::default() };
    web_app::show_app(&web_app::blank(&base, &tried, &filled, opened.around(&app).await?))
}

/// `POST /r/{link}/try`: the form, filled in.
pub async fn predict(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    base: Base,
    Sent(fields): Sent,
) -> Answer<Response, Html> {
    let opened = open(&app, &place).await?;
    let tried = opened.tried(&app).await?;
    let filled = form::Filled::read(fields);
    let page = web_app::blank(&base, &tried, &filled, opened.around(&app).await?);
    let asked = answer::Asked { app: &app, base: &base, tried: &tried };
    let keep = async |exchange: &answer::Exchange| {
        answers::keep_by_link(&app, &base, (&opened.guest, &opened.path), exchange).await
    };
    web_app::answered(&asked, &filled, page, keep).await
}

/// `/r/{link}/proof`: a signed statement of what the link leads to.
pub async fn proof(State(app): State<Arc<App>>, Path(place): Path<Place>) -> Answer<Response, Html> {
    let guest = guard::admit(&app, &Secret::new(place.link)).await?;
    Ok(crate::doors::statement("proof.json", links::proof::write(&app, &guest.link).await?))
}

/// `/r/{link}/embed`: the web app alone, for a frame in another page.
pub async fn embed_page(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    Query(wanted): Query<web_app::Wanted>,
    base: Base,
) -> Shown {
    let opened = open(&app, &place).await?;
    let tried = opened.tried(&app).await?;
    let filled = form::Filled { example: wanted.example, ..form::Filled::default() };
    let around = embed::alone(opened.around(&app).await?);
    show(&web_app::blank(&base, &tried, &filled, around)).map(embed::framed)
}

/// `POST /r/{link}/embed`
pub async fn embed_predict(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    base: Base,
    Sent(fields): Sent,
) -> Answer<Response, Html> {
    let opened = open(&app, &place).await?;
    let tried = opened.tried(&app).await?;
    let filled = form::Filled::read(fields);
    let around = embed::alone(opened.around(&app).await?);
    let page = web_app::blank(&base, &tried, &filled, around);
    let asked = answer::Asked { app: &app, base: &base, tried: &tried };
    web_app::answered(&asked, &filled, page, embed::keep_nothing).await.map(embed::framed)
}

/// `/r/{link}/files`
pub async fn files_page(State(app): State<Arc<App>>, Path(place): Path<Place>) -> Shown {
    let opened = open(&app, &place).await?;
    opened.check_files()?;
    let mut files = Vec::new();
    for (index, entry) in traces::files(&app, &opened.revision).await?.iter().enumerate() {
        let given = traces::given(&app, &opened.guest, entry).await?;
        let name = opened.guest.shown(&entry.path);
        let short = name.rsplit('/').next().unwrap_or_default().to_owned();
        let note = match given {
            Given::AsItIs => "",
            Given::WithoutWords => "names are taken out of it",
            Given::NotAtAll => "not given: it may tell whose it is",
        };
        let address = (given != Given::NotAtAll)
            .then(|| format!("{}/files/{index}/{}", opened.path, percent_encode(&short)));
        let size = text::bytes(u64::try_from(entry.n_bytes).unwrap_or(0));
        files.push(ReviewFile { name, size, address, note });
    }
    show(&ReviewFilesPage { frame: opened.frame(), head: opened.head(&app, "Files").await?, files })
}

/// `/r/{link}/files/{index}/{*path}`: a file, by its place in the list, since its own name may tell.
pub async fn file(State(app): State<Arc<App>>, Path(place): Path<Place>) -> Answer<Response, Html> {
    let opened = open(&app, &place).await?;
    opened.check_files()?;
    let missing = || Error::NotFound { what: "file", name: place.path.clone() };
    let files = traces::files(&app, &opened.revision).await?;
    let entry = files.get(place.index).ok_or_else(missing)?;
    let given = traces::given(&app, &opened.guest, entry).await?;
    let name = opened.guest.shown(&entry.path);
    let name = name.rsplit('/').next().unwrap_or_default();
    let mut response = match given {
        Given::NotAtAll => return Err(missing().into()),
        Given::AsItIs => Response::new(stored(&app, entry).await?),
        Given::WithoutWords => {
            let limit = usize::try_from(traces::TEXT_BYTES).unwrap_or(usize::MAX);
            let bytes = entries::read_small(&app, opened.revision.tree_id, &entry.path, limit).await?;
            let bytes = bytes.ok_or_else(missing)?;
            Response::new(Body::from(opened.guest.shown(&String::from_utf8_lossy(&bytes))))
        }
    };
    let disposition = format!("attachment; filename=\"{}\"", name.replace(['"', '\\'], "_"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_DISPOSITION, crate::doors::header_value(&disposition));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}

/// `/r/{link}/resolve/{revision}/{*path}`: a picture of the card.
pub async fn picture(State(app): State<Arc<App>>, Path(place): Path<Place>) -> Answer<Response, Html> {
    let opened = open(&app, &place).await?;
    let missing = || Error::NotFound { what: "picture", name: place.path.clone() };
    let media_type = picture_type(&place.path).ok_or_else(missing)?;
    let files = traces::files(&app, &opened.revision).await?;
    let entry = files.iter().find(|entry| opened.guest.shown(&entry.path) == place.path);
    let entry = entry.ok_or_else(missing)?;
    let is_small = entry.n_bytes <= PICTURE_BYTES;
    if !is_small || traces::given(&app, &opened.guest, entry).await? != Given::AsItIs {
        return Err(missing().into());
    }
    let mut response = Response::new(stored(&app, entry).await?);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    Ok(response)
}

/// The media type of a picture that is shown, by the end of its name.
fn picture_type(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    PICTURES.iter().find(|(end, _)| lower.ends_with(end)).map(|(_, media_type)| *media_type)
}

fn percent_encode(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

async fn stored(app: &App, entry: &Entry) -> Result<Body, Error> {
    let sha256 = entry.sha256.ok_or(Error::Internal("read a folder as a file"))?;
    let reading = app.store.contents.read(&sha256, None).await.during("read a stored file")?;
    Ok(Body::from_stream(reading.stream))
}

async fn open(app: &App, place: &Place) -> Result<Opened, Error> {
    let guest = guard::admit(app, &Secret::new(place.link.clone())).await?;
    let revision = links::revision(app, &guest).await?;
    let facts = guest.facts(facts::ensure(app, revision.id).await?);
    let bytes = entries::read_small(app, revision.tree_id, card::PATH, limits::CARD_BYTES).await?;
    let card = bytes.map(|bytes| guest.shown(&String::from_utf8_lossy(&bytes)));
    Ok(Opened { guest, revision, facts, card, path: format!("/r/{}", place.link) })
}

impl Opened {
    /// The card's first heading, or else nothing that the repository is called by.
    fn title(&self) -> String {
        let heading = self.card.as_ref().and_then(|text| {
            let lines = card::split(text).body.lines();
            lines.filter_map(|line| line.strip_prefix("# ")).map(str::trim).next().map(str::to_owned)
        });
        match (&self.guest.identity, heading) {
            (_, Some(heading)) if !heading.is_empty() => heading,
            (None, _) => self.guest.link.repository_name.clone(),
            _ => UNTITLED.to_owned(),
        }
    }

    fn frame(&self) -> Frame {
        Frame { title: self.title(), section: "review", ..Frame::default() }
    }

    async fn head(&self, app: &App, current: &str) -> Result<Head, Error> {
        let tab = |label: &str, icon, rest: &str| Tab {
            link: Link {
                label: label.to_owned(),
                href: format!("{}{rest}", self.path),
                is_current: label == current,
            },
            icon,
            is_last: false,
        };
        let may_read = self.guest.link.action >= Action::Read;
        let tabs = [
            Some(tab("Card", "file", "")),
            Some(tab("Try it", "play", "/try")),
            Some(tab("Use", "branch", "/use")),
            self.guest.link.has_app.then(|| tab("App", "model", "/app")),
            may_read.then(|| tab("Files", "folder", "/files")),
        ];
        Ok(Head {
            name: self.title(),
            path: self.path.clone(),
            updated: when(self.revision.created_ms),
            tabs: tabs.into_iter().flatten().collect(),
            review: Some(self.review(app).await?),
            ..Head::default()
        })
    }

    async fn review(&self, app: &App) -> Result<Review, Error> {
        let link = links::now(app, &self.guest).await?;
        let weights = match &self.facts.model {
            Some(model) => entries::sha256(app, self.revision.tree_id, model).await?,
            None => None,
        };
        let blunt = self.guest.blunt();
        let mut blunted = Vec::new();
        blunted
            .extend(blunt.n_decimals.map(|n| format!("Answers are rounded to {n} digits after the point.")));
        blunted.extend(blunt.top_k.map(|k| format!("Of the classes, the {k} most probable are told.")));
        Ok(Review {
            is_anonymous: self.guest.identity.is_some(),
            revision: self.revision.oid.to_string(),
            weights: weights.map(|sha256| format!("sha256:{sha256}")).unwrap_or_default(),
            ends: link.expires_ms.map_or_else(|| "when it is revoked".to_owned(), text::day),
            calls: link
                .max_calls
                .map(|most| format!("{} of {most}", (most - link.n_calls).max(0)))
                .unwrap_or_default(),
            blunted: blunted.join(" "),
        })
    }

    /// Those of the files that a card names to which the link leads.
    async fn reachable(&self, app: &App, mentioned: BTreeSet<String>) -> Result<Reachable, Error> {
        let mut reachable = Reachable::default();
        if mentioned.is_empty() {
            return Ok(reachable);
        }
        let may_read = self.guest.link.action >= Action::Read;
        let mut n_left = MENTIONED;
        for (index, entry) in traces::files(app, &self.revision).await?.iter().enumerate() {
            let name = self.guest.shown(&entry.path);
            let is_picture = picture_type(&name).is_some() && entry.n_bytes <= PICTURE_BYTES;
            if !mentioned.contains(&name) || !(may_read || is_picture) || n_left == 0 {
                continue;
            }
            n_left -= 1;
            let given = traces::given(app, &self.guest, entry).await?;
            if is_picture && given == Given::AsItIs {
                let address = format!("{}/resolve/main/{}", self.path, encode_path(&name));
                reachable.pictures.insert(name.clone(), address);
            }
            if may_read && given != Given::NotAtAll {
                let short = name.rsplit('/').next().unwrap_or_default();
                let address = format!("{}/files/{index}/{}", self.path, percent_encode(short));
                reachable.links.insert(name, address);
            }
        }
        Ok(reachable)
    }

    /// How often its training was recorded and run again: numbers, which name nobody.
    async fn totals(&self, app: &App) -> Result<Totals, Error> {
        totals(app, self.guest.link.repository_id, self.revision.tree_id).await
    }

    async fn around(&self, app: &App) -> Result<Around, Error> {
        Ok(Around { frame: self.frame(), head: self.head(app, "Try it").await?, endpoint: None })
    }

    async fn tried(&self, app: &App) -> Result<Tried, Error> {
        let at = At {
            door: Door::Link(Arc::clone(&self.guest)),
            endpoint: format!("{}/", self.path),
            model: "model".to_owned(),
            is_private: false,
        };
        web_app::try_at(app, at, &self.revision, Some(self.facts.clone())).await
    }

    fn check_files(&self) -> Result<(), Error> {
        match self.guest.link.action >= Action::Read {
            true => Ok(()),
            false => Err(Error::PageNotFound(format!("{}/files", self.path))),
        }
    }
}
