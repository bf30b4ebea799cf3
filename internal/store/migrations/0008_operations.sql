-- What nodes know of one another.

-- A row for each running server: hashes of its settings, so that servers notice where theirs differ, and
-- what it writes to find out whether writing works. Rows of servers that are gone are swept.
CREATE TABLE nodes (
  id       TEXT   NOT NULL PRIMARY KEY,
  settings TEXT   NOT NULL,                 -- a line each: name, blank, hash
  seen_at  BIGINT NOT NULL,
  probe    BYTEA
);
CREATE INDEX nodes_by_age ON nodes (seen_at);

-- What lies ahead, of a clock that was, is found without walking what does not.
CREATE INDEX users_by_change ON users (changed_at);
CREATE INDEX outbox_waiting_since ON outbox (created_at) WHERE ended_at IS NULL;
CREATE INDEX one_time_links_by_request ON one_time_links (requested_at);

-- These find the mail of the next domain without walking that of one that has to wait.
CREATE INDEX outbox_by_domain ON outbox (domain, next_try_at) WHERE ended_at IS NULL;
CREATE INDEX outbox_first_tries ON outbox (domain, next_try_at) WHERE ended_at IS NULL AND tries = 0;

-- How far ahead of the time of its last event a rate may reach: what lies further is of a clock that was ahead.
ALTER TABLE rates ADD COLUMN reach BIGINT NOT NULL DEFAULT 3600000000;
CREATE INDEX rates_by_event ON rates ((tat - reach));
