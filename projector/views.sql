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
CREATE OR REPLACE VIEW :"views".players WITH (security_invoker = true) AS SELECT * FROM :"data".players;
CREATE OR REPLACE VIEW :"views".player_days WITH (security_invoker = true) AS SELECT * FROM :"data".player_days;
CREATE OR REPLACE VIEW :"views".daily_players WITH (security_invoker = true) AS SELECT * FROM :"data".daily_players;
CREATE OR REPLACE VIEW :"views".session_evidence WITH (security_invoker = true) AS SELECT * FROM :"data".session_evidence;
CREATE OR REPLACE VIEW :"views".activity_by_minute WITH (security_invoker = true) AS SELECT * FROM :"data".activity_by_minute;
CREATE OR REPLACE VIEW :"views".worker_outcomes WITH (security_invoker = true) AS SELECT * FROM :"data".worker_outcomes;
CREATE OR REPLACE VIEW :"views".outcomes WITH (security_invoker = true) AS SELECT * FROM :"data".outcomes;
CREATE OR REPLACE VIEW :"views".live_sessions WITH (security_invoker = true) AS SELECT * FROM :"data".live_sessions;
CREATE OR REPLACE VIEW :"views".quarantine WITH (security_invoker = true) AS SELECT * FROM :"data".quarantine;
CREATE OR REPLACE VIEW :"views".second_lives WITH (security_invoker = true) AS SELECT * FROM :"data".second_lives;
CREATE OR REPLACE VIEW :"views".event_log WITH (security_invoker = true) AS SELECT * FROM :"data".event_log;
CREATE OR REPLACE VIEW :"views".copied_rows WITH (security_invoker = true) AS SELECT * FROM :"data".copied_rows;
CREATE OR REPLACE VIEW :"views".retained WITH (security_invoker = true) AS SELECT * FROM :"data".retained;

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

CREATE OR REPLACE VIEW :"views".session_tasks WITH (security_invoker = true) AS
SELECT t.tenant,
       t.session_id,
       t.ordinal,
       t.game,
       t.player_id,
       -- Looked for only where it is asked for, since every task has one session.
       s.revision,
       t.task_id,
       t.starts,
       t.completions,
       t.abandons,
       t.attempts,
       t.successes,
       t.hints,
       t.spent_ms,
       t.first_try
  FROM :"data".session_tasks t
  LEFT JOIN :"data".sessions s USING (tenant, session_id);

COMMENT ON COLUMN :"views".session_tasks.revision IS 'Revision of the session that these figures are of.';

CREATE OR REPLACE VIEW :"views".skill_evidence WITH (security_invoker = true) AS
SELECT s.tenant,
       s.session_id,
       e.skill,
       e.source,
       e.signal,
       e.ordinal,
       s.game,
       s.player_id,
       s.revision,
       e.successes,
       e.opportunities,
       e.weight,
       e.at
  FROM :"data".session_evidence p
  JOIN :"data".sessions s USING (tenant, session_id)
 CROSS JOIN LATERAL unnest(p.skill, p.source, p.signal, p.ordinal, p.successes, p.opportunities, p.weight, p.at)
       AS e (skill, source, signal, ordinal, successes, opportunities, weight, at);

COMMENT ON VIEW :"views".skill_evidence IS 'One row a piece of evidence of a skill, as the latest revision of its session tells it.';
COMMENT ON COLUMN :"views".skill_evidence.tenant IS 'Whose data it is.';
COMMENT ON COLUMN :"views".skill_evidence.session_id IS 'The session that yielded it.';
COMMENT ON COLUMN :"views".skill_evidence.skill IS 'The skill: empathy, adaptability, problem_solving, self_regulation, resilience, communication or collaboration.';
COMMENT ON COLUMN :"views".skill_evidence.source IS 'Who says so: game, transcript or teacher.';
COMMENT ON COLUMN :"views".skill_evidence.signal IS 'What it was read from; for evidence from outside the game the source''s own name.';
COMMENT ON COLUMN :"views".skill_evidence.ordinal IS 'Counts pieces of the same session, skill, source and signal, from 0.';
COMMENT ON COLUMN :"views".skill_evidence.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN :"views".skill_evidence.player_id IS 'Pseudonym of the player.';
COMMENT ON COLUMN :"views".skill_evidence.revision IS 'Revision of the session that this piece is of.';
COMMENT ON COLUMN :"views".skill_evidence.successes IS 'Successes among the opportunities; a fraction for evidence from outside the game. Unit: count.';
COMMENT ON COLUMN :"views".skill_evidence.opportunities IS 'Opportunities to show the skill. Unit: count.';
COMMENT ON COLUMN :"views".skill_evidence.weight IS 'What one opportunity weighs. Unit: ratio.';
COMMENT ON COLUMN :"views".skill_evidence.at IS 'When, on the client''s own clock.';

CREATE OR REPLACE VIEW :"views".task_stats WITH (security_invoker = true) AS
SELECT c.tenant,
       c.game,
       c.task_id,
       c.starts,
       c.completions,
       c.attempts,
       c.successes,
       (c.attempts - c.successes)::double precision / nullif(c.attempts, 0)::double precision AS failure_rate,
       -- The values around the place that the quantile falls on, as percentile_cont takes them.
       (SELECT min(ms) + (max(ms) - min(ms)) * (max(place) - floor(max(place)))
          FROM (SELECT 0.5::double precision * (c.sessions_timed - 1) AS place) at,
               LATERAL (SELECT t.spent_ms::double precision AS ms
                          FROM :"data".session_tasks t
                         WHERE t.tenant = c.tenant AND t.game = c.game AND t.task_id = c.task_id AND t.spent_ms IS NOT NULL
                         ORDER BY t.spent_ms
                        OFFSET greatest(floor(at.place), 0)::bigint
                         LIMIT (1 + ceil(at.place) - floor(at.place))::bigint) around) AS median_ms,
       (SELECT min(ms) + (max(ms) - min(ms)) * (max(place) - floor(max(place)))
          FROM (SELECT 0.9::double precision * (c.sessions_timed - 1) AS place) at,
               LATERAL (SELECT t.spent_ms::double precision AS ms
                          FROM :"data".session_tasks t
                         WHERE t.tenant = c.tenant AND t.game = c.game AND t.task_id = c.task_id AND t.spent_ms IS NOT NULL
                         ORDER BY t.spent_ms
                        OFFSET greatest(floor(at.place), 0)::bigint
                         LIMIT (1 + ceil(at.place) - floor(at.place))::bigint) around) AS p90_ms,
       c.abandons,
       c.hints,
       c.sessions,
       (SELECT count(*)
          FROM (SELECT FROM :"data".session_tasks t
                 WHERE t.tenant = c.tenant AND t.game = c.game AND t.task_id = c.task_id
                 GROUP BY t.player_id) each) AS players,
       c.attempts::double precision / nullif(c.successes, 0)::double precision AS attempts_to_success,
       c.sessions_abandoned::double precision / nullif(c.sessions_started, 0)::double precision AS abandonment_rate,
       c.hints::double precision / c.sessions::double precision AS hints_per_session
  FROM :"data".task_counts c;

COMMENT ON VIEW :"views".task_stats IS 'What all play sessions that are kept did on each task. median_ms, p90_ms and players are worked out when they are asked for; players costs most, for it goes through the tasks of all sessions.';
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
COMMENT ON COLUMN :"views".task_stats.attempts_to_success IS 'Attempts / successes: how many attempts one success takes, those of players who never succeed included; null without successes. Unit: ratio.';
COMMENT ON COLUMN :"views".task_stats.abandonment_rate IS 'Sessions that started the task, abandoned it and never completed it / sessions that started it; null where none did. Unit: ratio.';
COMMENT ON COLUMN :"views".task_stats.hints_per_session IS 'Hints / sessions that touched the task. Unit: ratio.';

CREATE OR REPLACE FUNCTION :"views".funnel(game text, tasks text[], tenant text DEFAULT NULL)
    RETURNS TABLE (step bigint, task_id text, started bigint, completed bigint, completion_rate double precision, share double precision)
    LANGUAGE sql STABLE SECURITY INVOKER
    BEGIN ATOMIC
        WITH wanted AS (
            SELECT w.step, w.task FROM unnest(funnel.tasks) WITH ORDINALITY AS w (task, step)
        ), touched AS (
            SELECT t.tenant, t.player_id, w.step,
                   bool_or(t.starts > 0 OR t.completions > 0) AS started,
                   bool_or(t.completions > 0) AS completed
              FROM wanted w
              -- By way of the few tasks there are: each is then found by the index, whoever's it is.
              JOIN :"data".task_counts c ON c.game = funnel.game AND c.task_id = w.task
              JOIN :"data".session_tasks t ON t.tenant = c.tenant AND t.game = c.game AND t.task_id = c.task_id
             WHERE funnel.tenant IS NULL OR c.tenant = funnel.tenant
             GROUP BY t.tenant, t.player_id, w.step
        ), passed AS (
            SELECT s.step, s.started, s.completed,
                   count(*) FILTER (WHERE s.completed) OVER (PARTITION BY s.tenant, s.player_id ORDER BY s.step)
                       - s.completed::int AS before
              FROM touched s
        ), counted AS (
            SELECT w.step, w.task,
                   count(*) FILTER (WHERE p.started)   AS started,
                   count(*) FILTER (WHERE p.completed) AS completed
              FROM wanted w
              LEFT JOIN passed p ON p.step = w.step AND p.before = w.step - 1
             GROUP BY w.step, w.task
        )
        SELECT n.step, n.task, n.started, n.completed,
               n.completed::double precision / nullif(n.started, 0)::double precision,
               n.completed::double precision / nullif(first_value(n.started) OVER (ORDER BY n.step), 0)::double precision
          FROM counted n
         ORDER BY n.step;
    END;

COMMENT ON FUNCTION :"views".funnel(text, text[], text) IS 'How many players get through these tasks of a game. A row for each task, in the order given: started: players who started or completed it, having completed all before it; completed: those of them who completed it, in whatever session; completion_rate: completed / started; share: completed / started of the first task. Only a tenant''s players where one is named.';

CREATE OR REPLACE FUNCTION :"views".grant_reader(reader regrole, tenant text) RETURNS void
    LANGUAGE sql STRICT SECURITY INVOKER
    BEGIN ATOMIC
        SELECT :"data".grant_access(grant_reader.reader, :'views'::regnamespace, false, grant_reader.tenant);
    END;

COMMENT ON FUNCTION :"views".grant_reader(regrole, text) IS 'Lets a role read the rows of a tenant in all views; called again, of one more tenant. Nothing where either is null. For the owner only.';

CREATE OR REPLACE FUNCTION :"views".grant_reader_of_all_tenants(reader regrole) RETURNS void
    LANGUAGE sql STRICT SECURITY INVOKER
    BEGIN ATOMIC
        SELECT :"data".grant_access(grant_reader_of_all_tenants.reader, :'views'::regnamespace, false, NULL);
    END;

COMMENT ON FUNCTION :"views".grant_reader_of_all_tenants(regrole) IS 'Lets a role read everything, as the dashboard must. For the owner only.';

CREATE OR REPLACE FUNCTION :"views".grant_writer(writer regrole) RETURNS void
    LANGUAGE sql STRICT SECURITY INVOKER
    BEGIN ATOMIC
        SELECT :"data".grant_access(grant_writer.writer, :'views'::regnamespace, true, NULL);
    END;

COMMENT ON FUNCTION :"views".grant_writer(regrole) IS 'Lets a role write rows, as a projector must that does not lay out tables itself. For the owner only.';

CREATE OR REPLACE FUNCTION :"views".revoke_role(grantee regrole) RETURNS void
    LANGUAGE sql STRICT SECURITY INVOKER
    BEGIN ATOMIC
        SELECT :"data".revoke_access(revoke_role.grantee, :'views'::regnamespace);
    END;

COMMENT ON FUNCTION :"views".revoke_role(regrole) IS 'Takes from a role all that grant_reader, grant_reader_of_all_tenants and grant_writer gave it. For the owner only.';

CREATE OR REPLACE FUNCTION :"views".layout() RETURNS TABLE (generation bigint, views_digest text)
    LANGUAGE sql STABLE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT :generation::bigint, :'digest'::text;
    END;

COMMENT ON FUNCTION :"views".layout() IS 'Which generation of the data the views show, and the digest of the text that made them.';
