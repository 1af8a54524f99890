//! The flags of `serve`: one for each setting of the server, made from the page that defines them.
//!
//! Knows no setting by name but those that the short help shows. Invariant: a setting cannot be forgotten here.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Command, Error, FromArgMatches};
use server::settings::{REFERENCE, Setting};

/// What the short help shows; `--help` shows all.
const FIRST: &[&str] = &["data", "listen", "public_url", "database", "storage"];

/// Settings that were typed, by name.
#[derive(Debug, Clone, Default)]
pub struct Flags(pub BTreeMap<String, String>);

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        REFERENCE
            .iter()
            .fold(command.next_help_heading("Settings"), |command, setting| command.arg(flag(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let typed = |setting: &Setting| {
            let value = matches.get_one::<String>(setting.name)?;
            Some((setting.name.to_owned(), value.clone()))
        };
        Ok(Self(REFERENCE.iter().filter_map(typed).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

fn flag(setting: &Setting) -> Arg {
    let help: Vec<&str> = setting.doc.split_whitespace().collect();
    let default =
        if setting.default.is_empty() { String::new() } else { format!(" [default: {}]", setting.default) };
    Arg::new(setting.name)
        .long(setting.name.replace('_', "-"))
        .value_name("VALUE")
        .help(format!("{}{default}", help.join(" ").trim_end_matches('.')))
        .hide_short_help(!FIRST.contains(&setting.name))
}
