//! `reenact token`: secrets that may do less than one's own.

use spec::api::{NewToken, TokenScope};

use crate::args::sharing::{Scope, Token, TokenAction, TokenCreate, TokenList, TokenRevoke};
use crate::commands::ExitStatus;
use crate::printer::Printer;
use crate::settings;
use crate::table::Table;

pub async fn run(args: Token, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.action {
        TokenAction::Create(args) => create(args, printer).await,
        TokenAction::List(args) => list(args, printer).await,
        TokenAction::Revoke(args) => revoke(args, printer).await,
    }
}

async fn create(args: TokenCreate, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let scope = match args.scope {
        Scope::Predict => TokenScope::Predict,
        Scope::Read => TokenScope::Read,
        Scope::Write => TokenScope::Write,
    };
    let new = NewToken { name: args.name, scope, expires: args.expires, repository: args.repository };
    let made = client::sharing::create_token(&client, &new).await?;
    printer.answer(&made.secret)?;
    let id = made.token.id;
    printer.note(format_args!("it is shown this once; `reenact token revoke {id}` takes it back"));
    Ok(ExitStatus::Success)
}

async fn list(args: TokenList, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let tokens = client::sharing::tokens(&client).await?;
    if args.json {
        printer.answer_json(&tokens)?;
        return Ok(ExitStatus::Success);
    }
    let mut table = Table::new(["TOKEN", "NAME", "SCOPE", "ONLY FOR", "EXPIRES", "LAST USED"]);
    for token in tokens {
        table.push(vec![
            token.id.to_string(),
            token.name,
            token.scope.as_str().to_owned(),
            token.repository.unwrap_or_default(),
            token.expires.unwrap_or_else(|| "never".to_owned()),
            token.last_used.unwrap_or_else(|| "never".to_owned()),
        ]);
    }
    printer.answer_table(&table)?;
    Ok(ExitStatus::Success)
}

async fn revoke(args: TokenRevoke, printer: &Printer) -> anyhow::Result<ExitStatus> {
    client::sharing::revoke_token(&settings::connect(&args.server)?, args.id).await?;
    printer.note(format_args!("token {} no longer works", args.id));
    Ok(ExitStatus::Success)
}
