-- The outbox: whose mail takes turns with whose. What takes long comes first, while reading goes on.

-- A refused mail keeps its payload until it expires, so that an operator can have it tried again; this finds those
-- whose time is over.
CREATE INDEX outbox_refused ON outbox (expires_at) WHERE ended_at IS NOT NULL AND payload IS NOT NULL;

-- "Why did they not get their mail?": the server's last answer, without the recipient's address; the Message-ID, by which
-- the mail is found in the server's log; and whose account it was about, as far as it was found out.
CREATE INDEX outbox_by_address ON outbox (address_mac, id);
ALTER TABLE outbox ADD COLUMN answer TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN message_id TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN user_id TEXT NOT NULL DEFAULT '';

-- Name of the recipient's registrable domain, keyed under the row's master key. '-': not known, as in rows that the
-- release before writes. Its indexes are made by the next migration, so that this one shuts nobody out for long.
ALTER TABLE outbox ADD COLUMN domain TEXT NOT NULL DEFAULT '-';
