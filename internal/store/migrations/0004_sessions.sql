-- Sessions: their kinds, what is kept of ended ones, the devices of an account. What takes long comes first, while
-- reading goes on; what shuts readers out comes last, and is done at once.

-- Where a user has signed in. id is what the device token names; rows made from sessions have the session's id,
-- which no token names. The release before deletes users and knows no devices.
CREATE TABLE devices (
  user_id TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  id      TEXT   NOT NULL,
  browser TEXT   NOT NULL,
  os      TEXT   NOT NULL,
  network TEXT   NOT NULL,                      -- a prefix such as 192.0.2.0/24; an address stands for its own
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, id)
);
INSERT INTO devices (user_id, id, browser, os, network, seen_at)
SELECT user_id, id, browser, os, network, seen_at
FROM (
  SELECT user_id, id, browser, os, network, seen_at,
    ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY seen_at DESC, id DESC) AS place
  FROM (
    SELECT user_id, MAX(id) AS id, browser, os, network, MAX(rotated_at) AS seen_at
    FROM (
      SELECT user_id, id, browser, os, rotated_at,
        CASE
          WHEN addr LIKE '%.%.%.%' AND addr NOT LIKE '%:%' THEN RTRIM(addr, '0123456789') || '0/24'
          ELSE addr
        END AS network
      FROM sessions
      WHERE addr <> '' AND user_id IN (SELECT id FROM users)) AS seen
    GROUP BY user_id, browser, os, network) AS places) AS latest
WHERE place <= 50;

-- What lives is found without walking what has ended. The second index serves whoever looked rows up by user
-- alone, and takes the place of the first schema's.
CREATE INDEX sessions_live ON sessions (user_id, id) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_end ON sessions (user_id, ended_at);

-- What is kept of a user's ended sessions beyond the newest: enough to say why each ended, and whose it was.
CREATE TABLE ended_sessions (
  id         TEXT   NOT NULL PRIMARY KEY,
  user_id    TEXT   NOT NULL,
  ended_at   BIGINT NOT NULL,
  end_reason TEXT   NOT NULL
);
CREATE INDEX ended_sessions_by_end ON ended_sessions (ended_at);

-- What opens a session. The release before makes none but 'auth'; kinds that a release does not know it leaves alone.
ALTER TABLE sessions ADD COLUMN kind TEXT NOT NULL DEFAULT 'auth';
DROP INDEX sessions_by_user;
