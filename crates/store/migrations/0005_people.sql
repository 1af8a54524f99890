-- How people come in from elsewhere, and whom repositories tell of what happens to them. The words of 0001 hold here too.

-- Who an account is to a provider of sign-ins (OpenID Connect). Subjects tell letters' cases apart.
CREATE TABLE identities (
    issuer TEXT {binary} NOT NULL,
    subject TEXT {binary} NOT NULL,
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
) {clustered};
CREATE INDEX identities_by_account ON identities (account_id);

-- Whether somebody else than the account's owner vouches for its address: an operator, or a provider of sign-ins.
ALTER TABLE accounts ADD COLUMN email_is_verified BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX accounts_by_email ON accounts (email) WHERE email <> '';
ALTER TABLE sessions ADD COLUMN last_used_ms BIGINT;

-- `events` is a JSON list of the kinds of events that are told. The key that signs what is sent is not kept: it is made
-- from the server's own and the id.
CREATE TABLE webhooks (
    id {id},
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    n_failures BIGINT NOT NULL,
    disabled_reason TEXT
);
CREATE INDEX webhooks_by_repository ON webhooks (repository_id, id);

-- What was or is to be sent. A row outlives its repository, so that the deletion itself is told.
CREATE TABLE webhook_deliveries (
    id {id},
    webhook_id BIGINT NOT NULL,
    url TEXT NOT NULL,
    event TEXT NOT NULL,
    state TEXT NOT NULL,
    n_attempts BIGINT NOT NULL,
    status BIGINT,
    reason TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_ms);
