-- The throttle: its key, and what each network added to a counter.

-- Random keys that outlive every master key, sealed under the current one. "throttle" makes the keys of
-- attempts and rates, so that nobody who reads them can try who they stand for.
CREATE TABLE sealed_keys (
  name   TEXT  NOT NULL PRIMARY KEY,
  kid    TEXT  NOT NULL,                       -- the master key that seals it
  sealed BYTEA NOT NULL
);

-- Their keys were plain hashes, which nothing reads any more.
DELETE FROM attempts;
DELETE FROM rates;

-- What each client network added to a counter, so that a success takes back what its own added and no more.
-- The rows of a counter go with it, and there are never more of them than failures.
CREATE TABLE attempt_networks (
  key      BYTEA  NOT NULL REFERENCES attempts (key) ON DELETE CASCADE,
  network  BYTEA  NOT NULL,
  failures BIGINT NOT NULL,
  PRIMARY KEY (key, network)
);
