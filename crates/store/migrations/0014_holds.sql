-- Who needs all stored bytes to stay for a while. The words of 0001 hold here too.

-- The row without a name is the door: who begins to hold and who forgets bytes lock it, so that one of them goes first.
CREATE TABLE holds (
    name TEXT {binary} PRIMARY KEY,
    until_ms BIGINT NOT NULL
);
INSERT INTO holds (name, until_ms) VALUES ('', 0);
