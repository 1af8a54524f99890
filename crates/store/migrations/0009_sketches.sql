-- What a link was asked on one day, so that days can be told together without counting anything twice.

-- How many different rows there were cannot be added up over days: the registers of a HyperLogLog can be merged. Days
-- from before have none, and are forgotten after a month.
ALTER TABLE link_days ADD COLUMN registers TEXT NOT NULL DEFAULT '';
ALTER TABLE link_days DROP COLUMN n_distinct;
