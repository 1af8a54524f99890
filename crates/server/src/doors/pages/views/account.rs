//! The pages about whoever is signed in: signing in and up, account, sessions, password, tokens, endpoints.

use askama::Template;

use super::frame::Frame;
use super::front::When;

#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub frame: Frame,
    /// What was typed as name, shown again.
    pub name: String,
    /// Where to go afterwards; a local path.
    pub next: String,
    pub complaint: Option<String>,
    /// What the provider of sign-ins is called, if there is one.
    pub service: Option<String>,
    pub can_sign_up: bool,
}

#[derive(Debug, Template)]
#[template(path = "sign_up.html")]
pub struct SignUpPage {
    pub frame: Frame,
    /// What was typed as name, shown again.
    pub name: String,
    /// Where to go afterwards; a local path.
    pub next: String,
    pub complaint: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    pub frame: Frame,
    pub name: String,
    pub full_name: String,
    pub email: String,
    pub email_is_verified: bool,
    /// What the account's repositories hold, and may hold.
    pub used: String,
    pub quota: Option<String>,
    /// What the provider of sign-ins is called, and whether it is connected.
    pub service: Option<(String, bool)>,
    pub is_done: bool,
    pub complaint: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "leave.html")]
pub struct LeavePage {
    pub frame: Frame,
    pub name: String,
    pub complaint: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "sessions.html")]
pub struct SessionsPage {
    pub frame: Frame,
    pub sessions: Vec<SessionLine>,
}

#[derive(Debug, Clone, Default)]
pub struct SessionLine {
    pub id: String,
    /// May be empty.
    pub label: String,
    pub is_current: bool,
    pub created: When,
    pub last_used: Option<When>,
}

#[derive(Debug, Template)]
#[template(path = "invitation.html")]
pub struct InvitationPage {
    pub frame: Frame,
    /// Where the form is sent.
    pub action: String,
    /// None for an invitation to the server alone.
    pub organization: Option<String>,
    /// What a member may do, as a verb.
    pub role: &'static str,
    pub invited_by: String,
    /// What was typed as name, shown again.
    pub name: String,
    pub complaint: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "password.html")]
pub struct PasswordPage {
    pub frame: Frame,
    pub name: String,
    /// Whether the reader came by a one-time link and may have no password yet.
    pub is_new: bool,
    pub is_done: bool,
    pub complaint: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "tokens.html")]
pub struct TokensPage {
    pub frame: Frame,
    pub tokens: Vec<TokenLine>,
    /// A token that was just made: name and secret, shown this once.
    pub made: Option<(String, String)>,
    pub complaint: Option<String>,
    /// Where clients reach this server.
    pub base: String,
    pub next: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct TokenLine {
    pub id: i64,
    pub name: String,
    pub scope: &'static str,
    /// The one repository it is for.
    pub repository: Option<String>,
    pub created: When,
    pub expires: Option<When>,
    pub last_used: Option<When>,
}

#[derive(Debug, Template)]
#[template(path = "endpoints.html")]
pub struct EndpointsPage {
    pub frame: Frame,
    pub endpoints: Vec<EndpointLine>,
    pub next: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct EndpointLine {
    pub repository: String,
    pub state: &'static str,
    pub reason: String,
    pub revision: String,
    pub updated: When,
    pub is_private: bool,
}
