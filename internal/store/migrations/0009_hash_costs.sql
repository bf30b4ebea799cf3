-- How many accounts have a password hash of each scheme and cost, as the sweep last counted them.

CREATE TABLE hash_costs (
  cost       TEXT   NOT NULL PRIMARY KEY,   -- the beginning of a PHC string, up to its salt
  accounts   BIGINT NOT NULL,
  counted_at BIGINT NOT NULL
);
