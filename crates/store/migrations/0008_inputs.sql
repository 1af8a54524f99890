-- Answers of models that somebody keeps under an address of their own. Only hashes of the secrets are kept. `account_id`
-- shared it, or a holder of `link_id` whose browser alone has the secret of `key_hash`. The rest is JSON.
CREATE TABLE answers (
    id {id},
    hash TEXT NOT NULL UNIQUE,
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    link_id BIGINT REFERENCES links (id) ON DELETE CASCADE,
    account_id BIGINT REFERENCES accounts (id) ON DELETE CASCADE,
    key_hash TEXT NOT NULL,
    revision TEXT NOT NULL,
    schema TEXT NOT NULL,
    input TEXT NOT NULL,
    output TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX answers_by_repository ON answers (repository_id, account_id);
CREATE INDEX answers_by_link ON answers (link_id);
CREATE INDEX answers_by_account ON answers (account_id);
