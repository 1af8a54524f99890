//! What the pages of sharing show: who may do what, links, organisations, and what was done.

use askama::Template;

use super::frame::Frame;
use super::front::When;
use super::repository::Head;

/// Somebody's right.
#[derive(Debug, Clone, Default)]
pub struct GrantLine {
    pub who: String,
    pub right: &'static str,
    pub by: String,
    pub since: When,
}

/// A link as its owner sees it.
#[derive(Debug, Clone, Default)]
pub struct LinkLine {
    pub id: i64,
    pub state: String,
    pub is_anonymous: bool,
    pub gives_files: bool,
    /// The first digits of the revision.
    pub revision: String,
    pub created: When,
    pub expires: Option<When>,
    /// Such as `in 3 days`; empty while the end is far.
    pub ends_soon: String,
    /// Such as `20 of 1,000`.
    pub calls: String,
    /// How answers are made to tell less, and how fast they come; empty where they are whole.
    pub limits: String,
    /// What came in the last 30 days; empty where nothing did.
    pub of_late: String,
    /// Why the questions look like those of somebody who copies the model; empty where they do not.
    pub warning: String,
}

impl LinkLine {
    /// Whether it can still be extended or revoked.
    fn is_changeable(&self) -> bool {
        self.state != "revoked"
    }
}

/// A place where the model tells whose it is.
#[derive(Debug, Clone, Default)]
pub struct TraceLine {
    pub word: String,
    pub place: String,
    /// Whether it is hidden, shown or not given.
    pub fate: &'static str,
}

/// What was typed into the form of a new link, shown again.
#[derive(Debug, Clone, Default)]
pub struct LinkFields {
    pub is_anonymous: bool,
    pub gives_files: bool,
    pub hide: String,
    pub expires: String,
    pub calls: String,
    pub rate: String,
    pub round: String,
    pub top_k: String,
    pub revision: String,
}

/// Who may do what with a repository.
#[derive(Debug, Template)]
#[template(path = "sharing.html")]
pub struct SharingPage {
    pub frame: Frame,
    pub head: Head,
    pub grants: Vec<GrantLine>,
    pub more_grants: Option<String>,
    pub links: Vec<LinkLine>,
    pub more_links: Option<String>,
    pub fields: LinkFields,
    /// Where the model tells whose it is, for the link that is about to be made.
    pub report: Option<Vec<TraceLine>>,
    /// The address of a link that was just made, shown this once.
    pub made: Option<String>,
    pub complaint: Option<String>,
}

/// The organisations that somebody is a member of.
#[derive(Debug, Template)]
#[template(path = "organizations.html")]
pub struct OrganizationsPage {
    pub frame: Frame,
    /// Name and role.
    pub organizations: Vec<(String, &'static str)>,
}

/// The form that makes an organisation.
#[derive(Debug, Template)]
#[template(path = "new_organization.html")]
pub struct NewOrganizationPage {
    pub frame: Frame,
    pub name: String,
    pub complaint: Option<String>,
}

/// A member.
#[derive(Debug, Clone, Default)]
pub struct MemberLine {
    pub name: String,
    pub role: &'static str,
    pub is_self: bool,
    pub since: When,
}

/// An invitation that nobody has taken.
#[derive(Debug, Clone, Default)]
pub struct InvitationLine {
    pub id: i64,
    pub email: String,
    pub role: &'static str,
    pub by: String,
    pub expires: When,
}

/// An organisation, for its members.
#[derive(Debug, Template)]
#[template(path = "organization.html")]
pub struct OrganizationPage {
    pub frame: Frame,
    pub name: String,
    pub may_administer: bool,
    pub members: Vec<MemberLine>,
    pub more_members: Option<String>,
    pub invitations: Vec<InvitationLine>,
    pub more_invitations: Option<String>,
    /// The address of an invitation that was just made, shown this once.
    pub made: Option<String>,
    pub complaint: Option<String>,
}

/// Something that was done.
#[derive(Debug, Clone, Default)]
pub struct EventLine {
    pub at: When,
    pub actor: String,
    pub verb: String,
    pub subject: String,
    pub detail: String,
}

/// What was done, newest first.
#[derive(Debug, Template)]
#[template(path = "events.html")]
pub struct EventsPage {
    pub frame: Frame,
    /// The repository that it is about; none for a person's or an organisation's.
    pub head: Option<Head>,
    /// The organisation that it is about.
    pub organization: Option<String>,
    pub events: Vec<EventLine>,
    pub next: Option<String>,
}
