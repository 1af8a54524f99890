//! The table of error codes: for each its status, title, hint, and what foreign protocols call it.
//!
//! The reference in `docs/` is generated from here. Invariant: a code, once published, keeps its meaning.

macro_rules! codes {
    ($( $code:ident: $name:literal, $status:literal, $title:literal, $hint:literal $(, hub $hub:literal)? ; )+) => {
        /// What kind of error it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $($code),+ }

        /// All codes, in the order of this page.
        pub const CODES: &[Entry] = &[
            $( Entry {
                code: Code::$code, name: $name, status: $status, title: $title, hint: $hint,
                hub: { let hub: Option<&'static str> = None; $( let _ = hub; let hub = Some($hub); )? hub },
            } ),+
        ];
    };
}

/// How doors tell an error.
#[derive(Debug)]
pub struct Entry {
    pub code: Code,
    /// Its name in addresses and in our API.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    pub title: &'static str,
    /// What to do next.
    pub hint: &'static str,
    /// The `X-Error-Code` by which `huggingface_hub` picks its exception.
    pub hub: Option<&'static str>,
}

impl Code {
    pub fn entry(self) -> &'static Entry {
        // The macro writes variants and rows in the same order.
        &CODES[self as usize]
    }
}

codes! {
    BadSetting: "bad-setting", 500, "A setting cannot be used", "`reenact serve --print-config` shows every setting with its default";
    Internal: "internal", 500, "Something went wrong inside the server", "try again; if it stays, the server's log has the request id and the cause";
    NotSignedIn: "not-signed-in", 401, "Sign in first", "sign in on the web, or run `reenact login` with a token from the page `/settings/tokens`";
    BadToken: "bad-token", 401, "The token is not valid", "make a new one on the page `/settings/tokens` and run `reenact login`";
    BadPassword: "bad-password", 401, "User name or password is wrong", "try again, or ask an admin for a new sign-in link";
    BadSignInLink: "bad-sign-in-link", 410, "The sign-in link no longer works", "`reenact admin sign-in-link NAME` makes a new one";
    BadInvitation: "bad-invitation", 410, "The invitation no longer works", "ask whoever sent it for a new one";
    LinkNotFound: "link-not-found", 404, "There is no such link", "copy the whole address that you were sent";
    LinkEnded: "link-ended", 410, "The link no longer works", "ask whoever sent it for a new one, or to extend it";
    LinkUsedUp: "link-used-up", 429, "The link has too few calls left", "ask with fewer rows, or ask whoever sent it for more calls";
    LinkTooFast: "link-too-fast", 429, "That was too fast for this link", "wait as long as `Retry-After` says and try again";
    TooFast: "too-fast", 429, "That was too fast", "wait as long as `Retry-After` says and try again";
    SignUpClosed: "sign-up-closed", 403, "Accounts are made by an admin here", "ask an admin of this server for an account or an invitation";
    BadSignIn: "bad-sign-in", 400, "The sign-in cannot be finished", "begin again on the page `/sign-in`, in the same browser";
    SignInRefused: "sign-in-refused", 403, "The sign-in service did not let you in", "begin again on the page `/sign-in`, or ask whoever runs the service";
    NoAccountFor: "no-account", 403, "There is no account for you here", "ask an admin of this server for an account with your e-mail address; if you have one, sign in with its password and connect it on the page `/settings`";
    EmailUnverified: "email-unverified", 403, "Your e-mail address is not verified", "verify the address with the sign-in service, then sign in again";
    SignInService: "sign-in-service", 502, "The sign-in service does not answer", "try again in a while, or sign in with your password";
    BadCsrf: "bad-csrf", 403, "The form could not be trusted", "load the page again and send the form once more";
    Forbidden: "forbidden", 403, "You may not do this", "ask the owner for the right to it, or use another account";
    ReadOnlyToken: "read-only-token", 403, "The token may read only", "make a token with the scope `write` on the page `/settings/tokens`";
    Gated: "gated", 403, "The files are had by asking", "sign in and ask for access on the repository's page", hub "GatedRepo";
    BadUploadAddress: "bad-upload-address", 403, "The address for the upload cannot be used", "start the upload again: each address is for one file and some hours";
    BadFetchAddress: "bad-fetch-address", 403, "The address cannot be fetched from", "ask again for where the file's chunks are: each address is for some bytes and some minutes";
    NotFound: "not-found", 404, "It does not exist", "check the name";
    RepositoryNotFound: "repository-not-found", 404, "There is no such repository, or it is private", "check the name; if it is private, sign in or pass a token that may read it", hub "RepoNotFound";
    Moved: "moved", 307, "The repository has another name now", "use the new name; the old one leads to it until somebody else takes it";
    RevisionNotFound: "revision-not-found", 404, "There is no such revision", "the page's history lists revisions, branches and tags", hub "RevisionNotFound";
    EntryNotFound: "entry-not-found", 404, "There is no such file in this revision", "the page's file list shows what there is", hub "EntryNotFound";
    PageNotFound: "page-not-found", 404, "There is no such page", "start from the front page and search";
    Method: "method-not-allowed", 405, "This address does not take that method", "the API's description is at `/api/v1/`";
    AlreadyExists: "already-exists", 409, "It exists already", "choose another name";
    LastAdmin: "last-admin", 409, "Somebody must administer it", "make somebody else an admin first";
    NotEmpty: "not-empty", 409, "It is not empty", "delete or transfer its repositories first";
    StaleParent: "stale-parent", 412, "The branch has moved on", "pull the newest revision and send the change again";
    MergeConflict: "merge-conflict", 409, "The changes do not fit together", "begin a new pull request from the branch as it is now";
    Range: "bad-range", 416, "The range lies outside the file", "ask for bytes the file has";
    BadName: "bad-name", 400, "A name is not allowed", "use letters, digits, `-`, `_` and `.`";
    BadRequest: "bad-request", 400, "The request could not be understood", "compare it with the description at `/api/v1/`";
    BadCard: "bad-card", 400, "The card's front matter could not be read", "it is YAML between two lines of `---` at the top of `README.md`";
    BadAttestation: "bad-attestation", 400, "The attestation does not hold", "replay what is on `main` now with `reenact replay OWNER/NAME`, and attest that";
    AlreadyAttested: "already-attested", 409, "The replay was attested before", "replay it once more for another attestation; whoever made one can take it back on the model's page";
    PathCollision: "path-collision", 400, "A file cannot stand where a folder is", "delete the one before you add the other";
    QuotaUsedUp: "quota-used-up", 403, "The account has no room for that", "delete repositories that are needed no longer, or have the operator raise `account_quota`; the page `/settings` shows what is used";
    TooLarge: "too-large", 413, "The request is too large", "send less at once, or have the operator raise the limit";
    TooSlow: "too-slow", 408, "The request took too long to arrive", "try again on a better connection";
    MediaType: "unsupported-media-type", 415, "The media type is not understood", "send `application/json` or `text/csv`";
    EndpointNotFound: "endpoint-not-found", 404, "There is no such endpoint", "put the model live with `reenact deploy OWNER/NAME`";
    BadEnvironment: "bad-environment", 409, "The Python environment cannot be built", "name packages of the package index with versions, or push a lock that `uv pip compile --generate-hashes` wrote";
    NotServable: "not-servable", 409, "The model cannot be served", "push an ONNX model or a `predict.py` with type hints, or push with `reenact.push` in Python";
    EndpointDown: "endpoint-down", 503, "The endpoint does not answer", "`reenact endpoints show OWNER/NAME` says why; deploy again to start it";
    AppNotFound: "app-not-found", 404, "There is no such app", "who may write the model starts its app with `reenact app start OWNER/NAME`";
    NoApp: "no-app", 409, "The app cannot run", "name it in `reenact.toml`: a table `[app]` with `sdk = \"gradio\"` or `sdk = \"streamlit\"`, and `file` where it is not `app.py`";
    AppDown: "app-down", 503, "The app does not answer", "try again in a moment; `reenact app show OWNER/NAME` says more, and `reenact app start OWNER/NAME` starts it again";
    BadInput: "bad-input", 400, "The input does not fit the model", "the model's page shows its schema with an example";
    NotOffered: "not-offered", 404, "The model does not offer this", "explanations need a function or method `explain` beside `predict`, which takes the same inputs; receipts come with predictions that are answered whole";
    Overloaded: "overloaded", 503, "The endpoint is busy", "wait as long as `Retry-After` says and try again";
    PredictTimeout: "predict-timeout", 504, "The prediction took too long", "send fewer rows at once";
    ModelFailed: "model-failed", 500, "The model failed on this input", "try an example from the model's page; the endpoint's log has more";
    NotABackup: "not-a-backup", 400, "The folder holds no backups", "name a folder that `reenact admin backup DIR` wrote; a new backup wants an empty folder or none";
    BadBackup: "bad-backup", 400, "The backup cannot be used", "install a newer `reenact` if the backup comes from one; otherwise restore another snapshot with `--snapshot`";
    TargetNotEmpty: "target-not-empty", 409, "There is something already", "name a data folder that is new, or a database without tables";
    TargetFull: "target-full", 507, "The disk that is copied to is full", "make room and run it again: what was copied is not copied again";
    InUse: "in-use", 409, "Something else uses it", "stop its servers, or wait until the backup has ended (ten minutes after one that was killed), and run it again: what was copied is not copied again";
    StorageFull: "storage-full", 507, "The server's disk is full", "ask the operator to free space; nothing that was stored is lost";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_finds_its_own_row_and_has_a_name_of_its_own() {
        for entry in CODES {
            assert_eq!(entry.code.entry().name, entry.name);
        }
        let names: BTreeSet<_> = CODES.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), CODES.len());
    }
}
