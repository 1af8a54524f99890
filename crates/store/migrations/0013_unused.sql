-- What must be known to collect what nothing names. The words of 0001 hold here too.

-- When a xorb or a file was last sent, named, or told to a client as being here. It rises with each of these, so that
-- who collects can see that a row is the one that was looked at.
ALTER TABLE xorbs ADD COLUMN touched_ms BIGINT NOT NULL DEFAULT 0;
UPDATE xorbs SET touched_ms = (SELECT max(created_ms) FROM xorbs);
ALTER TABLE chunked_files ADD COLUMN touched_ms BIGINT NOT NULL DEFAULT 0;
UPDATE chunked_files SET touched_ms = (SELECT max(created_ms) FROM chunked_files);
CREATE INDEX xorbs_by_bytes ON xorbs (sha256);
CREATE INDEX uploads_by_bytes ON uploads (sha256);

-- Which repositories have a commit with that file, of files that are kept whole.
CREATE TABLE whole_places (
    sha256 TEXT {binary} NOT NULL,
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    PRIMARY KEY (sha256, repository_id)
) {clustered};
CREATE INDEX whole_places_by_repository ON whole_places (repository_id);
INSERT INTO whole_places (sha256, repository_id)
    SELECT DISTINCT e.sha256, t.repository_id FROM entries e JOIN trees t ON t.id = e.tree_id
    WHERE e.sha256 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM chunked_files f WHERE f.sha256 = e.sha256);
