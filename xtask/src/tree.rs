//! The files of the project as the laws see them: paths from the root, text, Rust syntax.
//!
//! It knows no law. Invariant: files come in the order of their paths, so a report reads the same everywhere.

use std::cell::OnceCell;
use std::path::Path;

use anyhow::Context;
use proc_macro2::TokenStream;

pub mod manifest;
pub mod packages;
pub mod tokens;

use packages::Package;

/// Everything that git would track, whether it does yet or not.
pub struct Tree {
    files: Vec<File>,
    /// What the workspace is built from; an error says why it could not be asked.
    pub packages: Result<Vec<Package>, String>,
}

/// One file. A file that is no text has an empty one.
pub struct File {
    /// From the root, with `/` between its parts.
    pub path: String,
    pub text: String,
    tokens: OnceCell<Option<TokenStream>>,
    syntax: OnceCell<Option<syn::File>>,
}

impl Tree {
    /// Reads the tree under `root`, ignored files left out.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        let walk = ignore::WalkBuilder::new(root)
            .hidden(false)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        for entry in walk {
            let entry = entry.context("could not walk the tree")?;
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let path = entry.path();
            let bytes =
                std::fs::read(path).with_context(|| format!("could not read `{}`", path.display()))?;
            let path = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
            files.push(File::new(path, String::from_utf8(bytes).unwrap_or_default()));
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files, packages: packages::ask(root) })
    }

    /// A tree that exists in a test only.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut files: Vec<File> =
            files.iter().map(|(path, text)| File::new((*path).to_owned(), (*text).to_owned())).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files, packages: Ok(Vec::new()) }
    }

    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// Our own Rust sources.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.extension() == "rs")
    }

    /// The manifests of the workspace's members, with the folder name of each.
    pub fn manifests(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files().filter_map(|file| {
            let folder = file.path.strip_suffix("/Cargo.toml")?;
            let name = folder.strip_prefix("crates/").unwrap_or(folder);
            (!name.contains('/')).then_some((name, file))
        })
    }

    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().map(|at| &self.files[at])
    }

    /// Whether a file or folder of this path is there.
    pub fn holds(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty() || self.files().any(|file| file.path == path || file.path.starts_with(&folder))
    }
}

impl File {
    fn new(path: String, text: String) -> Self {
        Self { path, text, tokens: OnceCell::new(), syntax: OnceCell::new() }
    }

    /// What stands after the last dot of the file's name; empty without one.
    pub fn extension(&self) -> &str {
        self.name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The name without its extension.
    pub fn stem(&self) -> &str {
        self.name().split_once('.').map_or(self.name(), |(stem, _)| stem)
    }

    /// Written by others and kept as it came: no law of ours binds it but its licence.
    pub fn is_foreign(&self) -> bool {
        self.path.split('/').any(|part| part == "vendor") || self.name().contains(".min.")
    }

    /// Bytes that a test compares with or feeds to a parser: they are what they are.
    pub fn is_sample(&self) -> bool {
        let folders = ["fixtures", "golden", "snapshots", "corpus"];
        self.extension() == "snap" || self.path.split('/').any(|part| folders.contains(&part))
    }

    pub fn n_lines(&self) -> usize {
        self.text.lines().count()
    }

    /// The file's tokens; none if they cannot be told apart.
    pub fn tokens(&self) -> Option<&TokenStream> {
        self.tokens.get_or_init(|| self.text.parse().ok()).as_ref()
    }

    /// The file's syntax; none if it does not parse.
    pub fn syntax(&self) -> Option<&syn::File> {
        self.syntax.get_or_init(|| syn::parse_file(&self.text).ok()).as_ref()
    }
}
