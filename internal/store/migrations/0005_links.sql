-- Mailed links: every mail has its own.
-- A link is named by its own hash, so that a newer request leaves those mailed before alive. The release
-- before knows one_time_tokens only: rows are written to, spent and dropped from both.

CREATE TABLE one_time_links (
  hash          BYTEA  NOT NULL PRIMARY KEY,   -- SHA-256 of the token, which its purpose is part of
  purpose       TEXT   NOT NULL,
  email         TEXT   NOT NULL,
  request_id    TEXT   NOT NULL,               -- the outbox row it was mailed by
  requested_at  BIGINT NOT NULL,
  expires_at    BIGINT NOT NULL,
  client        TEXT   NOT NULL,               -- the alias the mail was asked with
  used_at       BIGINT,
  verified_at   BIGINT,
  verified_from TEXT   NOT NULL                -- network of the client that verified
);
CREATE INDEX one_time_links_by_address ON one_time_links (email, purpose);
CREATE INDEX one_time_links_by_expiry ON one_time_links (expires_at);
