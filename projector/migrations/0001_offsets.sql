-- Runs with search_path set to the data schema of one generation (play_g1), so no name here is qualified.

CREATE TABLE offsets (
    projection  text    NOT NULL,
    topic       text    NOT NULL,
    topic_id    text    NOT NULL,
    partition   bigint  NOT NULL,
    next_offset bigint  NOT NULL,
    epoch       bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (projection, topic, partition)
) WITH (fillfactor = 50);

COMMENT ON TABLE offsets IS 'How far the rows of this generation follow the log: written in the same transaction as the rows, so that both stand or fall together.';
COMMENT ON COLUMN offsets.projection IS 'Which set of rows follows the log by this line.';
COMMENT ON COLUMN offsets.topic IS 'Whole name of the topic.';
COMMENT ON COLUMN offsets.topic_id IS 'Identity of the topic: another one means that the topic was deleted and made again.';
COMMENT ON COLUMN offsets.partition IS 'Number of the partition, from 0.';
COMMENT ON COLUMN offsets.next_offset IS 'Offset of the next record to be read; everything below it is in the rows.';
COMMENT ON COLUMN offsets.epoch IS 'Count of claims; only the projector that made the latest claim may write.';
