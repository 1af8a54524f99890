//! Law: nothing is silenced without a reason, and nothing is left for later in the code.
//!
//! It reads attributes and macros by tokens, and comments by text.

use proc_macro2::{TokenStream, TokenTree};

use super::{Law, Violation};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "shortcuts",
    why: "an `expect` with a reason goes away when its cause does; a promise in a comment is never kept.",
    check,
};

/// Macros that stand for code that is not there.
const UNWRITTEN: &[&str] = &["todo", "unimplemented"];

fn check(tree: &Tree) -> Vec<Violation> {
    let code = tree.files().filter(|file| ["rs", "py", "js", "mjs", "css", "sh"].contains(&file.extension()));
    let promises = code.filter(|file| !file.is_foreign()).flat_map(promises);
    promises.chain(tree.rust().flat_map(silenced)).collect()
}

fn promises(file: &File) -> Vec<Violation> {
    // Put together here, so that this file holds no such word itself.
    let words = [concat!("FIX", "ME"), concat!("TO", "DO:"), concat!("TO", "DO("), concat!("XX", "X:")];
    let numbered = file.text.lines().enumerate();
    numbered
        .filter_map(|(at, line)| words.iter().find(|word| line.contains(*word)).map(|word| (at, *word)))
        .map(|(at, word)| {
            let what = format!("`{}` leaves something for later", word.trim_end_matches([':', '(']));
            Violation::new(
                &file.path,
                at + 1,
                what,
                "do it now, or open an issue and say here what holds today",
            )
        })
        .collect()
}

fn silenced(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    if let Some(tokens) = file.tokens() {
        collect(tokens, &mut |line, what, hint| found.push(Violation::new(&file.path, line, what, hint)));
    }
    found
}

fn collect(tokens: &TokenStream, say: &mut impl FnMut(usize, String, &str)) {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let is_mark =
        |at: usize, mark: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == mark);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word)
                if is_mark(at + 1, '!') && UNWRITTEN.iter().any(|macro_name| *word == macro_name) =>
            {
                let what = format!("`{word}!` stands where code should");
                say(
                    word.span().start().line,
                    what,
                    "write it, or return the error that says it is not there",
                );
            }
            TokenTree::Group(group)
                if is_mark(at.wrapping_sub(1), '#') || is_inner_attribute(&tokens, at) =>
            {
                judge_attribute(&group.stream(), say);
            }
            TokenTree::Group(group) => collect(&group.stream(), say),
            _ => {}
        }
    }
}

/// `#![…]`: the group stands behind two marks.
fn is_inner_attribute(tokens: &[TokenTree], at: usize) -> bool {
    let mark = |back: usize| match at.checked_sub(back).and_then(|at| tokens.get(at)) {
        Some(TokenTree::Punct(mark)) => Some(mark.as_char()),
        _ => None,
    };
    mark(1) == Some('!') && mark(2) == Some('#')
}

fn judge_attribute(attribute: &TokenStream, say: &mut impl FnMut(usize, String, &str)) {
    let tokens: Vec<TokenTree> = attribute.clone().into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let Some(TokenTree::Group(arguments)) = tokens.get(at + 1) else { continue };
        let TokenTree::Ident(word) = token else { continue };
        let line = word.span().start().line;
        if *word == "allow" {
            let what = "`#[allow]` silences a lint for good".to_owned();
            say(line, what, "use `#[expect(lint, reason = \"…\")]`, which fails once it is not needed");
        } else if *word == "expect" && !has_reason(&arguments.stream()) {
            let what = "`#[expect]` gives no reason".to_owned();
            say(line, what, "add `reason = \"…\"`: the sentence that a reviewer would ask for");
        } else if *word == "cfg_attr" {
            judge_attribute(&arguments.stream(), say);
        }
    }
}

fn has_reason(arguments: &TokenStream) -> bool {
    arguments.clone().into_iter().any(|token| matches!(&token, TokenTree::Ident(word) if *word == "reason"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn a_lint_that_is_allowed_is_caught() {
        catches(&LAW, &[("a.rs", "\n#[allow(dead_code)]\nfn f() {}")], "a.rs:2: `#[allow]`");
        catches(&LAW, &[("a.rs", "#![allow(dead_code)]\nfn f() {}")], "`#[allow]`");
        catches(&LAW, &[("a.rs", "fn f() { #[cfg_attr(test, allow(dead_code))] let x = 1; }")], "`#[allow]`");
    }

    #[test]
    fn an_expectation_without_a_reason_is_caught() {
        catches(&LAW, &[("a.rs", "#[expect(dead_code)]\nfn f() {}")], "no reason");
        passes(
            &LAW,
            &[("a.rs", "#[expect(dead_code, reason = \"read by C\")]\nfn f() { x.expect(\"y\"); }")],
        );
    }

    #[test]
    fn what_is_left_for_later_is_caught() {
        catches(&LAW, &[("a.rs", "fn f() { todo!() }")], "`todo!`");
        catches(&LAW, &[("a.rs", "fn f() { g(|| unimplemented!(\"x\")) }")], "`unimplemented!`");
        catches(&LAW, &[("python/a.py", concat!("# FIX", "ME later\n"))], "leaves something for later");
        passes(&LAW, &[("a.rs", "fn todo() -> Todo { todo() }")]);
    }
}
