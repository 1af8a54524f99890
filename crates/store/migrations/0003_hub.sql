-- What clients of the Hub keep about repositories besides files. The words of 0001 hold here too.

-- Bytes that were sent to a repository and that its commits may name. Whoever knows only a digest has not sent them.
CREATE TABLE uploads (
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    sha256 TEXT {binary} NOT NULL,
    git_oid TEXT NOT NULL,
    n_bytes BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (repository_id, sha256)
) {clustered};

-- Names that repositories had before. A name that a repository has now goes before one it had.
CREATE TABLE former_names (
    owner_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    name_key TEXT NOT NULL,
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (owner_key, kind, name_key)
) {clustered};
CREATE INDEX former_names_by_repository ON former_names (repository_id);

CREATE TABLE likes (
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (repository_id, account_id)
) {clustered};
CREATE INDEX likes_by_account ON likes (account_id, created_ms);

-- How access to the files is had: `open` to all who see it, or by asking, granted at once (`auto`) or by its owner
-- (`manual`).
ALTER TABLE repositories ADD COLUMN gate TEXT NOT NULL DEFAULT 'open';

CREATE TABLE access_requests (
    id {id},
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    message TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    UNIQUE (repository_id, account_id)
);
CREATE INDEX access_requests_by_state ON access_requests (repository_id, state, id);
CREATE INDEX access_requests_by_account ON access_requests (account_id);

-- Discussions, of which some are pull requests: those have a ref of the kind `pull`, named by the number, that began at
-- the base. What was said and done is in the events, each with a JSON object of its kind.
CREATE TABLE discussions (
    id {id},
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    number BIGINT NOT NULL,
    author_id BIGINT REFERENCES accounts (id) ON DELETE SET NULL,
    title TEXT NOT NULL,
    status TEXT NOT NULL,
    is_pull_request BOOLEAN NOT NULL,
    base_id BIGINT,
    merge_oid TEXT,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    UNIQUE (repository_id, number)
);
CREATE INDEX discussions_by_author ON discussions (author_id);

CREATE TABLE discussion_events (
    id {id},
    discussion_id BIGINT NOT NULL REFERENCES discussions (id) ON DELETE CASCADE,
    author_id BIGINT REFERENCES accounts (id) ON DELETE SET NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX discussion_events_by_discussion ON discussion_events (discussion_id, id);
CREATE INDEX discussion_events_by_author ON discussion_events (author_id);
