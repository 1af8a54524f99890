-- Who stands for what: statements of people who ran a recording again. The words of 0001 hold here too.

-- Public keys of people, by their thumbprint. A key is one account's, and is kept as JSON (RFC 8037).
CREATE TABLE signing_keys (
    id TEXT {binary} PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    jwk TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX signing_keys_by_account ON signing_keys (account_id);

-- Signed statements that were checked. `capsule` and `replay` are SHA-256 of records, `statement` is the envelope, and `summary` JSON
-- of what a page shows of it.
-- `is_same` says that the replay came to the same, `is_independent` that its maker could not change the repository.
CREATE TABLE attestations (
    id {id},
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    key_id TEXT {binary} NOT NULL REFERENCES signing_keys (id) ON DELETE CASCADE,
    capsule TEXT NOT NULL,
    replay TEXT NOT NULL,
    is_same BOOLEAN NOT NULL,
    is_independent BOOLEAN NOT NULL,
    summary TEXT NOT NULL,
    statement TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    UNIQUE (repository_id, replay)
);
CREATE INDEX attestations_by_account ON attestations (account_id, repository_id);
