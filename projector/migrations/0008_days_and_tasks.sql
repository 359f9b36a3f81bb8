-- Who played on which day, and what was done on each task, kept by what each session adds and takes back:
-- a view over all sessions would go through all of them each time. docs/decisions/0016 says what is kept how.

ALTER TABLE sessions ADD COLUMN day date;
COMMENT ON COLUMN sessions.day IS 'Day of started_at in the game''s time zone (--games; UTC where none is set); null for evidence, which is no part of play statistics. Unit: date.';
-- So far all days were days in UTC.
UPDATE sessions SET day = (started_at AT TIME ZONE 'UTC')::date WHERE kind = 'play';

CREATE TABLE player_days (
    tenant    text   NOT NULL,
    game      text   NOT NULL,
    player_id text   NOT NULL,
    day       date   NOT NULL,
    sessions  bigint NOT NULL,
    first_day date   NOT NULL,
    PRIMARY KEY (tenant, game, player_id, day)
) WITH (fillfactor = 80);

CREATE INDEX player_days_by_day ON player_days (tenant, game, day, player_id);

COMMENT ON TABLE player_days IS 'One row for each day on which a player played a game, by the start of the session.';
COMMENT ON COLUMN player_days.tenant IS 'Whose data it is.';
COMMENT ON COLUMN player_days.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN player_days.player_id IS 'Pseudonym of the player.';
COMMENT ON COLUMN player_days.day IS 'The day. Unit: date in the game''s time zone.';
COMMENT ON COLUMN player_days.sessions IS 'Play sessions that the player started on that day. Unit: count.';
COMMENT ON COLUMN player_days.first_day IS 'The first day on which the player played the game, the same in all of the player''s rows. Unit: date in the game''s time zone.';

CREATE TABLE daily_players (
    tenant       text   NOT NULL,
    game         text   NOT NULL,
    day          date   NOT NULL,
    active       bigint NOT NULL,
    new          bigint NOT NULL,
    sessions     bigint NOT NULL,
    returned_1d  bigint NOT NULL,
    returned_7d  bigint NOT NULL,
    returned_30d bigint NOT NULL,
    PRIMARY KEY (tenant, game, day)
) WITH (fillfactor = 50);

COMMENT ON TABLE daily_players IS 'Who played a game on each day, by the start of the session, and which of the day''s new players came back.';
COMMENT ON COLUMN daily_players.tenant IS 'Whose data it is.';
COMMENT ON COLUMN daily_players.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN daily_players.day IS 'The day. Unit: date in the game''s time zone.';
COMMENT ON COLUMN daily_players.active IS 'Players with a play session on that day. Unit: count.';
COMMENT ON COLUMN daily_players.new IS 'Those of them who had never played the game before. Unit: count.';
COMMENT ON COLUMN daily_players.sessions IS 'Play sessions that started on that day. Unit: count.';
COMMENT ON COLUMN daily_players.returned_1d IS 'Of the day''s new players, those active again exactly 1 day later. Unit: count.';
COMMENT ON COLUMN daily_players.returned_7d IS 'Of the day''s new players, those active again exactly 7 days later. Unit: count.';
COMMENT ON COLUMN daily_players.returned_30d IS 'Of the day''s new players, those active again exactly 30 days later. Unit: count.';

CREATE TABLE task_counts (
    tenant             text   NOT NULL,
    game               text   NOT NULL,
    task_id            text   NOT NULL,
    sessions           bigint NOT NULL,
    sessions_started   bigint NOT NULL,
    sessions_abandoned bigint NOT NULL,
    sessions_timed     bigint NOT NULL,
    starts             bigint NOT NULL,
    completions        bigint NOT NULL,
    abandons           bigint NOT NULL,
    attempts           bigint NOT NULL,
    successes          bigint NOT NULL,
    hints              bigint NOT NULL,
    PRIMARY KEY (tenant, game, task_id)
) WITH (fillfactor = 50);

COMMENT ON TABLE task_counts IS 'The sums behind task_stats: what all play sessions together did on each task.';
COMMENT ON COLUMN task_counts.tenant IS 'Whose data it is.';
COMMENT ON COLUMN task_counts.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN task_counts.task_id IS 'The task, as the game names it.';
COMMENT ON COLUMN task_counts.sessions IS 'Play sessions that touched the task. Unit: count.';
COMMENT ON COLUMN task_counts.sessions_started IS 'Those of them that started it. Unit: count.';
COMMENT ON COLUMN task_counts.sessions_abandoned IS 'Those that started it, abandoned it and never completed it. Unit: count.';
COMMENT ON COLUMN task_counts.sessions_timed IS 'Those with a time from the first start to the first completion. Unit: count.';
COMMENT ON COLUMN task_counts.starts IS 'task.started events. Unit: count.';
COMMENT ON COLUMN task_counts.completions IS 'task.completed events. Unit: count.';
COMMENT ON COLUMN task_counts.abandons IS 'task.abandoned events. Unit: count.';
COMMENT ON COLUMN task_counts.attempts IS 'task.attempted events. Unit: count.';
COMMENT ON COLUMN task_counts.successes IS 'Attempts that succeeded. Unit: count.';
COMMENT ON COLUMN task_counts.hints IS 'hint.requested events. Unit: count.';

-- By time within a task: a median is then a step along the index.
DROP INDEX session_tasks_by_task;
CREATE INDEX session_tasks_by_task ON session_tasks (tenant, game, task_id, spent_ms);

CREATE FUNCTION recount() RETURNS void
    LANGUAGE sql
    SET search_path FROM CURRENT
AS $$
    DELETE FROM players;
    INSERT INTO players (tenant, player_id, first_seen, last_seen, sessions, events, active_ms)
    SELECT tenant, player_id, min(started_at), max(ended_at), count(*), sum(event_count), sum(active_ms)
      FROM sessions
     WHERE kind = 'play'
     GROUP BY tenant, player_id;

    DELETE FROM player_days;
    INSERT INTO player_days (tenant, game, player_id, day, sessions, first_day)
    SELECT tenant, game, player_id, day, count(*), min(day) OVER (PARTITION BY tenant, game, player_id)
      FROM sessions
     WHERE day IS NOT NULL
     GROUP BY tenant, game, player_id, day;

    DELETE FROM daily_players;
    INSERT INTO daily_players (tenant, game, day, active, new, sessions, returned_1d, returned_7d, returned_30d)
    SELECT tenant, game, day, sum(active), sum(new), sum(sessions), sum(returned_1d), sum(returned_7d), sum(returned_30d)
      FROM (
        SELECT tenant, game, day, 1 AS active, (day = first_day)::int AS new, sessions,
               0 AS returned_1d, 0 AS returned_7d, 0 AS returned_30d
          FROM player_days
        UNION ALL
        SELECT tenant, game, first_day, 0, 0, 0,
               (day - first_day = 1)::int, (day - first_day = 7)::int, (day - first_day = 30)::int
          FROM player_days
         WHERE day - first_day IN (1, 7, 30)
      ) shares
     GROUP BY tenant, game, day;

    DELETE FROM task_counts;
    INSERT INTO task_counts (tenant, game, task_id, sessions, sessions_started, sessions_abandoned, sessions_timed,
                             starts, completions, abandons, attempts, successes, hints)
    SELECT tenant, game, task_id, count(*), count(*) FILTER (WHERE starts > 0),
           count(*) FILTER (WHERE starts > 0 AND abandons > 0 AND completions = 0), count(spent_ms),
           sum(starts), sum(completions), sum(abandons), sum(attempts), sum(successes), sum(hints)
      FROM session_tasks
     GROUP BY tenant, game, task_id;
$$;
COMMENT ON FUNCTION recount() IS 'Makes players, player_days, daily_players and task_counts anew from sessions and session_tasks, as after rows were brought in by hand. Reads all of them; no projector may write meanwhile.';

SELECT recount();
