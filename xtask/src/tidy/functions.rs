//! Law: functions stay short and take few parameters.
//!
//! It sees functions by syntax, not by text, so a macro's body is not counted.

use syn::visit::{self, Visit};

use super::{Law, Violation};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "functions",
    why: "a function that fits on a screen has one job, and five parameters are what a call can show.",
    check,
};

/// From the line of `fn` to that of the closing brace, both counted: no function has as many.
const LONG_LINES: usize = 70;
/// `self` counts.
const MOST_PARAMETERS: usize = 5;

fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    let Some(syntax) = file.syntax() else {
        return vec![Violation::new(
            &file.path,
            1,
            "the file is no Rust",
            "`cargo check` says where it breaks",
        )];
    };
    let mut functions = Functions { path: &file.path, found: Vec::new() };
    functions.visit_file(syntax);
    functions.found
}

struct Functions<'tree> {
    path: &'tree str,
    found: Vec<Violation>,
}

impl Functions<'_> {
    fn judge(&mut self, signature: &syn::Signature, body: Option<&syn::Block>) {
        let name = &signature.ident;
        let line = signature.fn_token.span.start().line;
        let n_lines = body.map_or(1, |body| body.brace_token.span.close().end().line - line + 1);
        if n_lines >= LONG_LINES {
            let what = format!("`{name}` has {n_lines} lines; it may have {}", LONG_LINES - 1);
            self.found.push(Violation::new(self.path, line, what, "give a step of it a name of its own"));
        }
        let n_parameters = signature.inputs.len();
        if n_parameters > MOST_PARAMETERS {
            let what = format!("`{name}` takes {n_parameters} parameters; it may take {MOST_PARAMETERS}");
            self.found.push(Violation::new(self.path, line, what, "a struct names what belongs together"));
        }
    }
}

impl<'syntax> Visit<'syntax> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'syntax syn::ItemFn) {
        self.judge(&item.sig, Some(&item.block));
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'syntax syn::ImplItemFn) {
        self.judge(&item.sig, Some(&item.block));
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'syntax syn::TraitItemFn) {
        self.judge(&item.sig, item.default.as_ref());
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn a_long_function_is_caught_and_its_doc_is_not_counted() {
        let of = |n: usize| format!("/// Doc.\nfn long() {{\n{}}}\n", "    f();\n".repeat(n));
        catches(&LAW, &[("a.rs", &of(68))], "a.rs:2: `long` has 70 lines");
        passes(&LAW, &[("a.rs", &of(67))]);
    }

    #[test]
    fn a_sixth_parameter_is_caught() {
        let method = "impl A { fn f(&self, a: u8, b: u8, c: u8, d: u8, e: u8) {} }";
        catches(&LAW, &[("a.rs", method)], "`f` takes 6 parameters");
        passes(&LAW, &[("a.rs", "trait A { fn f(&self, a: u8, b: u8, c: u8, d: u8); }")]);
    }

    #[test]
    fn what_does_not_parse_cannot_be_judged() {
        catches(&LAW, &[("a.rs", "fn f( {")], "no Rust");
    }
}
