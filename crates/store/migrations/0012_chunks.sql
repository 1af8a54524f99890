-- Files that are kept as chunks. The words of 0001 hold here too.

-- Xorbs: chunks that are kept together. Their bytes, with the index of their chunks behind them, are stored under
-- `sha256`; `hash` is their name in the Xet protocol.
CREATE TABLE xorbs (
    id {id},
    hash TEXT {binary} NOT NULL UNIQUE,
    sha256 TEXT {binary} NOT NULL,
    n_bytes BIGINT NOT NULL,
    n_unpacked BIGINT NOT NULL,
    n_chunks BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- Who has sent a xorb, and so has shown to have its bytes.
CREATE TABLE xorb_senders (
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    xorb_id BIGINT NOT NULL REFERENCES xorbs (id) ON DELETE CASCADE,
    PRIMARY KEY (account_id, xorb_id)
) {clustered};
CREATE INDEX xorb_senders_by_xorb ON xorb_senders (xorb_id);

-- The few chunks by which clients ask what is here already.
CREATE TABLE asked_chunks (
    hash TEXT {binary} NOT NULL,
    xorb_id BIGINT NOT NULL REFERENCES xorbs (id) ON DELETE CASCADE,
    PRIMARY KEY (hash, xorb_id)
) {clustered};
CREATE INDEX asked_chunks_by_xorb ON asked_chunks (xorb_id);

-- Files made of chunks. The digests were computed from the chunks here.
CREATE TABLE chunked_files (
    id {id},
    hash TEXT {binary} NOT NULL UNIQUE,
    sha256 TEXT {binary} NOT NULL UNIQUE,
    git_oid TEXT NOT NULL,
    n_bytes BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- Of which chunks a file is made, in their order; `start_byte` is where they begin in it.
CREATE TABLE chunked_terms (
    file_id BIGINT NOT NULL REFERENCES chunked_files (id) ON DELETE CASCADE,
    start_byte BIGINT NOT NULL,
    n_bytes BIGINT NOT NULL,
    xorb_id BIGINT NOT NULL REFERENCES xorbs (id),
    chunk_start BIGINT NOT NULL,
    chunk_end BIGINT NOT NULL,
    PRIMARY KEY (file_id, start_byte)
) {clustered};
CREATE INDEX chunked_terms_by_xorb ON chunked_terms (xorb_id, file_id);

-- Which repositories have a commit with that file: who may read one of them may have its chunks.
CREATE TABLE chunked_places (
    file_id BIGINT NOT NULL REFERENCES chunked_files (id) ON DELETE CASCADE,
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    PRIMARY KEY (file_id, repository_id)
) {clustered};
CREATE INDEX chunked_places_by_repository ON chunked_places (repository_id);
