CREATE TABLE second_lives (
    tenant             text        NOT NULL,
    session_id         uuid        NOT NULL,
    partition          bigint      NOT NULL,
    first_offset       bigint      NOT NULL,
    game               text        NOT NULL,
    player_id          text        NOT NULL,
    kind               text        NOT NULL,
    revision           bigint      NOT NULL,
    started_at         timestamptz NOT NULL,
    ended_at           timestamptz NOT NULL,
    event_count        bigint      NOT NULL,
    kept_partition     bigint      NOT NULL,
    kept_first_offset  bigint      NOT NULL,
    report_partition   bigint      NOT NULL,
    report_offset      bigint      NOT NULL,
    reported_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant, session_id, partition, first_offset)
) WITH (fillfactor = 90);

COMMENT ON TABLE second_lives IS 'Sessions that were told a second time after all memory of the first had gone, as by a client that sends months later what it had sent before: their reports were refused, and sessions holds the first life.';
COMMENT ON COLUMN second_lives.tenant IS 'Whose data it is.';
COMMENT ON COLUMN second_lives.session_id IS 'The session, as the client named it.';
COMMENT ON COLUMN second_lives.partition IS 'Partition of the events topic in which the refused life begins, from 0.';
COMMENT ON COLUMN second_lives.first_offset IS 'Offset of its first record there.';
COMMENT ON COLUMN second_lives.game IS 'Which game the refused report names; behind an @ the environment where that is not live.';
COMMENT ON COLUMN second_lives.player_id IS 'Pseudonym of the player whom it names.';
COMMENT ON COLUMN second_lives.kind IS 'play, or evidence: a session of nothing but evidence from outside the game.';
COMMENT ON COLUMN second_lives.revision IS 'Number of the latest report of the refused life.';
COMMENT ON COLUMN second_lives.started_at IS 'Time of its first event, corrected by its clock offset.';
COMMENT ON COLUMN second_lives.ended_at IS 'Time of its last event, corrected by its clock offset.';
COMMENT ON COLUMN second_lives.event_count IS 'Distinct events of the refused life. Unit: count.';
COMMENT ON COLUMN second_lives.kept_partition IS 'Partition of the events topic in which the life begins that sessions holds, from 0.';
COMMENT ON COLUMN second_lives.kept_first_offset IS 'Offset of the first record of that life.';
COMMENT ON COLUMN second_lives.report_partition IS 'Partition of the sessions topic that holds the refused report, from 0.';
COMMENT ON COLUMN second_lives.report_offset IS 'Offset of the refused report there; its bytes are in the quarantine too, under the reason second_life.';
COMMENT ON COLUMN second_lives.reported_at IS 'When the worker made that report, in the time of the log.';
