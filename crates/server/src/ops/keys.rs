//! The key with which this server signs what it states, and its public half.
//!
//! Refuses to know what is stated. Invariants: the key is made once, the first time that it is wanted, and every
//! process on the same database has the same one; its secret half leaves this file only inside a [`Key`].

use spec::digest::Sha256;
use spec::dsse::{Key, Keys};

use crate::app::App;
use crate::error::{During, Error};
use crate::secrets;

/// What the key is called among the server's secrets.
const KEY_NAME: &str = "statement-key";

/// The key to sign with.
pub async fn signing(app: &App) -> Result<&Key, Error> {
    let read = async || {
        let fresh = secrets::seed()?;
        let kept = store::db::secrets::get_or_create(&app.store.db, KEY_NAME, fresh.expose()).await;
        let seed: Sha256 = kept
            .during("read the key of statements")?
            .parse()
            .map_err(|_| Error::Internal("read the key of statements"))?;
        Ok(Key::from_seed(seed.as_bytes()))
    };
    app.statement_key.get_or_try_init(read).await
}

/// The keys by which the server's statements can be checked.
pub async fn public(app: &App) -> Result<Keys, Error> {
    Ok(Keys { keys: vec![signing(app).await?.public().jwk()] })
}
