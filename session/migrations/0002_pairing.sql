-- Who asked to be let in and waits, and who was let in, by account.
CREATE TABLE pairing_requests (
    account TEXT NOT NULL,
    -- A decimal snowflake, as everywhere here.
    user TEXT NOT NULL,
    code TEXT NOT NULL,
    asked_us INTEGER NOT NULL,
    PRIMARY KEY (account, user)
) STRICT;

CREATE TABLE paired (
    account TEXT NOT NULL,
    user TEXT NOT NULL,
    approved_us INTEGER NOT NULL,
    PRIMARY KEY (account, user)
) STRICT;
