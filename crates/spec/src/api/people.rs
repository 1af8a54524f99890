//! Wire types about oneself: who one is, where one is signed in, and leaving.
//!
//! Knows no HTTP. Invariant: no type here holds a secret but the password that leaving asks for.

use serde::{Deserialize, Serialize};

/// Whom the token or session acts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Me {
    pub name: String,
    pub is_admin: bool,
    /// `predict`, `read` or `write`; a signed-in person has `write`.
    pub scope: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub full_name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// Whether an operator or a sign-in service vouches for the address.
    #[serde(default)]
    pub email_is_verified: bool,
}

/// What a person says of themselves. What is left out is emptied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// At most 96 characters.
    #[serde(default)]
    pub full_name: String,
    /// At most 254 characters.
    #[serde(default)]
    pub email: String,
}

/// Asks for the end of one's account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// The account's name, to be sure.
    pub name: String,
    /// The account's password, where it has one.
    #[serde(default)]
    pub password: String,
    /// Whether its repositories go with it. Without this, an account that owns some stays.
    #[serde(default)]
    pub with_repositories: bool,
}

/// A browser in which one is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Session {
    pub id: String,
    /// What the browser is known for, such as `Firefox on Linux`; may be empty.
    pub label: String,
    /// Whether it is the one that asks.
    pub is_current: bool,
    pub created: String,
    /// Known to about a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    pub expires: String,
}
