//! The protocol by which a provider of sign-ins (OpenID Connect) says who somebody is.
//!
//! Knows the provider, nothing of accounts. Invariants: only the authorisation code flow with PKCE, state and nonce;
//! what is told of somebody was signed for this server by the provider that the operator named.

use std::pin::Pin;

use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenResponse,
};
use store::clock;
use tokio::sync::Mutex;

use crate::app::App;
use crate::error::Error;
use crate::outbound::{Outbound, OutboundError, Reach};
use crate::secrets;

/// How long the provider's own description is believed, with the keys in it.
const DESCRIPTION_MS: i64 = 10 * 60 * 1000;

/// What the provider said of itself, and when.
#[derive(Debug, Default)]
pub struct Provider(Mutex<Option<(i64, CoreProviderMetadata)>>);

/// A sign-in that has begun; the browser keeps it until it comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What the browser must bring back.
    pub state: String,
    /// What the provider must sign.
    pub nonce: String,
    /// What shows that who takes the answer is who asked.
    pub verifier: String,
}

/// Who somebody is, as the provider tells it.
#[derive(Debug, Clone, Default)]
pub struct Person {
    pub issuer: String,
    /// What the provider tells them by from all others, for ever.
    pub subject: String,
    pub email: Option<String>,
    pub email_is_verified: bool,
    /// What they would like to be called.
    pub user_name: Option<String>,
    pub full_name: Option<String>,
}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Whether there is a provider.
pub fn is_there(app: &App) -> bool {
    !app.settings.oidc_issuer.is_empty()
}

/// Begins a sign-in: the address at the provider to go to, and what to keep until the browser comes back to `redirect`.
pub async fn begin(app: &App, redirect: &str) -> Result<(String, Attempt), Error> {
    let client = client(app, redirect).await?;
    let random = || secrets::generate("").map(|secret| secret.expose().to_owned());
    let attempt = Attempt { state: random()?, nonce: random()?, verifier: random()? };
    let verifier = PkceCodeVerifier::new(attempt.verifier.clone());
    let (state, nonce) = (CsrfToken::new(attempt.state.clone()), Nonce::new(attempt.nonce.clone()));
    let (url, _, _) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
        .add_scope(Scope::new("email".to_owned()))
        .add_scope(Scope::new("profile".to_owned()))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .url();
    Ok((url.to_string(), attempt))
}

/// Exchanges the code that the browser brought back for who it is.
pub async fn finish(app: &App, attempt: &Attempt, code: String, redirect: &str) -> Result<Person, Error> {
    let client = client(app, redirect).await?;
    let http = Http(app.outbound.clone());
    let request = client.exchange_code(AuthorizationCode::new(code)).map_err(failed("find its keys"))?;
    let request = request.set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()));
    let tokens = request.request_async(&http).await.map_err(|error| match error {
        // The code was made up, is old or was used already.
        RequestTokenError::ServerResponse(_) => {
            Error::SignInRefused("it does not know this sign-in".to_owned())
        }
        error => failed("take its answer")(error),
    })?;
    let id_token = tokens.id_token().ok_or(Error::SignInRefused("it did not say who you are".to_owned()))?;
    let nonce = Nonce::new(attempt.nonce.clone());
    let claims = id_token
        .claims(&client.id_token_verifier(), &nonce)
        .map_err(|error| {
            tracing::warn!(%error, "a sign-in service's statement was refused");
            Error::SignInRefused("its statement about you could not be verified".to_owned())
        })?
        .clone();
    let mut person = Person {
        issuer: claims.issuer().to_string(),
        subject: claims.subject().to_string(),
        email: claims.email().map(|email| email.to_string()),
        email_is_verified: claims.email_verified().unwrap_or(false),
        user_name: claims.preferred_username().map(|name| name.to_string()),
        full_name: claims.name().and_then(|name| name.get(None)).map(|name| name.to_string()),
    };
    // Most providers tell the rest only when they are asked for it.
    if person.email.is_none()
        && let Ok(request) = client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
    {
        let told: CoreUserInfoClaims =
            request.request_async(&http).await.map_err(failed("ask who you are"))?;
        person.email = told.email().map(|email| email.to_string());
        person.email_is_verified = told.email_verified().unwrap_or(false);
        person.user_name = person.user_name.or(told.preferred_username().map(|name| name.to_string()));
        let name = told.name().and_then(|name| name.get(None)).map(|name| name.to_string());
        person.full_name = person.full_name.or(name);
    }
    Ok(person)
}

async fn client(app: &App, redirect: &str) -> Result<Client, Error> {
    let redirect =
        RedirectUrl::new(redirect.to_owned()).map_err(failed("write the address to come back to"))?;
    let secret = app.settings.oidc_client_secret.0.expose();
    let secret = (!secret.is_empty()).then(|| ClientSecret::new(secret.to_owned()));
    let id = ClientId::new(app.settings.oidc_client_id.clone());
    Ok(CoreClient::from_provider_metadata(describe(app).await?, id, secret).set_redirect_uri(redirect))
}

/// What the provider says of itself. Asked for again now and then, since its keys change.
async fn describe(app: &App) -> Result<CoreProviderMetadata, Error> {
    let mut known = app.oidc.0.lock().await;
    let now_ms = clock::now_ms();
    if let Some((at_ms, description)) = &*known
        && now_ms.saturating_sub(*at_ms) < DESCRIPTION_MS
    {
        return Ok(description.clone());
    }
    let issuer = IssuerUrl::new(app.settings.oidc_issuer.clone()).map_err(failed("read its address"))?;
    let http = Http(app.outbound.clone());
    let description = CoreProviderMetadata::discover_async(issuer, &http).await;
    let description = description.map_err(failed("read its description"))?;
    *known = Some((now_ms, description.clone()));
    Ok(description)
}

/// The way to the provider, as the library of the protocol would have it.
struct Http(Outbound);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutboundError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.0.send(request, Reach::Anywhere))
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(operation: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error::SignInService { operation, source: Box::new(source) }
}
