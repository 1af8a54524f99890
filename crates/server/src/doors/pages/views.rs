//! What pages show: one struct with a template for each page, and the small parts they share.
//!
//! Pure: they know no request, no rights and no storage, and hold texts that are ready to be read. Invariant:
//! all text is escaped by the templates; the fields that are not, a rendered card and comments, were sanitised before.

pub mod access_requests;
pub mod account;
pub mod apps;
pub mod changes;
pub mod discussions;
pub mod endpoint;
pub mod files;
pub mod frame;
pub mod front;
pub mod message;
pub mod repository;
pub mod sharing;
pub mod training;
pub mod web_app;
pub mod webhooks;

/// A page, with its cache policy.
pub trait Page: askama::Template {
    const CACHE: Cache;
}

/// How long a browser may show a page again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// It asks each time: what a page shows depends on who looks and may change.
    Ask,
    /// Never, not even when going back: the page holds a secret.
    Never,
}

macro_rules! pages {
    ($($page:ty => $cache:ident;)+) => { $( impl Page for $page { const CACHE: Cache = Cache::$cache; } )+ };
}

pages! {
    front::FrontPage => Ask;
    repository::CardPage => Ask;
    repository::AboutPage => Ask;
    repository::UsePage => Ask;
    repository::ReviewFilesPage => Ask;
    repository::SettingsPage => Ask;
    training::TrainingPage => Ask;
    access_requests::AccessPage => Ask;
    discussions::DiscussionsPage => Ask;
    discussions::DiscussionPage => Ask;
    discussions::NewDiscussionPage => Ask;
    changes::CommitPage => Ask;
    changes::WeightsPage => Ask;
    files::TreePage => Ask;
    files::BlobPage => Ask;
    files::HistoryPage => Ask;
    web_app::WebAppPage => Ask;
    web_app::AnswerPage => Ask;
    apps::AppPage => Never;
    account::SignInPage => Ask;
    account::SignUpPage => Never;
    account::AccountPage => Ask;
    account::LeavePage => Never;
    account::SessionsPage => Ask;
    account::InvitationPage => Never;
    account::PasswordPage => Never;
    account::TokensPage => Never;
    account::EndpointsPage => Ask;
    endpoint::EndpointPage => Ask;
    webhooks::WebhooksPage => Never;
    sharing::SharingPage => Never;
    sharing::OrganizationsPage => Ask;
    sharing::NewOrganizationPage => Ask;
    sharing::OrganizationPage => Never;
    sharing::EventsPage => Ask;
    message::ErrorPage => Ask;
    message::NewPage => Ask;
    message::ApiPage => Ask;
}
