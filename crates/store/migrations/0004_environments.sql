-- The Python environments that models want, by the digest of what is wanted. `description` is that as JSON, `lock`
-- every package with version and digests once they were chosen, `digest` names what was built.

CREATE TABLE environments (
    wanted TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    digest TEXT,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    description TEXT NOT NULL,
    lock TEXT,
    log TEXT NOT NULL
);
CREATE INDEX endpoints_by_state ON endpoints (state);
