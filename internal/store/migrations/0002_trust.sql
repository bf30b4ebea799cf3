-- The throttle, shared by nodes and kept over restarts; and what notices of new devices need.
-- Keys of the throttle are SHA-256 of what they count.

-- Wrong passwords in a row, for an account or for one of its devices.
CREATE TABLE attempts (
  key        BYTEA  NOT NULL PRIMARY KEY,
  failures   BIGINT NOT NULL,
  not_before BIGINT NOT NULL,               -- no password is evaluated earlier
  last_at    BIGINT NOT NULL
);
CREATE INDEX attempts_by_age ON attempts (last_at);

-- Rates by the generic cell rate algorithm: the theoretical arrival time of the next event.
CREATE TABLE rates (
  key BYTEA  NOT NULL PRIMARY KEY,
  tat BIGINT NOT NULL
);
CREATE INDEX rates_by_age ON rates (tat);

-- How often the same thing happened, where a row each would be a flood's weapon.
ALTER TABLE audit_events ADD COLUMN times BIGINT NOT NULL DEFAULT 1;

-- When the account was last signed in to, and when its owner was last told of a new device.
ALTER TABLE users ADD COLUMN signed_in_at BIGINT;
ALTER TABLE users ADD COLUMN notified_at BIGINT;
