-- Commits that nothing leads to. The words of 0001 hold here too.

-- When a commit was first seen to be out of reach of every branch, tag, link, endpoint and whatever else names one; null while it
-- is in reach.
ALTER TABLE revisions ADD COLUMN unreached_ms BIGINT;
