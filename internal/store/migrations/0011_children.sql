-- What came from a page session is found by it. A migration of its own: the one before adds the column.
CREATE INDEX sessions_by_parent ON sessions (parent) WHERE parent <> '';
