-- What model calls cost, summed by the hour of UTC in which their turn ended and by what they were
-- for. It outlives the turns themselves.
CREATE TABLE spending (
    -- Hours since 1970.
    hour INTEGER NOT NULL,
    -- A session's key, and the agent in it.
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    -- Who was answered and where. Decimal snowflakes, as everywhere here; empty: not known.
    user TEXT NOT NULL,
    channel TEXT NOT NULL,
    -- `provider/model`.
    model TEXT NOT NULL,
    -- Turns that the model had the last word in.
    turns INTEGER NOT NULL DEFAULT 0,
    -- Of these, answered without asking it.
    from_cache INTEGER NOT NULL DEFAULT 0,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    -- 1: some are guessed, since the endpoint did not say.
    tokens_estimated INTEGER NOT NULL DEFAULT 0 CHECK (tokens_estimated IN (0, 1)),
    -- Tokens of calls whose price nobody has configured, read and written.
    unpriced_tokens INTEGER NOT NULL DEFAULT 0,
    -- Billionths of a US dollar.
    cost_nano_usd INTEGER NOT NULL DEFAULT 0,
    UNIQUE (hour, session, user, channel, model)
) STRICT;

CREATE INDEX spending_of_user ON spending (user);
