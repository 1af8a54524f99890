//! Commands that need no server to talk to.

use std::path::PathBuf;

use clap::Args;

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact completions bash > ~/.local/share/bash-completion/completions/reenact
  reenact completions zsh > ~/.zfunc/_reenact
  reenact completions fish > ~/.config/fish/completions/reenact.fish")]
pub struct Completions {
    pub shell: clap_complete::Shell,
}

/// Write the generated parts of the documentation
#[derive(Debug, Args)]
pub struct Reference {
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
