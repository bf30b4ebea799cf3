-- The feed of ended sessions, which a server reads once a second while anybody polls it: the newest ends of sessions that
-- access tokens name. What has run out is not in it, since no access token outlives its session's limits.
CREATE INDEX sessions_in_feed ON sessions (ended_at, id, kind, end_reason)
WHERE ended_at IS NOT NULL AND kind IN ('auth', 'oauth') AND end_reason NOT IN ('expired_idle', 'expired_overall');
