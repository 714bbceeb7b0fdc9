-- What came in and is to be dealt with, what goes out and is to arrive, and what happened.

-- A conversation's present part: a reset begins the next generation, and the turns of the ones
-- before it are no longer shown to the model.
ALTER TABLE sessions ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
-- When it began; NULL: with the conversation.
ALTER TABLE sessions ADD COLUMN began_us INTEGER;
-- Goes up when turns are taken out, so that nobody keeps them in memory.
ALTER TABLE sessions ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
-- `provider/model` that somebody chose for it.
ALTER TABLE sessions ADD COLUMN model TEXT;
-- Where it was last spoken to, and through which account: replies go there.
ALTER TABLE sessions ADD COLUMN account TEXT;
ALTER TABLE sessions ADD COLUMN channel TEXT;
-- When it was put away; NULL: in use.
ALTER TABLE sessions ADD COLUMN archived_us INTEGER;

CREATE INDEX sessions_in_use ON sessions (updated_us) WHERE archived_us IS NULL;

ALTER TABLE turns ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
-- Which messages it answers, in the asker's own words.
ALTER TABLE turns ADD COLUMN origin TEXT;

CREATE INDEX turns_of_generation ON turns (session, generation, exchange);
CREATE INDEX turns_of_origin ON turns (session, origin, exchange) WHERE origin IS NOT NULL;

-- A message a row, from its arrival until long enough after its end to know it again.
CREATE TABLE inbox (
    -- The order of arrival.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    -- Ids are decimal snowflakes, as everywhere here.
    channel TEXT NOT NULL,
    message TEXT NOT NULL,
    author TEXT NOT NULL,
    -- The conversation it was brought to, and the turn it became part of.
    session TEXT,
    turn TEXT,
    -- The gateway's JSON; emptied when it is done.
    body TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done')),
    -- `answered`, `dropped:<reason>`, `failed`, `merged` or `command`.
    outcome TEXT,
    done_us INTEGER,
    UNIQUE (account, channel, message)
) STRICT;

CREATE INDEX inbox_open ON inbox (account, number) WHERE state = 'open';
CREATE INDEX inbox_done ON inbox (number) WHERE state = 'done';
CREATE INDEX inbox_of_author ON inbox (author);

-- A message to be sent a row.
CREATE TABLE outbox (
    -- The order of sending.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    session TEXT,
    -- Whom it answers.
    asker TEXT,
    -- A channel's id, or `user:<id>`.
    target TEXT NOT NULL,
    -- The answer it is a part of, and which.
    turn TEXT NOT NULL,
    part INTEGER NOT NULL,
    -- The JSON for REST; emptied when it is sent.
    body TEXT NOT NULL,
    nonce TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'sent', 'refused')),
    attempts INTEGER NOT NULL DEFAULT 0,
    first_try_us INTEGER,
    -- What it became.
    message TEXT,
    error TEXT,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    UNIQUE (account, turn, part)
) STRICT;

CREATE INDEX outbox_open ON outbox (account, id) WHERE state = 'open';
CREATE INDEX outbox_closed ON outbox (state, updated_us);
CREATE INDEX outbox_of_asker ON outbox (asker) WHERE asker IS NOT NULL;
CREATE INDEX outbox_to ON outbox (target);

-- What happened, in its order. Old entries go; none is ever changed.
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    account TEXT NOT NULL,
    -- `channel:<id>`, `user:<id>`, a session's key, or empty.
    conversation TEXT NOT NULL,
    -- Whom it is about.
    user TEXT,
    kind TEXT NOT NULL,
    -- JSON, without anybody's words.
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX events_of_conversation ON events (account, conversation, number);
CREATE INDEX events_of_user ON events (user) WHERE user IS NOT NULL;
CREATE INDEX events_at ON events (at_us);

CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN
    SELECT RAISE(ABORT, 'events are never changed');
END;

-- Threads, or people in private, that are bound to a session.
CREATE TABLE thread_bindings (
    account TEXT NOT NULL,
    -- A thread's id, or `user:<id>`.
    thread TEXT NOT NULL,
    -- JSON.
    record TEXT NOT NULL,
    PRIMARY KEY (account, thread)
) STRICT;
