-- Whoever made a link is told before it ends.

CREATE INDEX links_by_maker ON links (created_by, expires_ms);
