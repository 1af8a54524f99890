-- Whoever made a link is told before it ends.

CREATE INDEX links_by_maker ON links (created_by, expires_ms);

-- How much was asked through a link on a day since 1970: counts alone.
CREATE TABLE link_days (
    link_id BIGINT NOT NULL REFERENCES links (id) ON DELETE CASCADE,
    day BIGINT NOT NULL,
    n_rows BIGINT NOT NULL,
    n_distinct BIGINT NOT NULL,
    n_busiest_hour BIGINT NOT NULL,
    PRIMARY KEY (link_id, day)
) {clustered};
CREATE INDEX link_days_by_day ON link_days (day);
