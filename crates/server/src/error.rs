//! What can go wrong in the server, and the one table that says how every door tells it.
//!
//! Two messages: the one for the client is here, the cause for the log is in `#[source]`. Knows no protocol;
//! each door writes the same [`Entry`] in its own form. Invariant: every error has exactly one code.

use std::path::PathBuf;

mod table;

pub use table::{CODES, Code, Entry};

/// An error of the server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // At start.
    #[error("setting `{name}`: `{value}` is not {wanted}")]
    Setting { name: &'static str, value: String, wanted: &'static str },
    #[error("settings file `{}`: {reason}", path.display())]
    SettingsFile { path: PathBuf, reason: String },
    #[error("could not listen on `{address}`")]
    Listen {
        address: std::net::SocketAddr,
        #[source]
        source: std::io::Error,
    },

    // Who asks.
    #[error("nobody is signed in")]
    NotSignedIn,
    #[error("the token is not valid")]
    BadToken,
    #[error("user name or password is wrong")]
    BadPassword,
    #[error("the sign-in link was used already or is too old")]
    BadSignInLink,
    #[error("the invitation was taken, taken back or is too old")]
    BadInvitation,
    #[error("there is no such link")]
    LinkNotFound,
    #[error("the link is {0}")]
    LinkEnded(&'static str),
    #[error("the link has {n_left} calls left")]
    LinkUsedUp { n_left: i64 },
    #[error("the link allows {per_minute} calls a minute")]
    LinkTooFast { per_minute: i64 },
    #[error("too much at a time: {what}")]
    TooFast { what: &'static str, retry_s: u64 },
    #[error("nobody can make an account here by themselves")]
    SignUpClosed,
    #[error("the sign-in was not begun in this browser, or too long ago")]
    BadSignIn,
    #[error("the sign-in service did not let you in: {0}")]
    SignInRefused(String),
    #[error("no account here is for `{0}`")]
    NoAccountFor(String),
    #[error("the sign-in service does not vouch for your e-mail address")]
    EmailUnverified,
    #[error("the sign-in service could not be used: could not {operation}")]
    SignInService {
        operation: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the form was not sent from a page of this server, or its session has ended")]
    BadCsrf,
    #[error("`{actor}` may not {action} `{what}`")]
    Forbidden { actor: String, action: &'static str, what: String },
    #[error("the token may read only")]
    ReadOnlyToken,
    #[error("the files of `{repository}` are had by asking: {reason}")]
    Gated { repository: String, reason: &'static str },
    #[error("the address to fetch from is not one of this server, or is good no longer")]
    BadFetchAddress,
    #[error("the address for an upload is not one of this server, or is good no longer")]
    BadUploadAddress,

    // What is asked for.
    #[error("there is no {what} `{name}`")]
    NotFound { what: &'static str, name: String },
    #[error("there is no repository `{0}`")]
    RepositoryNotFound(String),
    #[error("the repository `{from}` is now `{to}`")]
    Moved { from: String, to: String },
    #[error("`{repository}` has no revision `{revision}`")]
    RevisionNotFound { repository: String, revision: String },
    #[error("`{path}` is not in revision `{revision}`")]
    EntryNotFound { revision: String, path: String },
    #[error("there is no page at `{0}`")]
    PageNotFound(String),
    #[error("`{0}` is not answered here with this method")]
    Method(String),
    #[error("there is already {what} `{name}`")]
    AlreadyExists { what: &'static str, name: String },
    #[error("an organisation keeps at least one member who administers it")]
    LastAdmin,
    #[error("a server keeps at least one admin")]
    LastServerAdmin,
    #[error("`{0}` still owns repositories")]
    NotEmpty(String),
    #[error("the branch moved on to `{current}` since `{expected}`")]
    StaleParent { expected: String, current: String },
    #[error("the pull request {number} and the branch changed `{path}`, each in its own way")]
    MergeConflict { number: i64, path: String },
    #[error("the range of bytes lies outside the file of {size} bytes")]
    Range { size: u64 },

    // What was sent.
    #[error(transparent)]
    Name(#[from] spec::name::NameError),
    #[error("{0}")]
    BadRequest(String),
    #[error("the attestation does not hold: {0}")]
    BadAttestation(String),
    #[error("replay `{0}` was attested before")]
    AlreadyAttested(String),
    #[error("the card: {0}")]
    BadCard(String),
    #[error("`{path}` collides with the file or folder `{other}`")]
    PathCollision { path: String, other: String },
    #[error("the request is larger than {limit}")]
    TooLarge { limit: String },
    #[error("{n_bytes} bytes more do not fit: {used_bytes} of {quota_bytes} are used")]
    QuotaUsedUp { used_bytes: u64, n_bytes: u64, quota_bytes: u64 },
    #[error("the request did not arrive in time")]
    TooSlow,
    #[error("media type `{0}` is not understood here")]
    MediaType(String),

    // Endpoints.
    #[error("`{0}` has no endpoint")]
    EndpointNotFound(String),
    #[error("the packages cannot be installed: {0}")]
    BadEnvironment(String),
    #[error("`{repository}` has nothing to serve: {reason}")]
    NotServable { repository: String, reason: String },
    #[error("the endpoint of `{repository}` is {state}: {reason}")]
    EndpointDown { repository: String, state: &'static str, reason: String },
    #[error("`{0}` has no app that was started")]
    AppNotFound(String),
    #[error("`{repository}` has no app that can run: {reason}")]
    NoApp { repository: String, reason: String },
    #[error("the app of `{repository}` is {state}: {reason}")]
    AppDown { repository: String, state: &'static str, reason: String },
    #[error("{0}")]
    BadInput(String),
    #[error("the model offers no {0}")]
    NotOffered(&'static str),
    #[error("the endpoint has as many requests waiting as it takes")]
    Overloaded,
    #[error("no answer within {0}")]
    PredictTimeout(String),
    #[error("the model failed: {0}")]
    Model(String),

    // Backups, and what is moved.
    #[error("`{}` is no folder of backups", path.display())]
    NotABackup { path: PathBuf },
    #[error("`{}` is neither a folder of backups nor a data folder with stored files", path.display())]
    NoCopy { path: PathBuf },
    #[error("`{}` has no snapshot `{name}`; the folders in its `snapshots` are those that it has", path.display())]
    SnapshotNotFound { path: PathBuf, name: String },
    #[error("the backup cannot be used")]
    BadBackup(#[source] store::Error),
    #[error("`{what}` is not empty")]
    TargetNotEmpty { what: String },
    #[error("there is no room left where it is copied to")]
    TargetFull,
    #[error("another process uses `{}`", path.display())]
    SourceInUse { path: PathBuf },
    #[error("the table `{table}` was written to while it was copied")]
    SourceChanged { table: String },
    #[error("the table `{table}` was not written as it was read")]
    NotAsRead { table: String },
    #[error("what is stored is being copied, and has to stay meanwhile")]
    BackupUnderWay,

    // What we stand on.
    #[error("the server's disk is full")]
    StorageFull,
    #[error("could not {operation}")]
    Store {
        operation: &'static str,
        #[source]
        source: store::Error,
    },
    #[error("could not {operation}")]
    Io {
        operation: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("could not {0}")]
    Internal(&'static str),
}

impl Error {
    /// How doors tell it.
    pub fn entry(&self) -> &'static Entry {
        self.code().entry()
    }

    /// What went wrong this time, for the client; nothing of the inside.
    pub fn detail(&self) -> String {
        match self.code() {
            Code::Internal => "something went wrong inside the server".to_owned(),
            _ => self.to_string(),
        }
    }

    pub fn code(&self) -> Code {
        match self {
            Self::Setting { .. } | Self::SettingsFile { .. } => Code::BadSetting,
            Self::Listen { .. } | Self::Store { .. } | Self::Io { .. } | Self::Internal(_) => Code::Internal,
            Self::NotSignedIn => Code::NotSignedIn,
            Self::BadToken => Code::BadToken,
            Self::BadPassword => Code::BadPassword,
            Self::BadSignInLink => Code::BadSignInLink,
            Self::TooFast { .. } => Code::TooFast,
            Self::SignUpClosed => Code::SignUpClosed,
            Self::BadSignIn => Code::BadSignIn,
            Self::SignInRefused(_) => Code::SignInRefused,
            Self::NoAccountFor(_) => Code::NoAccountFor,
            Self::EmailUnverified => Code::EmailUnverified,
            Self::SignInService { .. } => Code::SignInService,
            Self::BadCsrf => Code::BadCsrf,
            Self::Forbidden { .. } => Code::Forbidden,
            Self::ReadOnlyToken => Code::ReadOnlyToken,
            Self::Gated { .. } => Code::Gated,
            Self::BadFetchAddress => Code::BadFetchAddress,
            Self::BadUploadAddress => Code::BadUploadAddress,
            Self::NotFound { .. } | Self::SnapshotNotFound { .. } => Code::NotFound,
            Self::RepositoryNotFound(_) => Code::RepositoryNotFound,
            Self::Moved { .. } => Code::Moved,
            Self::RevisionNotFound { .. } => Code::RevisionNotFound,
            Self::EntryNotFound { .. } => Code::EntryNotFound,
            Self::PageNotFound(_) => Code::PageNotFound,
            Self::Method(_) => Code::Method,
            Self::AlreadyExists { .. } => Code::AlreadyExists,
            Self::StaleParent { .. } => Code::StaleParent,
            Self::MergeConflict { .. } => Code::MergeConflict,
            Self::Range { .. } => Code::Range,
            Self::Name(_) => Code::BadName,
            Self::BadRequest(_) => Code::BadRequest,
            Self::BadAttestation(_) => Code::BadAttestation,
            Self::AlreadyAttested(_) => Code::AlreadyAttested,
            Self::BadCard(_) => Code::BadCard,
            Self::PathCollision { .. } => Code::PathCollision,
            Self::TooLarge { .. } => Code::TooLarge,
            Self::QuotaUsedUp { .. } => Code::QuotaUsedUp,
            Self::TooSlow => Code::TooSlow,
            Self::MediaType(_) => Code::MediaType,
            Self::EndpointNotFound(_) => Code::EndpointNotFound,
            Self::BadEnvironment(_) => Code::BadEnvironment,
            Self::NotServable { .. } => Code::NotServable,
            Self::LinkNotFound => Code::LinkNotFound,
            Self::LinkEnded(_) => Code::LinkEnded,
            Self::LinkUsedUp { .. } => Code::LinkUsedUp,
            Self::LinkTooFast { .. } => Code::LinkTooFast,
            Self::BadInvitation => Code::BadInvitation,
            Self::LastAdmin | Self::LastServerAdmin => Code::LastAdmin,
            Self::NotEmpty(_) => Code::NotEmpty,
            Self::EndpointDown { .. } => Code::EndpointDown,
            Self::AppNotFound(_) => Code::AppNotFound,
            Self::NoApp { .. } => Code::NoApp,
            Self::AppDown { .. } => Code::AppDown,
            Self::BadInput(_) => Code::BadInput,
            Self::NotOffered(_) => Code::NotOffered,
            Self::Overloaded => Code::Overloaded,
            Self::PredictTimeout(_) => Code::PredictTimeout,
            Self::Model(_) => Code::ModelFailed,
            Self::NotABackup { .. } | Self::NoCopy { .. } => Code::NotABackup,
            Self::BadBackup(_) | Self::NotAsRead { .. } => Code::BadBackup,
            Self::TargetNotEmpty { .. } => Code::TargetNotEmpty,
            Self::TargetFull => Code::TargetFull,
            Self::SourceInUse { .. } | Self::SourceChanged { .. } | Self::BackupUnderWay => Code::InUse,
            Self::StorageFull => Code::StorageFull,
        }
    }
}

/// Names the operation that a failure of the store broke off.
pub trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, Error>;
}

impl<T> During<T> for Result<T, store::Error> {
    fn during(self, operation: &'static str) -> Result<T, Error> {
        self.map_err(|source| match source {
            store::Error::StorageFull { .. } => Error::StorageFull,
            store::Error::Held => Error::BackupUnderWay,
            store::Error::Changed { table } => Error::SourceChanged { table },
            store::Error::NotABackup { path } => Error::NotABackup { path },
            source @ (store::Error::NewerBackup { .. }
            | store::Error::DamagedBackup { .. }
            | store::Error::Dump(_)) => Error::BadBackup(source),
            // The one thing that the store is given as a client wrote it.
            store::Error::Cursor(_) => Error::BadRequest(source.to_string()),
            source => Error::Store { operation, source },
        })
    }
}

impl<T> During<T> for Result<T, std::io::Error> {
    fn during(self, operation: &'static str) -> Result<T, Error> {
        self.map_err(|source| match source.kind() {
            std::io::ErrorKind::StorageFull => Error::StorageFull,
            _ => Error::Io { operation, source },
        })
    }
}
