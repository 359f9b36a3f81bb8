CREATE TABLE sessions (
    tenant            text        NOT NULL,
    session_id        uuid        NOT NULL,
    game              text        NOT NULL,
    player_id         text        NOT NULL,
    kind              text        NOT NULL,
    revision          bigint      NOT NULL,
    status            text        NOT NULL,
    close_reason      text        NOT NULL,
    started_at        timestamptz NOT NULL,
    ended_at          timestamptz NOT NULL,
    event_count       bigint      NOT NULL,
    active_ms         bigint      NOT NULL,
    complete          boolean,
    anomalous         boolean     NOT NULL,
    flags             jsonb       NOT NULL,
    platform          text,
    locale            text,
    device            text,
    app_version       text,
    facts_sha256      text        NOT NULL,
    partition         bigint      NOT NULL,
    first_offset      bigint      NOT NULL,
    last_offset       bigint      NOT NULL,
    repeats           bigint      NOT NULL,
    clock_offset_ms   bigint,
    client_started_at timestamptz NOT NULL,
    client_ended_at   timestamptz NOT NULL,
    worker            text        NOT NULL,
    reported_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant, session_id)
) WITH (fillfactor = 75);

-- Neither player nor start moves from revision to revision as a rule, so updates stay within the page.
CREATE INDEX sessions_by_player ON sessions (tenant, player_id);
CREATE INDEX sessions_by_start ON sessions (tenant, game, started_at);

COMMENT ON TABLE sessions IS 'One row a closed session, as its latest revision tells it.';
COMMENT ON COLUMN sessions.tenant IS 'Whose data it is.';
COMMENT ON COLUMN sessions.session_id IS 'The session, as the client named it.';
COMMENT ON COLUMN sessions.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN sessions.player_id IS 'Pseudonym of the player.';
COMMENT ON COLUMN sessions.kind IS 'play, or evidence: a session of nothing but evidence from outside the game, no part of play statistics.';
COMMENT ON COLUMN sessions.revision IS 'Number of this report of the session, from 1; a newer one replaces all that the older one gave.';
COMMENT ON COLUMN sessions.status IS 'provisional: a later revision may tell more; final: nothing more is expected.';
COMMENT ON COLUMN sessions.close_reason IS 'Why it was closed: completed, abandoned or error by the client; timeout or too_long by the worker.';
COMMENT ON COLUMN sessions.started_at IS 'Time of its first event, corrected by the session''s clock offset.';
COMMENT ON COLUMN sessions.ended_at IS 'Time of its last event, corrected by the session''s clock offset.';
COMMENT ON COLUMN sessions.event_count IS 'Distinct events of the session. Unit: count.';
COMMENT ON COLUMN sessions.active_ms IS 'Time in gaps that are neither paused nor idle. Unit: ms.';
COMMENT ON COLUMN sessions.complete IS 'Whether no seq up to the highest one lacks an event; null where the client does not count. Unit: yes/no.';
COMMENT ON COLUMN sessions.anomalous IS 'Whether there were more than 20 player''s actions within a second. Unit: yes/no.';
COMMENT ON COLUMN sessions.flags IS 'What went wrong with its record on the way, as a list: gap_skipped, truncated; empty as a rule.';
COMMENT ON COLUMN sessions.platform IS 'Platform that session.started told; null where it told none.';
COMMENT ON COLUMN sessions.locale IS 'Language and region that session.started told; null where it told none.';
COMMENT ON COLUMN sessions.device IS 'Device that session.started told; null where it told none.';
COMMENT ON COLUMN sessions.app_version IS 'Version of the client, as the first record that has one told; null where none did.';
COMMENT ON COLUMN sessions.facts_sha256 IS 'SHA-256 of the facts in canonical JSON (RFC 8785), hexadecimal: equal facts, equal digest.';
COMMENT ON COLUMN sessions.partition IS 'Partition of the events topic that holds the session, from 0.';
COMMENT ON COLUMN sessions.first_offset IS 'Offset of the session''s first record there; another one would be a second life and is refused.';
COMMENT ON COLUMN sessions.last_offset IS 'Offset of the latest record there that took a place in the session.';
COMMENT ON COLUMN sessions.repeats IS 'Records that told again what was known. Unit: count.';
COMMENT ON COLUMN sessions.clock_offset_ms IS 'Smallest difference of time received and time sent over its requests, added to the client''s times; null where no request said when it was sent. Unit: ms.';
COMMENT ON COLUMN sessions.client_started_at IS 'Time of its first event on the client''s own clock.';
COMMENT ON COLUMN sessions.client_ended_at IS 'Time of its last event on the client''s own clock.';
COMMENT ON COLUMN sessions.worker IS 'Build of the feature worker that made the report.';
COMMENT ON COLUMN sessions.reported_at IS 'When the worker reported this revision, in the time of the log.';

CREATE TABLE session_tasks (
    tenant      text    NOT NULL,
    session_id  uuid    NOT NULL,
    ordinal     bigint  NOT NULL,
    game        text    NOT NULL,
    player_id   text    NOT NULL,
    revision    bigint  NOT NULL,
    task_id     text    NOT NULL,
    starts      bigint  NOT NULL,
    completions bigint  NOT NULL,
    abandons    bigint  NOT NULL,
    attempts    bigint  NOT NULL,
    successes   bigint  NOT NULL,
    hints       bigint  NOT NULL,
    spent_ms    bigint,
    first_try   boolean,
    PRIMARY KEY (tenant, session_id, ordinal)
) WITH (fillfactor = 75);

CREATE INDEX session_tasks_by_task ON session_tasks (tenant, game, task_id);

COMMENT ON TABLE session_tasks IS 'One row for each task that a play session touched, as its latest revision tells it.';
COMMENT ON COLUMN session_tasks.tenant IS 'Whose data it is.';
COMMENT ON COLUMN session_tasks.session_id IS 'The session.';
COMMENT ON COLUMN session_tasks.ordinal IS 'Place of the task in the order in which the session first named its tasks, from 0.';
COMMENT ON COLUMN session_tasks.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN session_tasks.player_id IS 'Pseudonym of the player.';
COMMENT ON COLUMN session_tasks.revision IS 'Revision of the session that these figures are of.';
COMMENT ON COLUMN session_tasks.task_id IS 'The task, as the game names it.';
COMMENT ON COLUMN session_tasks.starts IS 'task.started events. Unit: count.';
COMMENT ON COLUMN session_tasks.completions IS 'task.completed events. Unit: count.';
COMMENT ON COLUMN session_tasks.abandons IS 'task.abandoned events. Unit: count.';
COMMENT ON COLUMN session_tasks.attempts IS 'task.attempted events. Unit: count.';
COMMENT ON COLUMN session_tasks.successes IS 'Attempts that succeeded. Unit: count.';
COMMENT ON COLUMN session_tasks.hints IS 'hint.requested events. Unit: count.';
COMMENT ON COLUMN session_tasks.spent_ms IS 'Unpaused time from the first start to the first completion after it; null without one. Unit: ms.';
COMMENT ON COLUMN session_tasks.first_try IS 'Whether the first attempt succeeded; null without attempts. Unit: yes/no.';

CREATE TABLE players (
    tenant     text        NOT NULL,
    player_id  text        NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL,
    sessions   bigint      NOT NULL,
    events     bigint      NOT NULL,
    active_ms  bigint      NOT NULL,
    PRIMARY KEY (tenant, player_id)
) WITH (fillfactor = 75);

COMMENT ON TABLE players IS 'One row a player with a closed play session: what the latest revisions of those sessions come to.';
COMMENT ON COLUMN players.tenant IS 'Whose data it is.';
COMMENT ON COLUMN players.player_id IS 'Pseudonym of the player.';
COMMENT ON COLUMN players.first_seen IS 'Earliest start of a session, corrected by its clock offset.';
COMMENT ON COLUMN players.last_seen IS 'Latest end of a session, corrected by its clock offset.';
COMMENT ON COLUMN players.sessions IS 'Closed play sessions. Unit: count.';
COMMENT ON COLUMN players.events IS 'Distinct events of those sessions. Unit: count.';
COMMENT ON COLUMN players.active_ms IS 'Active time of those sessions. Unit: ms.';
