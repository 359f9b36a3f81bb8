-- The views that readers use, over the data of one generation.
--
-- The names in :"…" are psql's variables: the projector fills them in, and so does
--   psql -v views=play -v data=play_g1 -v generation=1 -v digest= -f views.sql
-- Every view acts with the rights of its reader (security_invoker). CREATE OR REPLACE keeps what was
-- granted on a view; a new column therefore goes to the end. Where a view shows a table under the
-- table's own name, its comments are copied from there by the projector.

CREATE OR REPLACE VIEW :"views".offsets WITH (security_invoker = true) AS SELECT * FROM :"data".offsets;
CREATE OR REPLACE VIEW :"views".sessions WITH (security_invoker = true) AS SELECT * FROM :"data".sessions;
CREATE OR REPLACE VIEW :"views".session_metrics WITH (security_invoker = true) AS SELECT * FROM :"data".session_metrics;
CREATE OR REPLACE VIEW :"views".session_tasks WITH (security_invoker = true) AS SELECT * FROM :"data".session_tasks;
CREATE OR REPLACE VIEW :"views".players WITH (security_invoker = true) AS SELECT * FROM :"data".players;
CREATE OR REPLACE VIEW :"views".skill_evidence WITH (security_invoker = true) AS SELECT * FROM :"data".skill_evidence;
CREATE OR REPLACE VIEW :"views".activity_by_minute WITH (security_invoker = true) AS SELECT * FROM :"data".activity_by_minute;
CREATE OR REPLACE VIEW :"views".worker_outcomes WITH (security_invoker = true) AS SELECT * FROM :"data".worker_outcomes;
CREATE OR REPLACE VIEW :"views".outcomes WITH (security_invoker = true) AS SELECT * FROM :"data".outcomes;
CREATE OR REPLACE VIEW :"views".live_sessions WITH (security_invoker = true) AS SELECT * FROM :"data".live_sessions;
CREATE OR REPLACE VIEW :"views".quarantine WITH (security_invoker = true) AS SELECT * FROM :"data".quarantine;
CREATE OR REPLACE VIEW :"views".event_log WITH (security_invoker = true) AS SELECT * FROM :"data".event_log;

CREATE OR REPLACE VIEW :"views".behavioral_features WITH (security_invoker = true) AS
SELECT m.tenant,
       m.session_id,
       s.game,
       s.player_id,
       m.revision,
       m.metrics_version,
       s.started_at,
       m.completion_rate    AS task_completion_rate,
       m.retries            AS retry_count,
       m.recovery_rate,
       m.time_efficiency,
       m.engagement_ratio   AS distraction_resistance,
       m.longest_focus_ms   AS focus_duration,
       m.messages_sent + m.help_given + m.help_received + m.turns AS collaboration_indicators,
       m.leadership_choices AS leadership_indicators
  FROM :"data".session_metrics m
  JOIN :"data".sessions s USING (tenant, session_id)
 WHERE s.kind = 'play';

COMMENT ON VIEW :"views".behavioral_features IS 'The metrics of each play session under the names that teachers'' dashboards of this kind have used.';
COMMENT ON COLUMN :"views".behavioral_features.tenant IS 'Whose data it is.';
COMMENT ON COLUMN :"views".behavioral_features.session_id IS 'The session, as the client named it.';
COMMENT ON COLUMN :"views".behavioral_features.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN :"views".behavioral_features.player_id IS 'Pseudonym of the player.';
COMMENT ON COLUMN :"views".behavioral_features.revision IS 'Revision of the session that the figures are of.';
COMMENT ON COLUMN :"views".behavioral_features.metrics_version IS 'Version of the definitions that the figures follow.';
COMMENT ON COLUMN :"views".behavioral_features.started_at IS 'Time of the session''s first event, corrected by its clock offset.';
COMMENT ON COLUMN :"views".behavioral_features.task_completion_rate IS 'Completed tasks / started tasks (completion_rate). Unit: ratio.';
COMMENT ON COLUMN :"views".behavioral_features.retry_count IS 'Attempts that follow a failed one on the same task (retries). Unit: count.';
COMMENT ON COLUMN :"views".behavioral_features.recovery_rate IS 'Failure runs that ended in a success / failure runs. Unit: ratio.';
COMMENT ON COLUMN :"views".behavioral_features.time_efficiency IS 'Expected time over time spent on completed tasks that state one, at most 2. Unit: ratio.';
COMMENT ON COLUMN :"views".behavioral_features.distraction_resistance IS 'Active time / duration of the session (engagement_ratio). Unit: ratio.';
COMMENT ON COLUMN :"views".behavioral_features.focus_duration IS 'Longest active time unbroken by an idle gap or the start of a pause (longest_focus_ms). Unit: ms.';
COMMENT ON COLUMN :"views".behavioral_features.collaboration_indicators IS 'Messages sent, help given, help received and turns, added up. Unit: count.';
COMMENT ON COLUMN :"views".behavioral_features.leadership_indicators IS 'Aligned choices of the skill leadership (leadership_choices). Unit: count.';

CREATE OR REPLACE VIEW :"views".task_stats WITH (security_invoker = true) AS
SELECT tenant,
       game,
       task_id,
       sum(starts)::bigint      AS starts,
       sum(completions)::bigint AS completions,
       sum(attempts)::bigint    AS attempts,
       sum(successes)::bigint   AS successes,
       (sum(attempts) - sum(successes))::double precision / nullif(sum(attempts), 0)::double precision AS failure_rate,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY spent_ms) AS median_ms,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY spent_ms) AS p90_ms,
       sum(abandons)::bigint    AS abandons,
       sum(hints)::bigint       AS hints,
       count(*)                 AS sessions,
       count(DISTINCT player_id) AS players
  FROM :"data".session_tasks
 GROUP BY tenant, game, task_id;

COMMENT ON VIEW :"views".task_stats IS 'What all play sessions together did on each task.';
COMMENT ON COLUMN :"views".task_stats.tenant IS 'Whose data it is.';
COMMENT ON COLUMN :"views".task_stats.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN :"views".task_stats.task_id IS 'The task, as the game names it.';
COMMENT ON COLUMN :"views".task_stats.starts IS 'task.started events. Unit: count.';
COMMENT ON COLUMN :"views".task_stats.completions IS 'task.completed events. Unit: count.';
COMMENT ON COLUMN :"views".task_stats.attempts IS 'task.attempted events. Unit: count.';
COMMENT ON COLUMN :"views".task_stats.successes IS 'Attempts that succeeded. Unit: count.';
COMMENT ON COLUMN :"views".task_stats.failure_rate IS 'Attempts that did not succeed / attempts; null without attempts. Unit: ratio.';
COMMENT ON COLUMN :"views".task_stats.median_ms IS 'Median over sessions of the unpaused time from first start to first completion; null without one. Unit: ms.';
COMMENT ON COLUMN :"views".task_stats.p90_ms IS 'The same time that nine of ten sessions stay under; null without one. Unit: ms.';
COMMENT ON COLUMN :"views".task_stats.abandons IS 'task.abandoned events. Unit: count.';
COMMENT ON COLUMN :"views".task_stats.hints IS 'hint.requested events. Unit: count.';
COMMENT ON COLUMN :"views".task_stats.sessions IS 'Play sessions that touched the task. Unit: count.';
COMMENT ON COLUMN :"views".task_stats.players IS 'Players who touched the task. Unit: count.';

CREATE OR REPLACE VIEW :"views".daily_players WITH (security_invoker = true) AS
WITH played AS (
    SELECT tenant, game, player_id, (started_at AT TIME ZONE 'UTC')::date AS day, count(*) AS sessions
      FROM :"data".sessions
     WHERE kind = 'play'
     GROUP BY 1, 2, 3, 4
), since AS (
    SELECT *, min(day) OVER (PARTITION BY tenant, game, player_id) AS first_day FROM played
), cohorts AS (
    SELECT tenant, game, first_day AS day,
           count(*) FILTER (WHERE day = first_day)      AS newcomers,
           count(*) FILTER (WHERE day = first_day + 1)  AS returned_1d,
           count(*) FILTER (WHERE day = first_day + 7)  AS returned_7d,
           count(*) FILTER (WHERE day = first_day + 30) AS returned_30d
      FROM since
     GROUP BY 1, 2, 3
), days AS (
    SELECT tenant, game, day, count(*) AS active, sum(sessions)::bigint AS sessions FROM played GROUP BY 1, 2, 3
)
SELECT d.tenant,
       d.game,
       d.day,
       d.active,
       coalesce(c.newcomers, 0)    AS new,
       d.sessions,
       coalesce(c.returned_1d, 0)  AS returned_1d,
       coalesce(c.returned_7d, 0)  AS returned_7d,
       coalesce(c.returned_30d, 0) AS returned_30d
  FROM days d
  LEFT JOIN cohorts c USING (tenant, game, day);

COMMENT ON VIEW :"views".daily_players IS 'Who played on each day (UTC, by the start of the session), and which of the day''s new players came back.';
COMMENT ON COLUMN :"views".daily_players.tenant IS 'Whose data it is.';
COMMENT ON COLUMN :"views".daily_players.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN :"views".daily_players.day IS 'The day. Unit: date in UTC.';
COMMENT ON COLUMN :"views".daily_players.active IS 'Players with a play session on that day. Unit: count.';
COMMENT ON COLUMN :"views".daily_players.new IS 'Those of them who had never played the game before. Unit: count.';
COMMENT ON COLUMN :"views".daily_players.sessions IS 'Play sessions that started on that day. Unit: count.';
COMMENT ON COLUMN :"views".daily_players.returned_1d IS 'Of the day''s new players, those active again exactly 1 day later. Unit: count.';
COMMENT ON COLUMN :"views".daily_players.returned_7d IS 'Of the day''s new players, those active again exactly 7 days later. Unit: count.';
COMMENT ON COLUMN :"views".daily_players.returned_30d IS 'Of the day''s new players, those active again exactly 30 days later. Unit: count.';

CREATE OR REPLACE FUNCTION :"views".layout() RETURNS TABLE (generation bigint, views_digest text)
    LANGUAGE sql STABLE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT :generation::bigint, :'digest'::text;
    END;

COMMENT ON FUNCTION :"views".layout() IS 'Which generation of the data the views show, and the digest of the text that made them.';
