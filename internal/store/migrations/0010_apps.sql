-- Apps that sign people in here: codes, what a person allowed an app, and sessions that came from a page session.

-- The release before knows none of these columns, and makes sessions of its own two kinds alone.
ALTER TABLE sessions ADD COLUMN parent TEXT NOT NULL DEFAULT '';    -- the page session that it came from; empty: none
ALTER TABLE sessions ADD COLUMN scope TEXT NOT NULL DEFAULT '';     -- granted, of kind 'oauth'; space-delimited
ALTER TABLE sessions ADD COLUMN resource TEXT NOT NULL DEFAULT '';  -- audience of its access tokens; empty: the configured one
ALTER TABLE sessions ADD COLUMN auth_time BIGINT;                   -- when its user proved who they are; NULL: when it was made
ALTER TABLE sessions ADD COLUMN amr TEXT NOT NULL DEFAULT 'pwd';    -- how, RFC 8176; space-delimited
ALTER TABLE sessions ADD COLUMN acr TEXT NOT NULL DEFAULT 'aal1';

-- Authorization codes, kept for an hour: a code that is shown again tells of a copy.
CREATE TABLE codes (
  hash            BYTEA  NOT NULL PRIMARY KEY,   -- SHA-256 of the code
  client          TEXT   NOT NULL,
  redirect_uri    TEXT   NOT NULL,
  challenge       TEXT   NOT NULL,               -- RFC 7636, S256
  nonce           TEXT   NOT NULL,
  scope           TEXT   NOT NULL,
  resource        TEXT   NOT NULL,
  user_id         TEXT   NOT NULL,
  epoch           BIGINT NOT NULL,               -- of the user, when it was made
  page_session    TEXT   NOT NULL,
  auth_time       BIGINT NOT NULL,               -- when the user had proved who they are, and how
  amr             TEXT   NOT NULL,
  acr             TEXT   NOT NULL,
  created_at      BIGINT NOT NULL,
  expires_at      BIGINT NOT NULL,
  spent_at        BIGINT,
  session_id      TEXT   NOT NULL,               -- that it was spent for; empty while it is not
  browser         TEXT   NOT NULL,
  browser_version TEXT   NOT NULL,
  os              TEXT   NOT NULL,
  device_type     TEXT   NOT NULL,
  user_agent      TEXT   NOT NULL,
  addr            TEXT   NOT NULL
);
CREATE INDEX codes_by_expiry ON codes (expires_at);
CREATE INDEX codes_by_page_session ON codes (page_session);
CREATE INDEX codes_by_user ON codes (user_id, client);

-- What a person allowed an app that asks.
CREATE TABLE consents (
  user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  client     TEXT   NOT NULL,
  scope      TEXT   NOT NULL,                    -- space-delimited
  granted_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, client)
);

-- Apps whose session its user ended beside a page session: they are not signed in again without a press.
CREATE TABLE app_ends (
  page_session TEXT   NOT NULL,
  client       TEXT   NOT NULL,
  ended_at     BIGINT NOT NULL,
  PRIMARY KEY (page_session, client)
);
CREATE INDEX app_ends_by_time ON app_ends (ended_at);

-- Flows that mails lead back to: what begins in a browser goes on there, by a handle in the mailed link.
CREATE TABLE flows (
  hash       BYTEA  NOT NULL PRIMARY KEY,        -- SHA-256 of the handle
  flow       TEXT   NOT NULL,                    -- sealed
  expires_at BIGINT NOT NULL
);
CREATE INDEX flows_by_expiry ON flows (expires_at);

-- Links are in one_time_links alone from here on. The release before knows both tables and goes on writing to both.
INSERT INTO one_time_links (hash, purpose, email, request_id, requested_at, expires_at, client, used_at, verified_at, verified_from)
SELECT hash, purpose, email, request_id, requested_at, expires_at, client, used_at, verified_at, verified_from
FROM one_time_tokens
WHERE TRUE
ON CONFLICT (hash) DO NOTHING;
DELETE FROM one_time_tokens;
