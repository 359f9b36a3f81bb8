CREATE TABLE quarantine (
    partition        bigint      NOT NULL,
    "offset"         bigint      NOT NULL,
    origin_topic     text,
    origin_partition bigint,
    origin_offset    bigint,
    tenant           text,
    game             text,
    reason           text        NOT NULL,
    errors           jsonb,
    raw              bytea       NOT NULL,
    event_id         text,
    request_id       text,
    received_at      timestamptz NOT NULL,
    redriven_at      timestamptz,
    PRIMARY KEY (partition, "offset")
) WITH (fillfactor = 90);

CREATE INDEX quarantine_by_arrival ON quarantine (tenant, received_at);

COMMENT ON TABLE quarantine IS 'What was refused or set aside, with the reason and the raw bytes, so that it can be mended and sent again.';
COMMENT ON COLUMN quarantine.partition IS 'Partition of the quarantine topic, from 0.';
COMMENT ON COLUMN quarantine."offset" IS 'Offset in the quarantine topic.';
COMMENT ON COLUMN quarantine.origin_topic IS 'Whole name of the topic that it came from; null where it never reached one.';
COMMENT ON COLUMN quarantine.origin_partition IS 'Partition of that topic, from 0; null where it never reached one.';
COMMENT ON COLUMN quarantine.origin_offset IS 'Offset in that topic; null where it never reached one.';
COMMENT ON COLUMN quarantine.tenant IS 'Whose data it is; null where it could not be told.';
COMMENT ON COLUMN quarantine.game IS 'Which game; null where it could not be told.';
COMMENT ON COLUMN quarantine.reason IS 'Why: invalid, conflict, forbidden (by the gateway); poison, seq_conflict, player_mismatch, seq_mixed, kind_mismatch, late, no_session (by the worker); poison, second_life (by the projector); unknown where the record says none.';
COMMENT ON COLUMN quarantine.errors IS 'What was wrong with which field: a list of pointer, code and message; null where nothing was told.';
COMMENT ON COLUMN quarantine.raw IS 'The bytes as they came.';
COMMENT ON COLUMN quarantine.event_id IS 'Id of the event, as it was told; null where there was none.';
COMMENT ON COLUMN quarantine.request_id IS 'The request that brought it; null where there was none.';
COMMENT ON COLUMN quarantine.received_at IS 'When it was received; where the record does not say, when it was set aside.';
COMMENT ON COLUMN quarantine.redriven_at IS 'When it was sent again; null as long as it was not.';
