-- The language that a person has set for pages and mails, a tag such as "de"; empty: none.
ALTER TABLE users ADD COLUMN language TEXT NOT NULL DEFAULT '';
