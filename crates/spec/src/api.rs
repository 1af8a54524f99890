//! Wire types of our own API under `/api/v1/`.
