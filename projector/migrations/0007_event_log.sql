CREATE TABLE event_log (
    tenant      text        NOT NULL,
    session_id  uuid        NOT NULL,
    partition   bigint      NOT NULL,
    "offset"    bigint      NOT NULL,
    game        text        NOT NULL,
    player_id   text        NOT NULL,
    seq         bigint,
    event_id    uuid        NOT NULL,
    event_type  text        NOT NULL,
    timestamp   timestamptz,
    received_at timestamptz NOT NULL,
    data        jsonb,
    PRIMARY KEY (tenant, session_id, partition, "offset")
);

COMMENT ON TABLE event_log IS 'One row an event as it lies in the events topic, repeats included; filled only by a projector with --event-log.';
COMMENT ON COLUMN event_log.tenant IS 'Whose data it is.';
COMMENT ON COLUMN event_log.session_id IS 'The session that the event belongs to.';
COMMENT ON COLUMN event_log.partition IS 'Partition of the events topic, from 0.';
COMMENT ON COLUMN event_log."offset" IS 'Offset in the events topic.';
COMMENT ON COLUMN event_log.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN event_log.player_id IS 'Pseudonym of the player.';
COMMENT ON COLUMN event_log.seq IS 'Place of the event in its session, from 0; null where the client does not count.';
COMMENT ON COLUMN event_log.event_id IS 'Idempotency key of the event, unique within a tenant: two rows of one id are repeats.';
COMMENT ON COLUMN event_log.event_type IS 'Type of the event.';
COMMENT ON COLUMN event_log.timestamp IS 'When it happened, on the client''s own clock; null for a close that was told without a time.';
COMMENT ON COLUMN event_log.received_at IS 'When a gateway received it.';
COMMENT ON COLUMN event_log.data IS 'What its type says of it; null where the client sent none. What jsonb cannot hold is shown changed: U+0000 and lone surrogates as U+FFFD, numbers of more than 1,000 digits or beyond double precision as text. The client''s own bytes are in the topic.';
