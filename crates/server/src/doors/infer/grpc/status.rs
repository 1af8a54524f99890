//! Errors as gRPC tells them: a status and words.
//!
//! Knows the one table of errors and nothing of what failed. Invariant: what answers 404 over HTTP is NOT_FOUND here,
//! so that neither door tells of what is private.

use axum::response::Response;
use tonic::{Code, Status};

use crate::doors::browser::{self, Guess};
use crate::error::{CODES, Error};

/// The metadata key under which a status carries the error's code of our table.
const ERROR_CODE: &str = "x-reenact-error";

/// The status of an error.
pub(super) fn of(error: &Error) -> Status {
    crate::doors::report(error);
    let entry = error.entry();
    let mut status = Status::new(code(entry.status), format!("{}; hint: {}", error.detail(), entry.hint));
    if let Ok(name) = entry.name.parse() {
        status.metadata_mut().insert(ERROR_CODE, name);
    }
    status
}

/// Marks an answer that says that a secret was none, so that it is counted where the request came from.
pub(super) fn note_guess(response: &mut Response) {
    let Some(said) = response.headers().get(ERROR_CODE) else { return };
    if CODES.iter().any(|entry| browser::is_guess(entry.code) && said == entry.name) {
        response.extensions_mut().insert(Guess(|error| of(&error).into_http()));
    }
}

/// The gRPC code that says what this HTTP status says.
fn code(status: u16) -> Code {
    match status {
        400 | 415 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 | 410 => Code::NotFound,
        405 => Code::Unimplemented,
        408 | 504 => Code::DeadlineExceeded,
        409 | 412 => Code::FailedPrecondition,
        413 | 429 | 507 => Code::ResourceExhausted,
        416 => Code::OutOfRange,
        503 => Code::Unavailable,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_a_client_has_a_code_that_is_not_ours() {
        for entry in CODES.iter().filter(|entry| (400..500).contains(&entry.status)) {
            assert_ne!(code(entry.status), Code::Internal, "{}", entry.name);
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let status = of(&Error::RepositoryNotFound("alice/x".to_owned()));
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.metadata().get(ERROR_CODE).unwrap(), "repository-not-found");
        assert!(status.message().contains("alice/x") && status.message().contains("hint:"));
    }
}
