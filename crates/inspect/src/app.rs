//! The web app that a repository keeps beside its model: named in the manifest, or in its card as on Hugging Face Spaces.
//!
//! Knows names and paths; no line of the app is read. Invariant: where both speak, the manifest's word stands; an app
//! that is named and not there is a problem, and no app.

use spec::app::{AppFacts, DEFAULT_FILE, Sdk, Space};
use spec::facts::Facts;
use spec::handler::PythonVersion;
use spec::manifest::Manifest;
use spec::name::FilePath;

use crate::repository::{environment, named};

/// Adds the app to what is known of a revision with these paths.
pub fn app(facts: &mut Facts, manifest: Option<&Manifest>, space: &Space, paths: &[String]) {
    let nothing = Manifest::default();
    let manifest = manifest.unwrap_or(&nothing);
    let found = match &manifest.app {
        Some(app) => {
            let file = app.file.clone().or_else(|| DEFAULT_FILE.parse().ok());
            named(facts, "app", file, paths).map(|file| (app.sdk, file))
        }
        None => of_space(facts, space, paths),
    };
    let Some((sdk, file)) = found else { return };
    // Its form was looked at when it was read.
    let Ok(file) = file.parse::<FilePath>() else { return };
    let mut environment = environment(facts, manifest, paths);
    let is_silent = manifest.environment.as_ref().is_none_or(|environment| environment.python.is_none());
    let said = space.python_version.clone().and_then(|version| PythonVersion::try_from(version).ok());
    if let Some(python) = said.filter(|_| is_silent) {
        environment.python = python;
    }
    facts.app = Some(AppFacts { sdk, file, package: package(sdk, space), environment });
}

/// What a card says, where it names a toolkit that we run; of the others nothing is said, for they may be run elsewhere.
fn of_space(facts: &mut Facts, space: &Space, paths: &[String]) -> Option<(Sdk, String)> {
    let sdk = Sdk::from_name(&space.sdk)?;
    let file = space.app_file.as_deref().unwrap_or(DEFAULT_FILE);
    if paths.iter().any(|path| path == file) {
        return Some((sdk, file.to_owned()));
    }
    let shown: String = file.chars().take(200).collect();
    facts.problems.push(format!("the card names `{shown}` as its app, and there is no such file"));
    None
}

/// The toolkit's package, in the version that the card asks for where that is a version.
fn package(sdk: Sdk, space: &Space) -> String {
    let is_version = |text: &&str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || ".+-".contains(c);
        text.starts_with(|c: char| c.is_ascii_digit()) && text.len() <= 40 && text.chars().all(is_part)
    };
    let version = space.sdk_version.as_deref().filter(|_| space.sdk == sdk.as_str()).filter(is_version);
    version.map_or_else(|| sdk.as_str().to_owned(), |version| format!("{sdk}=={version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(manifest: &str, space: &Space, paths: &[&str]) -> Facts {
        let mut facts = Facts::default();
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let manifest = Manifest::parse(manifest.as_bytes()).unwrap();
        app(&mut facts, Some(&manifest), space, &paths);
        facts
    }

    fn space(sdk: &str, version: &str) -> Space {
        let (sdk_version, python_version) = (Some(version.to_owned()), Some("3.12".to_owned()));
        Space { sdk: sdk.to_owned(), sdk_version, python_version, ..Space::default() }
    }

    #[test]
    fn a_card_of_a_space_names_its_app() {
        let facts = found("", &space("gradio", "6.1.0"), &["app.py", "requirements.txt"]);
        let app = facts.app.unwrap();
        assert_eq!(
            (app.sdk, app.file.as_str(), app.package.as_str()),
            (Sdk::Gradio, "app.py", "gradio==6.1.0")
        );
        assert_eq!(app.environment.python.as_str(), "3.12");
        assert_eq!(app.environment.requirements_file.as_deref(), Some("requirements.txt"));
        assert!(found("", &space("docker", "1"), &["app.py"]).app.is_none());
    }

    #[test]
    fn a_manifest_has_the_last_word() {
        let manifest = "[app]\nsdk = \"streamlit\"\nfile = \"web.py\"\n[environment]\npython = \"3.11\"";
        let app = found(manifest, &space("gradio", "6.1.0"), &["app.py", "web.py"]).app.unwrap();
        assert_eq!(
            (app.sdk, app.file.as_str(), app.package.as_str()),
            (Sdk::Streamlit, "web.py", "streamlit")
        );
        assert_eq!(app.environment.python.as_str(), "3.11");
    }

    #[test]
    fn an_app_that_is_not_there_is_a_problem() {
        for facts in
            [found("[app]\nsdk = \"gradio\"", &Space::default(), &[]), found("", &space("gradio", "6"), &[])]
        {
            assert!(facts.app.is_none() && facts.problems[0].contains("`app.py`"), "{:?}", facts.problems);
        }
        let odd = space("gradio", "6 --index-url=https://evil.example");
        assert_eq!(found("", &odd, &["app.py"]).app.unwrap().package, "gradio");
    }
}
