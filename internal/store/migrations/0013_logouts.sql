-- Back-channel logout: which apps are still to be told of a session of theirs that has ended.

-- A row for each session of kind 'oauth' that has ended, written in the transaction in which it ends. Whether its client
-- wants to be told, and where, is looked up when the row is due. Rows outlive those of their sessions.
CREATE TABLE logouts (
  session_id  TEXT   NOT NULL PRIMARY KEY,  -- a session ends once, and is told of once
  user_id     TEXT   NOT NULL,
  client      TEXT   NOT NULL,
  created_at  BIGINT NOT NULL,
  next_try_at BIGINT NOT NULL,              -- also the end of a deliverer's lease
  tries       BIGINT NOT NULL,
  ended_at    BIGINT,
  outcome     TEXT   NOT NULL,              -- delivered, none, refused, expired; empty while it waits
  last_error  TEXT   NOT NULL
);
CREATE INDEX logouts_by_client ON logouts (client, next_try_at) WHERE ended_at IS NULL;
CREATE INDEX logouts_due ON logouts (next_try_at) WHERE ended_at IS NULL;
CREATE INDEX logouts_by_time ON logouts (created_at);
