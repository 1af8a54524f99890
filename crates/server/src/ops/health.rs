//! Whether the server can do its work.
//!
//! Tells nothing of what it holds. Invariant: healthy means that the database answers.

use crate::app::App;
use crate::error::{During, Error};

/// An error unless the store answers.
pub async fn check(app: &App) -> Result<(), Error> {
    store::db::accounts::n_admins(&app.store.db).await.during("ask the database").map(|_| ())
}
