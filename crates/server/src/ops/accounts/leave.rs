//! Leaving: the end of an account, at its own wish.
//!
//! Invariants: nobody leaves by a token, or without saying so twice; what others would lose keeps an account here
//! until it is handed over; what it said elsewhere stays, without its name.

use spec::api::Leave;
use spec::name::RepositoryName;
use store::db::accounts as rows;
use store::db::repositories::Repository;

use crate::app::App;
use crate::error::{During, Error};
use crate::ops::access::{self, Actor, Known};
use crate::ops::events::{self, Done};
use crate::ops::{repositories, sessions};

/// Repositories that are deleted before the next are looked for.
const BATCH: u32 = 100;

/// Ends the account of whoever asks.
pub async fn leave(app: &App, actor: &Actor, wanted: &Leave) -> Result<(), Error> {
    let known = access::signed_in(actor)?;
    sessions::refuse_token(known, "delete with a token the", "account")?;
    if !wanted.name.trim().eq_ignore_ascii_case(&known.name) {
        return Err(Error::BadRequest(format!("the account is called `{}`", known.name)));
    }
    sessions::check_password(app, known, wanted.password.clone()).await?;
    // Both are asked before anything goes, and once more by the store.
    if known.is_admin && rows::n_admins(&app.store.db).await.during("count admins")? <= 1 {
        return Err(Error::LastServerAdmin);
    }
    if rows::is_last_admin(&app.store.db, known.id).await.during("look at organisations")? {
        return Err(Error::LastAdmin);
    }
    if wanted.with_repositories {
        delete_repositories(app, actor, known).await?;
    }
    match rows::delete(&app.store.db, known.id).await {
        Err(store::Error::NotEmpty { .. }) => return Err(Error::NotEmpty(known.name.clone())),
        Err(store::Error::LastAdmin) => return Err(Error::LastAdmin),
        Err(store::Error::LastServerAdmin) => return Err(Error::LastServerAdmin),
        result => result.during("delete an account")?,
    }
    app.actors.forget_all();
    app.rights.forget_all();
    events::note(app, actor, Done { verb: "account.delete", subject: &known.name, detail: "" }).await;
    Ok(())
}

async fn delete_repositories(app: &App, actor: &Actor, known: &Known) -> Result<(), Error> {
    loop {
        let query =
            repositories::Query { author: Some(known.name.clone()), limit: BATCH, ..Default::default() };
        let page = repositories::list(app, actor, &query).await?;
        let own = page.items.iter().filter(|repository| repository.owner_id == known.id);
        let own: Vec<&Repository> = own.collect();
        if own.is_empty() {
            return Ok(());
        }
        for repository in own {
            let name = RepositoryName::new(&repository.owner_name, &repository.name)?;
            match repositories::delete(app, actor, repository.kind, &name).await {
                // Somebody else was faster.
                Ok(()) | Err(Error::RepositoryNotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
