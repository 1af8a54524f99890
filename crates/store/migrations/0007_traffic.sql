-- Who answers for an endpoint and how much: its targets, its limits, what was counted of it, what was recorded.

-- What the last deploy asked for beside the revision: how many requests of a hundred it is to take.
ALTER TABLE endpoints ADD COLUMN revision_percent BIGINT NOT NULL DEFAULT 100;
ALTER TABLE endpoints ADD COLUMN min_replicas BIGINT NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN max_replicas BIGINT NOT NULL DEFAULT 1;
-- The operator's where they are not set.
ALTER TABLE endpoints ADD COLUMN concurrency BIGINT;
ALTER TABLE endpoints ADD COLUMN request_timeout_ms BIGINT;
ALTER TABLE endpoints ADD COLUMN load_timeout_ms BIGINT;
ALTER TABLE endpoints ADD COLUMN idle_after_ms BIGINT;
ALTER TABLE endpoints ADD COLUMN memory_bytes BIGINT;
-- Of a million requests so many are recorded.
ALTER TABLE endpoints ADD COLUMN log_sample BIGINT NOT NULL DEFAULT 0;

-- Revisions that answer, and how many requests of a hundred each takes. Without any, the endpoint's own takes all.
CREATE TABLE targets (
    endpoint_id BIGINT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    revision_id BIGINT NOT NULL REFERENCES revisions (id),
    percent BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id, revision_id)
) {clustered};
CREATE INDEX targets_by_revision ON targets (revision_id);
INSERT INTO targets (endpoint_id, revision_id, percent) SELECT id, revision_id, 100 FROM endpoints;

-- The targets as they stood before each of the last changes, which count up.
CREATE TABLE former_targets (
    endpoint_id BIGINT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    change BIGINT NOT NULL,
    revision_id BIGINT NOT NULL REFERENCES revisions (id),
    percent BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id, change, revision_id)
) {clustered};
CREATE INDEX former_targets_by_revision ON former_targets (revision_id);

-- What was counted in each hour. `took_0` to `took_9` are requests by how long they took, each bound four times the
-- last, from 0.1 ms on; `took_9` has the rest.
CREATE TABLE usage (
    endpoint_id BIGINT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    hour_ms BIGINT NOT NULL,
    n_requests BIGINT NOT NULL,
    n_errors BIGINT NOT NULL,
    n_cold_starts BIGINT NOT NULL,
    cpu_ms BIGINT NOT NULL,
    took_0 BIGINT NOT NULL,
    took_1 BIGINT NOT NULL,
    took_2 BIGINT NOT NULL,
    took_3 BIGINT NOT NULL,
    took_4 BIGINT NOT NULL,
    took_5 BIGINT NOT NULL,
    took_6 BIGINT NOT NULL,
    took_7 BIGINT NOT NULL,
    took_8 BIGINT NOT NULL,
    took_9 BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id, hour_ms)
) {clustered};
CREATE INDEX usage_by_hour ON usage (hour_ms);

-- Requests that were recorded because their endpoint's owner asked for it, with what was answered.
CREATE TABLE recorded_requests (
    id {id},
    endpoint_id BIGINT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    revision TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    took_us BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    request TEXT NOT NULL,
    response TEXT NOT NULL
);
CREATE INDEX recorded_requests_by_endpoint ON recorded_requests (endpoint_id, id);
CREATE INDEX recorded_requests_by_time ON recorded_requests (at_ms);
