//! `reenact admin`: what the operator does on the server's own machine.

use std::collections::BTreeMap;
use std::env;

use server::admin::{self, IsAdmin};
use server::serve;
use server::settings::Settings;
use spec::api::NewInvitation;

use crate::args::local::{
    Admin, AdminAction, AdminKeyAction, AdminSignInLink, AdminUserAction, AdminUserAdd, AdminUserEmail,
    AdminUserInvite, Place,
};
use crate::commands::ExitStatus;
use crate::printer::Printer;

pub async fn run(args: Admin, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.action {
        AdminAction::User(user) => match user.action {
            AdminUserAction::Add(args) => add_user(args, printer).await,
            AdminUserAction::Invite(args) => invite_user(args, printer).await,
            AdminUserAction::Email(args) => set_email(args, printer).await,
        },
        AdminAction::SignInLink(args) => sign_in_link(args, printer).await,
        AdminAction::Key(key) => match key.action {
            AdminKeyAction::Show(args) => {
                printer.answer_json(&admin::keys(&settings(&args.place)?).await?)?;
                Ok(ExitStatus::Success)
            }
        },
    }
}

async fn add_user(args: AdminUserAdd, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = settings(&args.place)?;
    let is_admin = if args.admin { IsAdmin::Yes } else { IsAdmin::No };
    let token = admin::add_user(&settings, args.name.as_str(), is_admin).await?;
    printer.answer(token.expose())?;
    Ok(ExitStatus::Success)
}

async fn sign_in_link(args: AdminSignInLink, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = settings(&args.place)?;
    let path = admin::sign_in_link(&settings, args.name.as_str()).await?;
    printer.answer(format_args!("{}{path}", serve::address(&settings)))?;
    Ok(ExitStatus::Success)
}

async fn invite_user(args: AdminUserInvite, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = settings(&args.place)?;
    let new = NewInvitation { email: args.email, expires: args.expires, role: None };
    let path = admin::invite_user(&settings, &new).await?;
    printer.answer(format_args!("{}{path}", serve::address(&settings)))?;
    Ok(ExitStatus::Success)
}

async fn set_email(args: AdminUserEmail, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = settings(&args.place)?;
    admin::set_email(&settings, args.name.as_str(), &args.email).await?;
    printer.note(format_args!("{} is {} from now on", args.email, args.name));
    Ok(ExitStatus::Success)
}

fn settings(place: &Place) -> anyhow::Result<Settings> {
    let typed = [("data", &place.data), ("database", &place.database)];
    let typed = typed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    let flags: BTreeMap<String, String> = typed.collect();
    Ok(Settings::load(&flags, |name| env::var(name).ok(), place.config.as_deref())?)
}
