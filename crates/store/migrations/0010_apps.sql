-- Web apps that repositories keep beside their models: which revision runs, and how that goes.
CREATE TABLE apps (
    repository_id BIGINT PRIMARY KEY REFERENCES repositories (id) ON DELETE CASCADE,
    revision_id BIGINT NOT NULL REFERENCES revisions (id),
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    is_stopped BOOLEAN NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL
);
CREATE INDEX apps_by_revision ON apps (revision_id);
CREATE INDEX apps_by_state ON apps (state);

-- Whether a link opens the app beside its model.
ALTER TABLE links ADD COLUMN has_app BOOLEAN NOT NULL DEFAULT FALSE;

-- What is read from files tells of apps, too: it is read again when it is next asked for.
DELETE FROM facts;
