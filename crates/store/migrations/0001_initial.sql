-- One text for both databases. `{…}` are the tokens of `db::Dialect`; lines between `-- sqlite:` or
-- `-- postgres:` and `-- both:` are for that database alone. Times are milliseconds since 1970 in UTC.

CREATE TABLE accounts (
    id {id},
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    password_hash TEXT,
    is_admin BOOLEAN NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE tokens (
    id {id},
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    is_revoked BOOLEAN NOT NULL,
    created_ms BIGINT NOT NULL,
    last_used_ms BIGINT
);
CREATE INDEX tokens_by_account ON tokens (account_id, id);

CREATE TABLE sessions (
    hash TEXT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account_id);
CREATE INDEX sessions_by_end ON sessions (expires_ms);

CREATE TABLE sign_in_links (
    hash TEXT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX sign_in_links_by_account ON sign_in_links (account_id);

-- `search_name` and `search_text` are words in lower case with one space between them, made by `db::search`. What
-- may be long stands last, so that looking at the rest does not read it.
CREATE TABLE repositories (
    id {id},
    owner_id BIGINT NOT NULL REFERENCES accounts (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    is_private BOOLEAN NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    n_downloads BIGINT NOT NULL,
    n_likes BIGINT NOT NULL,
    title TEXT NOT NULL,
    task TEXT,
    library TEXT,
    license TEXT,
    tags TEXT NOT NULL,
    search_name TEXT NOT NULL,
    search_text TEXT NOT NULL,
    description TEXT NOT NULL,
    card TEXT NOT NULL,
    UNIQUE (owner_id, kind, name_key)
);
-- A list is of one kind, or of each kind merged: so each order begins with the kind.
CREATE INDEX repositories_by_update ON repositories (kind, updated_ms, id);
CREATE INDEX repositories_by_creation ON repositories (kind, created_ms, id);
CREATE INDEX repositories_by_downloads ON repositories (kind, n_downloads, id);
CREATE INDEX repositories_by_likes ON repositories (kind, n_likes, id);
CREATE INDEX repositories_by_key ON repositories (kind, name_key, n_downloads, id);

-- What a list can be filtered by: tags, task, library and licence in lower case.
CREATE TABLE repository_tags (
    tag TEXT NOT NULL,
    repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, repository_id)
) {clustered};
CREATE INDEX repository_tags_by_repository ON repository_tags (repository_id);

-- sqlite:
CREATE VIRTUAL TABLE repositories_words USING fts5 (
    search_name, search_text,
    content='repositories', content_rowid='id', prefix='1 2 3', tokenize="unicode61 remove_diacritics 0"
);
CREATE TRIGGER repositories_words_insert AFTER INSERT ON repositories BEGIN
    INSERT INTO repositories_words (rowid, search_name, search_text)
    VALUES (new.id, new.search_name, new.search_text);
END;
CREATE TRIGGER repositories_words_delete AFTER DELETE ON repositories BEGIN
    INSERT INTO repositories_words (repositories_words, rowid, search_name, search_text)
    VALUES ('delete', old.id, old.search_name, old.search_text);
END;
CREATE TRIGGER repositories_words_update AFTER UPDATE OF search_name, search_text ON repositories BEGIN
    INSERT INTO repositories_words (repositories_words, rowid, search_name, search_text)
    VALUES ('delete', old.id, old.search_name, old.search_text);
    INSERT INTO repositories_words (rowid, search_name, search_text)
    VALUES (new.id, new.search_name, new.search_text);
END;
-- postgres:
ALTER TABLE repositories ADD COLUMN search_words tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('simple', search_name), 'A') || setweight(to_tsvector('simple', search_text), 'B')
) STORED;
CREATE INDEX repositories_by_words ON repositories USING GIN (search_words);
-- both:

CREATE TABLE trees (
    id {id},
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    oid TEXT NOT NULL,
    n_files BIGINT NOT NULL,
    n_bytes BIGINT NOT NULL
);
CREATE INDEX trees_by_repository ON trees (repository_id);

-- Files and folders alike, so that a listing is one range of the primary key or of `entries_by_folder`.
-- `folder` is the path of the folder it lies in, empty at the root; a folder has no `sha256`, and its
-- `git_oid` is that of its tree. `last_revision_id` is no foreign key: it would be looked up for every
-- revision deleted, and revisions only go with the whole repository.
CREATE TABLE entries (
    tree_id BIGINT NOT NULL REFERENCES trees (id),
    path TEXT {binary} NOT NULL,
    folder TEXT {binary} NOT NULL,
    sha256 TEXT,
    git_oid TEXT NOT NULL,
    n_bytes BIGINT NOT NULL,
    last_revision_id BIGINT NOT NULL,
    PRIMARY KEY (tree_id, path)
) {clustered};
CREATE INDEX entries_by_folder ON entries (tree_id, folder, path);

CREATE TABLE revisions (
    id {id},
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    oid TEXT {binary} NOT NULL,
    parent_id BIGINT,
    tree_id BIGINT NOT NULL REFERENCES trees (id),
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    author TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    UNIQUE (repository_id, oid)
);
CREATE INDEX revisions_by_tree ON revisions (tree_id);

CREATE TABLE refs (
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    kind TEXT {binary} NOT NULL,
    name TEXT {binary} NOT NULL,
    revision_id BIGINT NOT NULL REFERENCES revisions (id),
    message TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (repository_id, kind, name)
) {clustered};
CREATE INDEX refs_by_revision ON refs (revision_id);

CREATE TABLE facts (
    revision_id BIGINT PRIMARY KEY REFERENCES revisions (id),
    json TEXT NOT NULL,
    inspected_ms BIGINT NOT NULL
);

CREATE TABLE endpoints (
    id {id},
    repository_id BIGINT NOT NULL UNIQUE REFERENCES repositories (id),
    revision_id BIGINT NOT NULL REFERENCES revisions (id),
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    is_stopped BOOLEAN NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL
);
CREATE INDEX endpoints_by_revision ON endpoints (revision_id);

CREATE TABLE jobs (
    id {id},
    kind TEXT NOT NULL,
    dedup_key TEXT,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    priority BIGINT NOT NULL,
    run_at_ms BIGINT NOT NULL,
    n_attempts BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    worker TEXT,
    lease_until_ms BIGINT,
    error TEXT,
    created_ms BIGINT NOT NULL,
    finished_ms BIGINT
);
CREATE UNIQUE INDEX jobs_waiting ON jobs (kind, dedup_key) WHERE state = 'queued' AND dedup_key IS NOT NULL;
CREATE INDEX jobs_to_claim ON jobs (kind, priority, run_at_ms, id) WHERE state = 'queued';
CREATE INDEX jobs_leased ON jobs (lease_until_ms) WHERE state = 'running';
CREATE INDEX jobs_finished ON jobs (finished_ms) WHERE finished_ms IS NOT NULL;

CREATE TABLE job_attempts (
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    worker TEXT NOT NULL,
    error TEXT NOT NULL,
    ended_ms BIGINT NOT NULL,
    PRIMARY KEY (job_id, attempt)
) {clustered};

CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
