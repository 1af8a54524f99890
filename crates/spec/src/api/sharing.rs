//! Wire types of sharing: grants, organisations, invitations, links and events.

use serde::{Deserialize, Serialize};

use crate::rights::Action;

/// What somebody may do with a repository that is not theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Grant {
    /// A person or an organisation.
    pub who: String,
    /// The most they may do.
    pub action: Action,
    pub granted_by: String,
    pub created: String,
}

/// Gives a right, in the place of the one that was given before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    pub action: Action,
}

/// An organisation, as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Organization {
    pub name: String,
    /// What the asker may do with all of its repositories.
    pub role: Action,
    pub created: String,
}

/// Makes an organisation, which its maker administers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganization {
    pub name: String,
}

/// A member of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Member {
    pub name: String,
    /// What they may do with all of the organisation's repositories.
    pub role: Action,
    pub since: String,
}

/// Gives a member a role, or makes an account a member with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    pub role: Action,
}

/// An invitation that nobody has taken yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Invitation {
    pub id: i64,
    /// Where it leads; to the server alone where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Action>,
    /// For whom it is meant.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    pub invited_by: String,
    pub expires: String,
}

/// Invites somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewInvitation {
    /// In the organisation; `read` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Action>,
    /// A note of for whom it is meant. Nothing is sent there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// A date (`2027-03-01`) or a time from now (`7d`, which it is where this is left out).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// Takes an invitation, with the account that asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    /// What stands last in the invitation's address.
    pub secret: String,
}

/// A new invitation with its address, which is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreatedInvitation {
    #[serde(flatten)]
    pub invitation: Invitation,
    pub url: String,
}

/// What whoever holds a link may do with a revision of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Link {
    pub id: i64,
    /// `owner/name`
    pub repository: String,
    /// The commit that it shows, whatever the repository becomes.
    pub revision: String,
    /// `predict`, or `read` where its holder may download the files.
    pub action: Action,
    pub anonymous: bool,
    /// `open`, `expired`, `used up` or `revoked`.
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Whole days until then, where it works and 14 or fewer are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_in_days: Option<i64>,
    /// Rows that were answered; of those who asked nothing is kept.
    pub calls: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<i64>,
    /// Digits after the point that outputs are rounded to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<i64>,
    /// How many of the most probable classes are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<i64>,
    pub created_by: String,
    pub created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// How it was asked of late, where one link or those to one model are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<LinkUse>,
}

/// How a link was asked in the last 30 days, in counts alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LinkUse {
    /// Days on which rows were answered.
    pub days: i64,
    pub rows: i64,
    /// About how many different rows were among them.
    pub distinct: i64,
    /// Rows of the busiest hour.
    pub busiest_hour: i64,
    /// Why that looks like copying the model, where it does: a rule of thumb.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Makes a link to a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewLink {
    /// A branch, a tag or a commit; `main` where it is left out. The link stays at the commit it names now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether nothing that is reached through it may tell who made the model.
    pub anonymous: bool,
    /// More words that would tell, such as the name of an institution.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hide: Vec<String>,
    /// A date (`2027-03-01`) or a time from now (`90d`); without it the link lives until it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Rows that are answered in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<i64>,
    /// Rows that are answered in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<i64>,
    /// Digits after the point that outputs are rounded to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round: Option<i64>,
    /// How many of the most probable classes are told; the others' probabilities are 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<i64>,
    /// Whether its holder may download the files, weights included.
    pub files: bool,
    /// Only report what an anonymous link would give away, and make none.
    pub dry_run: bool,
}

/// A place where an anonymous link would still tell, or would hide, who made the model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Trace {
    /// The word that tells.
    pub word: String,
    /// Such as `README.md, line 3` or `the name of the file data/alice.csv`.
    pub place: String,
    /// Whether the link hides it. What is neither hidden nor shown is not given through it at all.
    pub hidden: bool,
    /// Whether it is shown all the same: a model is asked with the names of its inputs and answers with those of its
    /// classes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shown: bool,
}

/// A new link with its address, which is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreatedLink {
    /// None for a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where the model tells who made it, for an anonymous link.
    pub traces: Vec<Trace>,
}

/// Lets a link live longer or be asked more often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinkChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<i64>,
}

/// What was done to what by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Event {
    pub at: String,
    /// Empty for the server itself.
    pub actor: String,
    /// Such as `grant` or `link.create`.
    pub verb: String,
    pub subject: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}
