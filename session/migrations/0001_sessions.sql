-- Conversations and what was said in them.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    -- As in `agent:main:discord:channel:42`.
    key TEXT NOT NULL UNIQUE,
    -- Microseconds since 1970, as all times here.
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL
) STRICT;

-- A message a row. A question and its answer share an exchange.
CREATE TABLE turns (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- The id of the exchange's first row.
    exchange INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    -- Who spoke, or who was answered. A decimal snowflake: it may exceed what SQLite keeps.
    speaker TEXT NOT NULL,
    label TEXT NOT NULL,
    owner INTEGER NOT NULL CHECK (owner IN (0, 1)),
    text TEXT NOT NULL,
    -- Where from, as in `discord-voice`.
    surface TEXT NOT NULL,
    -- How the exchange ended.
    outcome TEXT NOT NULL CHECK (outcome IN ('answered', 'cancelled', 'failed', 'noted')),
    -- Of the answer only: who wrote it, and what it cost.
    model TEXT,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    -- 1: guessed, since the endpoint did not say.
    tokens_estimated INTEGER NOT NULL DEFAULT 0 CHECK (tokens_estimated IN (0, 1)),
    -- Billionths of a US dollar.
    cost_nano_usd INTEGER NOT NULL DEFAULT 0,
    at_us INTEGER NOT NULL
) STRICT;

CREATE INDEX turns_of_session ON turns (session, exchange);
CREATE INDEX turns_of_speaker ON turns (speaker, role);

CREATE VIRTUAL TABLE turns_text USING fts5 (text, content = 'turns', content_rowid = 'id');

CREATE TRIGGER turns_text_added AFTER INSERT ON turns BEGIN
    INSERT INTO turns_text (rowid, text) VALUES (new.id, new.text);
END;

CREATE TRIGGER turns_text_removed AFTER DELETE ON turns BEGIN
    INSERT INTO turns_text (turns_text, rowid, text) VALUES ('delete', old.id, old.text);
END;

CREATE TRIGGER turns_text_changed AFTER UPDATE OF text ON turns BEGIN
    INSERT INTO turns_text (turns_text, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO turns_text (rowid, text) VALUES (new.id, new.text);
END;
