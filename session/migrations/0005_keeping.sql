-- Which credentials there were and what they were used for. Never what they are.
CREATE TABLE credentials (
    -- The first eight hexadecimal digits of its SHA-256.
    id TEXT NOT NULL PRIMARY KEY,
    first_seen_us INTEGER NOT NULL
) STRICT;

CREATE TABLE credential_uses (
    credential TEXT NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    -- As in `model`.
    purpose TEXT NOT NULL,
    uses INTEGER NOT NULL,
    -- NULL: never yet.
    last_use_us INTEGER,
    -- How that went: `ok`, `refused` or `unknown`.
    answer TEXT,
    PRIMARY KEY (credential, purpose)
) STRICT;
