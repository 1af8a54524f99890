//! `reenact login`: checks a token and remembers it.

use std::io::{self, BufRead, IsTerminal};

use client::credentials::{self, Credentials, Server};
use client::http::Client;
use client::hub;
use client::secret::Secret;

use crate::args::remote::Login;
use crate::commands::ExitStatus;
use crate::error::Error;
use crate::printer::Printer;
use crate::settings;

pub async fn run(args: Login, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let url = credentials::parse_url(&args.url)?;
    let path = settings::credentials_path()?;
    let mut credentials = Credentials::load(&path)?;
    let token = match &args.token {
        Some(token) => Secret::new(token),
        None => ask()?,
    };
    if token.is_empty() {
        return Err(Error::NoToken.into());
    }
    let client = Client::new(&Server { url: url.clone(), token: Some(token.clone()) })?;
    let who = hub::whoami(&client).await.map_err(|error| match error.status() {
        Some(401) => anyhow::Error::from(Error::UnknownToken {
            url: client.base().to_owned(),
            source: Box::new(error),
        }),
        _ => error.into(),
    })?;
    credentials.remember(&url, &token);
    credentials.save(&path)?;
    printer.answer(format_args!("signed in to {} as {}", client.base(), who.name))?;
    printer.note(format_args!("the token is kept in {}", path.display()));
    Ok(ExitStatus::Success)
}

fn ask() -> Result<Secret, Error> {
    let failed = |source| Error::Input { source };
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("token: ").map(|text| Secret::new(&text)).map_err(failed);
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(Secret::new(&line))
}
