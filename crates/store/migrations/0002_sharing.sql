-- Who may do what besides the owner: members of organisations, grants, links; and how people come in.

-- What a member of an organisation may do with all of its repositories.
CREATE TABLE members (
    organization_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (organization_id, account_id)
) {clustered};
CREATE INDEX members_by_account ON members (account_id, organization_id);

-- To a person, or to an organisation and so to each of its members.
CREATE TABLE grants (
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    action TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (repository_id, account_id)
) {clustered};
CREATE INDEX grants_by_account ON grants (account_id, repository_id);

-- To the server, or to an organisation with a role in it. Only the hash of the secret is kept.
CREATE TABLE invitations (
    id {id},
    hash TEXT NOT NULL UNIQUE,
    organization_id BIGINT REFERENCES accounts (id) ON DELETE CASCADE,
    role TEXT,
    email TEXT NOT NULL,
    invited_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX invitations_by_organization ON invitations (organization_id, id);
CREATE INDEX invitations_by_end ON invitations (expires_ms);

-- What whoever holds a secret may do with one revision. `hidden` is a JSON list of the words that tell who made it.
CREATE TABLE links (
    id {id},
    hash TEXT NOT NULL UNIQUE,
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    revision_id BIGINT NOT NULL REFERENCES revisions (id),
    action TEXT NOT NULL,
    is_anonymous BOOLEAN NOT NULL,
    hidden TEXT NOT NULL,
    expires_ms BIGINT,
    max_calls BIGINT,
    n_calls BIGINT NOT NULL,
    calls_per_minute BIGINT,
    n_decimals BIGINT,
    top_k BIGINT,
    is_revoked BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    last_used_ms BIGINT
);
CREATE INDEX links_by_repository ON links (repository_id, id);
CREATE INDEX links_by_revision ON links (revision_id);

-- What was done to whom by whom. Names are those of that moment, so that they outlive their accounts.
CREATE TABLE events (
    id {id},
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    verb TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX events_by_subject ON events (subject, id);
CREATE INDEX events_by_actor ON events (actor, id);

ALTER TABLE tokens ADD COLUMN expires_ms BIGINT;
ALTER TABLE tokens ADD COLUMN repository_id BIGINT REFERENCES repositories (id) ON DELETE CASCADE;
-- The token that made it, with which it is taken back.
ALTER TABLE tokens ADD COLUMN parent_id BIGINT REFERENCES tokens (id) ON DELETE CASCADE;
CREATE INDEX tokens_by_parent ON tokens (parent_id);
CREATE INDEX tokens_by_repository ON tokens (repository_id);
ALTER TABLE sessions ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN full_name TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN email TEXT NOT NULL DEFAULT '';
