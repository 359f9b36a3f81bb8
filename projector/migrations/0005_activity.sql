CREATE TABLE activity_by_minute (
    tenant     text        NOT NULL,
    game       text        NOT NULL,
    minute     timestamptz NOT NULL,
    event_type text        NOT NULL,
    events     bigint      NOT NULL,
    PRIMARY KEY (tenant, game, minute, event_type)
) WITH (fillfactor = 70);

CREATE INDEX activity_by_minute_by_time ON activity_by_minute (minute);

COMMENT ON TABLE activity_by_minute IS 'Distinct events that took a place in a session, by minute of arrival and type.';
COMMENT ON COLUMN activity_by_minute.tenant IS 'Whose data it is.';
COMMENT ON COLUMN activity_by_minute.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN activity_by_minute.minute IS 'Start of the minute in which a gateway received the events.';
COMMENT ON COLUMN activity_by_minute.event_type IS 'Type of the events.';
COMMENT ON COLUMN activity_by_minute.events IS 'Events. Unit: count.';

CREATE TABLE worker_outcomes (
    tenant  text        NOT NULL,
    game    text        NOT NULL,
    minute  timestamptz NOT NULL,
    outcome text        NOT NULL,
    events  bigint      NOT NULL,
    PRIMARY KEY (tenant, game, minute, outcome)
) WITH (fillfactor = 70);

COMMENT ON TABLE worker_outcomes IS 'What the feature worker did with the records of the events topic, by minute of arrival.';
COMMENT ON COLUMN worker_outcomes.tenant IS 'Whose data it is.';
COMMENT ON COLUMN worker_outcomes.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN worker_outcomes.minute IS 'Start of the minute in which a gateway received the events.';
COMMENT ON COLUMN worker_outcomes.outcome IS 'applied: took a place in a session; repeat: told what was known; hole: stands for a refused event; set_aside/REASON: went to the quarantine.';
COMMENT ON COLUMN worker_outcomes.events IS 'Records. Unit: count.';

CREATE TABLE outcomes (
    tenant  text        NOT NULL,
    game    text        NOT NULL,
    minute  timestamptz NOT NULL,
    outcome text        NOT NULL,
    events  bigint      NOT NULL,
    PRIMARY KEY (tenant, game, minute, outcome)
) WITH (fillfactor = 70);

COMMENT ON TABLE outcomes IS 'What became of the events that gateways received, by minute of arrival.';
COMMENT ON COLUMN outcomes.tenant IS 'Whose data it is.';
COMMENT ON COLUMN outcomes.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN outcomes.minute IS 'Start of the minute in which the events were received.';
COMMENT ON COLUMN outcomes.outcome IS 'accepted, duplicate, conflict, rejected, shed or unknown; duplicate and shed are lower bounds for a minute in which a gateway was killed.';
COMMENT ON COLUMN outcomes.events IS 'Events. Unit: count.';

CREATE TABLE live_sessions (
    tenant        text        NOT NULL,
    session_id    uuid        NOT NULL,
    game          text        NOT NULL,
    player_id     text        NOT NULL,
    started_at    timestamptz NOT NULL,
    last_event_at timestamptz NOT NULL,
    event_count   bigint      NOT NULL,
    active_ms     bigint      NOT NULL,
    PRIMARY KEY (tenant, session_id)
) WITH (fillfactor = 70);

COMMENT ON TABLE live_sessions IS 'One row a running session, as its latest snapshot tells it; the row goes when the session closes.';
COMMENT ON COLUMN live_sessions.tenant IS 'Whose data it is.';
COMMENT ON COLUMN live_sessions.session_id IS 'The session, as the client named it.';
COMMENT ON COLUMN live_sessions.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN live_sessions.player_id IS 'Pseudonym of the player.';
COMMENT ON COLUMN live_sessions.started_at IS 'Time of its first event, corrected by the session''s clock offset.';
COMMENT ON COLUMN live_sessions.last_event_at IS 'Time of its latest event, corrected by the session''s clock offset.';
COMMENT ON COLUMN live_sessions.event_count IS 'Distinct events so far. Unit: count.';
COMMENT ON COLUMN live_sessions.active_ms IS 'Active time so far. Unit: ms.';
