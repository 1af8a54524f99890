//! Identities: coming in by a provider of sign-ins, and connecting it to the account one has.
//!
//! Knows no protocol. Invariants: a person is who the provider says by issuer and subject, whatever else of them
//! changes; an account is taken for theirs by its address only if somebody vouches for it on both sides.

use spec::name::AccountName;
use store::clock;
use store::db::accounts::{self as rows, Account, Profile};
use store::db::identities::{self, Identity};

use super::access::{self, Actor};
use super::accounts;
use super::events::{self, Done};
use super::sessions::{self, Browser};
use crate::app::App;
use crate::error::{During, Error};
use crate::oidc::{self, Attempt, Person};
use crate::secrets::{self, Secret};
use crate::settings::OidcAccounts;

/// How many names are tried for a new account.
const NAMES: u32 = 50;

/// What the browser brought back from the provider.
#[derive(Debug, Default)]
pub struct Returned {
    pub state: String,
    /// Empty where the provider did not let them in.
    pub code: String,
    /// Why it did not.
    pub error: String,
}

/// Begins a sign-in at the provider, after which the browser comes back to `redirect`.
pub async fn begin(app: &App, redirect: &str, browser: &Browser) -> Result<(String, Attempt), Error> {
    if !oidc::is_there(app) {
        return Err(Error::PageNotFound("/sign-in/oidc".to_owned()));
    }
    app.rates.sign_ins.take(&browser.key())?;
    oidc::begin(app, redirect).await
}

/// Ends a sign-in: returns the secret of the session that has begun.
pub async fn sign_in(
    app: &App,
    attempt: &Attempt,
    returned: Returned,
    redirect: &str,
    browser: &Browser,
) -> Result<Secret, Error> {
    app.rates.sign_ins.take(&browser.key())?;
    let person = person(app, attempt, returned, redirect).await?;
    let account = account(app, &person).await?;
    sessions::start(app, &account, browser).await
}

/// Connects the person at the provider to the account of whoever is signed in.
pub async fn connect(
    app: &App,
    actor: &Actor,
    attempt: &Attempt,
    returned: Returned,
    redirect: &str,
) -> Result<(), Error> {
    let known = access::signed_in(actor)?;
    sessions::refuse_token(known, "connect with a token a", "sign-in service")?;
    let person = person(app, attempt, returned, redirect).await?;
    let account = rows::by_id(&app.store.db, known.id).await.during("look up an account")?;
    keep(app, &account.ok_or(Error::NotSignedIn)?, &person).await
}

/// Whether whoever asks is connected to the provider that there is.
pub async fn is_connected(app: &App, actor: &Actor) -> Result<bool, Error> {
    let known = access::signed_in(actor)?;
    let found = identities::list(&app.store.db, known.id).await.during("list identities")?;
    Ok(found.iter().any(|identity| identity.issuer == app.settings.oidc_issuer))
}

async fn person(app: &App, attempt: &Attempt, returned: Returned, redirect: &str) -> Result<Person, Error> {
    if !oidc::is_there(app) || !secrets::equal(&returned.state, &attempt.state) {
        return Err(Error::BadSignIn);
    }
    if returned.code.is_empty() {
        let is_denied = returned.error == "access_denied";
        let reason = if is_denied { "the sign-in was denied or broken off" } else { "it reports an error" };
        return Err(Error::SignInRefused(reason.to_owned()));
    }
    oidc::finish(app, attempt, returned.code, redirect).await
}

/// The account of this person: the one they had, the one with their address, or a new one.
async fn account(app: &App, person: &Person) -> Result<Account, Error> {
    let found = identities::account(&app.store.db, &person.issuer, &person.subject).await;
    if let Some(account) = found.during("look up an identity")? {
        return Ok(account);
    }
    let email = person.email.as_deref().unwrap_or_default().trim().to_lowercase();
    if email.is_empty() || !person.email_is_verified || accounts::check_email(&email).is_err() {
        return Err(Error::EmailUnverified);
    }
    let with_address = rows::by_verified_email(&app.store.db, &email).await.during("look up accounts")?;
    let n_found = with_address.len();
    let account = match (with_address.into_iter().next(), app.settings.oidc_accounts) {
        (Some(one), _) if n_found == 1 => one,
        (None, OidcAccounts::New) => create(app, person, &email).await?,
        // Two of that address are nobody's.
        _ => return Err(Error::NoAccountFor(email)),
    };
    keep(app, &account, person).await?;
    Ok(account)
}

async fn create(app: &App, person: &Person, email: &str) -> Result<Account, Error> {
    let wished = person.user_name.as_deref().unwrap_or_default();
    let wished = wished.split('@').next().filter(|name| !name.is_empty()).or(email.split('@').next());
    let base = plain_name(wished.unwrap_or_default());
    for n in 1..=NAMES {
        let name = if n == 1 { base.clone() } else { format!("{base}-{n}") };
        // A word that is reserved is taken.
        let Ok(name) = name.parse::<AccountName>() else { continue };
        match accounts::create(app, &name, None, false).await {
            Err(Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
            Ok(account) => {
                let full_name = accounts::plain_text(person.full_name.as_deref().unwrap_or_default());
                let profile = Profile { full_name, email: email.to_owned(), email_is_verified: true };
                rows::set_profile(&app.store.db, account.id, &profile).await.during("store a profile")?;
                let actor = Actor::Account(accounts::known(&account));
                let done =
                    Done { verb: "account.create", subject: &account.name, detail: "by sign-in service" };
                events::note(app, &actor, done).await;
                return Ok(account);
            }
        }
    }
    Err(Error::AlreadyExists { what: "an account", name: base })
}

async fn keep(app: &App, account: &Account, person: &Person) -> Result<(), Error> {
    let identity = Identity {
        issuer: person.issuer.clone(),
        subject: person.subject.clone(),
        account_id: account.id,
        created_ms: clock::now_ms(),
    };
    match identities::create(&app.store.db, &identity).await {
        Err(store::Error::AlreadyExists { .. }) => {
            let found = identities::account(&app.store.db, &person.issuer, &person.subject).await;
            let owner = found.during("look up an identity")?;
            if owner.is_some_and(|owner| owner.id == account.id) {
                return Ok(());
            }
            let name = app.settings.oidc_label.clone();
            return Err(Error::AlreadyExists { what: "another account of yours, connected to", name });
        }
        result => result.during("keep an identity")?,
    }
    let actor = Actor::Account(accounts::known(account));
    events::note(
        app,
        &actor,
        Done { verb: "identity.connect", subject: &account.name, detail: &person.issuer },
    )
    .await;
    Ok(())
}

/// What of a name can stand in an address.
fn plain_name(wished: &str) -> String {
    let mut name = String::new();
    for c in wished.chars().take(spec::limits::NAME_BYTES - 4) {
        let c = if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
        if c != '-' || !name.ends_with('-') {
            name.push(c);
        }
    }
    match name.trim_matches('-') {
        "" => "user".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_fit_for_addresses() {
        for (wished, name) in [
            ("Grace.Hopper", "grace-hopper"),
            ("--a--b--", "a-b"),
            ("Élodie", "lodie"),
            ("日本", "user"),
            ("", "user"),
        ] {
            assert_eq!(plain_name(wished), name);
            plain_name(wished).parse::<AccountName>().unwrap();
        }
    }
}
