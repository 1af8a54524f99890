//! Old names: a request for what a repository was called before is sent on to what it is called now.
//!
//! A handler knows that a repository has moved and not what else its address says; the layer over all doors knows the
//! address. Invariant: whoever may not see the repository is told nothing of its new name.

use axum::extract::Request;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::Response;

use crate::error::Error;

/// Where the repository went, on a response that is to lead there.
#[derive(Debug, Clone)]
struct Moved {
    from: String,
    to: String,
}

/// Leaves a note of the move for the layer.
pub fn note(error: &Error, response: &mut Response) {
    if let Error::Moved { from, to } = error {
        response.extensions_mut().insert(Moved { from: from.clone(), to: to.clone() });
    }
}

/// Completes responses that lead to a new name: the rest of the address stays as it was asked.
pub async fn lead(request: Request, next: Next) -> Response {
    let asked = request.uri().clone();
    let mut response = next.run(request).await;
    if let Some(moved) = response.extensions_mut().remove::<Moved>()
        && let Some(location) = renamed(&asked, &moved)
        && let Ok(location) = HeaderValue::from_str(&location)
    {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The address with the first `owner/name` in it replaced. Its host is left out: the client knows best how it got here.
fn renamed(asked: &Uri, moved: &Moved) -> Option<String> {
    let (owner, name) = moved.from.split_once('/')?;
    let segments: Vec<&str> = asked.path().split('/').collect();
    let at = segments.windows(2).position(|pair| {
        let plain = pair[1].strip_suffix(".git").unwrap_or(pair[1]);
        pair[0].eq_ignore_ascii_case(owner) && plain.eq_ignore_ascii_case(name)
    })?;
    let suffix = if segments[at + 1].ends_with(".git") { ".git" } else { "" };
    let (before, after) = (segments[..at].join("/"), &segments[at + 2..]);
    let rest: String = after.iter().flat_map(|segment| ["/", segment]).collect();
    let query = asked.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{before}/{}{suffix}{rest}{query}", moved.to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_in_an_address_changes() {
        let moved = Moved { from: "alice/old".to_owned(), to: "Lab/new".to_owned() };
        let check = |asked: &str, wanted: Option<&str>| {
            assert_eq!(renamed(&asked.parse().unwrap(), &moved).as_deref(), wanted, "{asked}");
        };
        check("/alice/old", Some("/Lab/new"));
        check("/Alice/OLD/tree/a%2Fb/x?after=1", Some("/Lab/new/tree/a%2Fb/x?after=1"));
        check("/api/datasets/alice/old/revision/main", Some("/api/datasets/Lab/new/revision/main"));
        check("/alice/old.git/info/lfs/objects/batch", Some("/Lab/new.git/info/lfs/objects/batch"));
        check("/alice/older", None);
    }
}
