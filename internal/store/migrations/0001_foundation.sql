-- The first schema: accounts, sessions, one-time tokens, the outbox, keys and the audit log.
-- Portable between SQLite and PostgreSQL. Times are Unix microseconds; NULL is "not yet".

CREATE TABLE users (
  id             TEXT    NOT NULL PRIMARY KEY,
  email          TEXT    NOT NULL UNIQUE,      -- canonical form
  first_name     TEXT    NOT NULL,
  last_name      TEXT    NOT NULL,
  password_hash  TEXT    NOT NULL,             -- PHC string; '' while there is none
  epoch          BIGINT  NOT NULL,             -- grows with each password, e-mail or disable change
  changed_at     BIGINT  NOT NULL,             -- when epoch last grew
  created_at     BIGINT  NOT NULL,
  verified_at    BIGINT,
  disabled_at    BIGINT
);

-- One row per sign-in; a refresh changes the row and adds none. No index may name a column that a
-- refresh changes. No foreign key: an ended session outlives its account, so that "why was I signed
-- out?" has an answer.
CREATE TABLE sessions (
  id                 TEXT    NOT NULL PRIMARY KEY,  -- UUIDv7
  user_id            TEXT    NOT NULL,
  client             TEXT    NOT NULL,
  generation         BIGINT  NOT NULL,
  rotated_at         BIGINT  NOT NULL,              -- the sign-in, or the last refresh
  kid                TEXT    NOT NULL,              -- master key of the current refresh token
  prev_kid           TEXT    NOT NULL,              -- and of its predecessor
  burst_from         BIGINT  NOT NULL,
  burst_at           BIGINT  NOT NULL,
  prev_from          BIGINT  NOT NULL,
  prev_at            BIGINT  NOT NULL,
  late_now           BOOLEAN NOT NULL,
  late_run           BIGINT  NOT NULL,
  idle_expires_at    BIGINT  NOT NULL,
  overall_expires_at BIGINT  NOT NULL,              -- written once, updated by no statement
  created_at         BIGINT  NOT NULL,
  ended_at           BIGINT,
  end_reason         TEXT    NOT NULL,
  browser            TEXT    NOT NULL,
  browser_version    TEXT    NOT NULL,
  os                 TEXT    NOT NULL,
  device_type        TEXT    NOT NULL,
  user_agent         TEXT    NOT NULL,
  addr               TEXT    NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- At most one token lives per purpose and address; a newer request replaces an older one.
CREATE TABLE one_time_tokens (
  purpose       TEXT   NOT NULL,
  email         TEXT   NOT NULL,
  hash          BYTEA  NOT NULL,               -- SHA-256 of the token
  request_id    TEXT   NOT NULL,               -- the outbox row it was mailed by
  requested_at  BIGINT NOT NULL,
  expires_at    BIGINT NOT NULL,
  client        TEXT   NOT NULL,               -- the alias the mail was asked with
  used_at       BIGINT,
  verified_at   BIGINT,
  verified_from TEXT   NOT NULL,               -- network of the client that verified
  PRIMARY KEY (purpose, email)
);
CREATE INDEX one_time_tokens_by_expiry ON one_time_tokens (expires_at);

-- Mail to be sent. payload (address and what the templates need) is sealed under the master key and
-- wiped when the row ends.
CREATE TABLE outbox (
  id          TEXT   NOT NULL PRIMARY KEY,     -- UUIDv7; the Message-ID comes from it
  kind        TEXT   NOT NULL,
  kid         TEXT   NOT NULL,
  address_mac BYTEA  NOT NULL,
  payload     BYTEA,
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  next_try_at BIGINT NOT NULL,                 -- also the end of a worker's lease
  tries       BIGINT NOT NULL,
  ended_at    BIGINT,
  outcome     TEXT   NOT NULL,                 -- sent, no_account, superseded, refused, expired
  last_error  TEXT   NOT NULL
);
CREATE INDEX outbox_due ON outbox (next_try_at) WHERE ended_at IS NULL;
CREATE INDEX outbox_ended ON outbox (ended_at) WHERE ended_at IS NOT NULL;

-- The last five asked-for mails of one mailbox and purpose, newest first: one a minute, five an hour.
CREATE TABLE mail_budgets (
  key    BYTEA  NOT NULL PRIMARY KEY,          -- HMAC(purpose, canonical address)
  sent_1 BIGINT NOT NULL,
  sent_2 BIGINT NOT NULL,
  sent_3 BIGINT NOT NULL,
  sent_4 BIGINT NOT NULL,
  sent_5 BIGINT NOT NULL
);
CREATE INDEX mail_budgets_by_age ON mail_budgets (sent_1);

CREATE TABLE signing_keys (
  id         TEXT   NOT NULL PRIMARY KEY,      -- RFC 7638 thumbprint
  alg        TEXT   NOT NULL,
  kid        TEXT   NOT NULL,                  -- the master key that seals it
  sealed     BYTEA  NOT NULL,                  -- PKCS #8
  created_at BIGINT NOT NULL,
  use_from   BIGINT NOT NULL,
  retire_at  BIGINT
);

-- Every master key ever given, by id: a token under one that is missing now is 503, never 401.
CREATE TABLE master_keys (
  id            TEXT   NOT NULL PRIMARY KEY,
  first_seen_at BIGINT NOT NULL
);

-- Append-only.
CREATE TABLE audit_events (
  id         TEXT   NOT NULL PRIMARY KEY,      -- UUIDv7
  at         BIGINT NOT NULL,
  kind       TEXT   NOT NULL,
  outcome    TEXT   NOT NULL,
  user_id    TEXT   NOT NULL,
  session_id TEXT   NOT NULL,
  addr       TEXT   NOT NULL,
  user_agent TEXT   NOT NULL,
  request_id TEXT   NOT NULL
);
CREATE INDEX audit_events_by_user ON audit_events (user_id, id);
CREATE INDEX audit_events_by_time ON audit_events (at);
