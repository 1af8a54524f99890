//! What a Rust file mentions, read from its tokens: paths, strings and words, macros included, comments not.
//!
//! It resolves nothing: `use store::db as d; d::x()` is seen where `store::db` is written, which is enough
//! for laws about who may name whom.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path such as `store::db::tokens`, with braces written out.
#[derive(Debug, PartialEq, Eq)]
pub struct Mention {
    pub line: usize,
    pub path: Vec<String>,
}

/// A string literal's value.
pub struct Text {
    pub line: usize,
    pub value: String,
}

/// All paths, outermost first: `use a::{b, c::d}` gives `a`, `a::b` and `a::c::d`.
pub fn mentions(tokens: &TokenStream) -> Vec<Mention> {
    let mut found = Vec::new();
    collect_mentions(tokens, &[], &mut found);
    found
}

/// All string literals, doc comments among them.
pub fn texts(tokens: &TokenStream) -> Vec<Text> {
    let mut found = Vec::new();
    for_each(tokens, &mut |token| {
        if let TokenTree::Literal(literal) = token
            && let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
        {
            found.push(Text { line: literal.span().start().line, value: text.value() });
        }
    });
    found
}

/// The lines on which an identifier or keyword stands.
pub fn lines_of(tokens: &TokenStream, word: &str) -> Vec<usize> {
    let mut found = Vec::new();
    for_each(tokens, &mut |token| {
        if let TokenTree::Ident(ident) = token
            && *ident == word
        {
            found.push(ident.span().start().line);
        }
    });
    found
}

/// Calls `see` for each token, groups first and then what is in them.
pub fn for_each(tokens: &TokenStream, see: &mut impl FnMut(&TokenTree)) {
    for token in tokens.clone() {
        see(&token);
        if let TokenTree::Group(group) = &token {
            for_each(&group.stream(), see);
        }
    }
}

fn collect_mentions(tokens: &TokenStream, prefix: &[String], found: &mut Vec<Mention>) {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(first) => {
                let mut path = prefix.to_vec();
                path.push(first.to_string());
                at += 1;
                while is_path_separator(&tokens, at) {
                    match tokens.get(at + 2) {
                        Some(TokenTree::Ident(next)) => path.push(next.to_string()),
                        _ => break,
                    }
                    at += 3;
                }
                let line = first.span().start().line;
                found.push(Mention { line, path: path.clone() });
                if let Some(TokenTree::Group(group)) = tokens.get(at + 2)
                    && is_path_separator(&tokens, at)
                    && group.delimiter() == Delimiter::Brace
                {
                    collect_mentions(&group.stream(), &path, found);
                    at += 3;
                }
            }
            TokenTree::Group(group) => {
                collect_mentions(&group.stream(), &[], found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    colon(at) && colon(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(source: &str) -> Vec<String> {
        mentions(&source.parse().unwrap()).into_iter().map(|mention| mention.path.join("::")).collect()
    }

    #[test]
    fn braces_are_written_out() {
        assert_eq!(paths("use a::{b, c::{d, e}};"), ["use", "a", "a::b", "a::c", "a::c::d", "a::c::e"]);
    }

    #[test]
    fn macros_are_looked_into_and_comments_are_not() {
        assert_eq!(paths("m!(x::y) /* z::z */"), ["m", "x::y"]);
    }

    #[test]
    fn strings_are_read_whatever_their_form() {
        let tokens: TokenStream = "f(\"a\\n\", r#\"b\"#, b\"c\", 1)".parse().unwrap();
        let values: Vec<String> = texts(&tokens).into_iter().map(|text| text.value).collect();
        assert_eq!(values, ["a\n", "b"]);
    }
}
