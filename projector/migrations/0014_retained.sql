-- How long rows are kept: up to when they have been removed, and what must not be counted anew since then.
-- docs/decisions/0019 says how it works.

SELECT set_config('search_path', current_schema() || ', pg_temp', true);

CREATE TABLE retained (
    tenant     text        NOT NULL,
    model      text        NOT NULL,
    before     timestamptz NOT NULL,
    frozen_day date,
    PRIMARY KEY (tenant, model)
) WITH (fillfactor = 50);
ALTER TABLE retained ENABLE ROW LEVEL SECURITY;
COMMENT ON TABLE retained IS 'Up to when rows have been removed, because the settings keep them no longer: a row for each tenant and model of which something was. Moves on with each removal and never goes back; what comes of an older time is not written any more.';
COMMENT ON COLUMN retained.tenant IS 'Whose data it is; empty for what is nobody''s.';
COMMENT ON COLUMN retained.model IS 'sessions: they, their metrics, tasks and evidence, second_lives and player_days; event_log; quarantine; activity: activity_by_minute, worker_outcomes and outcomes; live: live_sessions.';
COMMENT ON COLUMN retained.before IS 'Nothing of the model is left that is older: by the end of a session, the minute of a count, the latest event of a running session, else by the time of arrival.';
COMMENT ON COLUMN retained.frozen_day IS 'The last day of which sessions may have been removed, whatever the time zone: daily_players keeps this day and those before it as they were. Null for other models than sessions. Unit: date.';

CREATE FUNCTION event_log_drop(day date) RETURNS boolean
    LANGUAGE plpgsql
    -- A writer may write rows but drop no tables, save these.
    SECURITY DEFINER
    SET search_path FROM CURRENT
AS $$
DECLARE
    name constant text := 'event_log_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'event_log'::regclass AND inhrelid = to_regclass(name)) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %I', name);
    RETURN true;
END $$;
COMMENT ON FUNCTION event_log_drop(date) IS 'Drops the table of a day of event_log with all that is in it; answers whether there was one.';
REVOKE EXECUTE ON FUNCTION event_log_drop(date) FROM PUBLIC;

CREATE OR REPLACE FUNCTION grant_access(grantee regrole, views regnamespace, writes boolean, tenant text) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER
    SET search_path FROM CURRENT
    -- Less than Postgres waits before it looks for a deadlock and ends one of the queries in it: this one gives way.
    SET lock_timeout = '500ms'
AS $$
DECLARE
    data constant regnamespace := current_schema()::regnamespace;
    policy constant text := CASE WHEN writes THEN 'writer_' ELSE 'reader_' END || md5(grantee || ' ' || coalesce(tenant, '*'));
    rule constant text := CASE WHEN tenant IS NULL THEN 'true' ELSE format('tenant = %L', tenant) END;
    rows_of regclass;
BEGIN
    IF tenant !~ '^[a-z0-9-]{1,40}$' THEN
        RAISE 'tenant % is no name of a tenant: 1 to 40 of a-z 0-9 -', quote_literal(tenant) USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR attempt IN 1..40 LOOP
        BEGIN
            -- What is granted already is left alone: this runs whenever a projector starts.
            IF (SELECT count(DISTINCT n.oid) FROM pg_namespace n, aclexplode(n.nspacl) a
                 WHERE n.oid IN (data, views) AND a.grantee = grant_access.grantee) < 2 THEN
                EXECUTE format('GRANT USAGE ON SCHEMA %s, %s TO %s', data, views, grantee);
            END IF;
            FOR rows_of IN
                SELECT c.oid::regclass FROM pg_class c
                 WHERE c.relnamespace = data AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relrowsecurity
                 ORDER BY c.oid
            LOOP
                IF NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = rows_of AND p.polname = policy) THEN
                    EXECUTE format('CREATE POLICY %I ON %s FOR %s TO %s USING (%s) %s', policy, rows_of,
                                   CASE WHEN writes THEN 'ALL' ELSE 'SELECT' END, grantee, rule,
                                   CASE WHEN writes THEN 'WITH CHECK (true)' END);
                END IF;
                IF NOT EXISTS (SELECT FROM pg_class c, aclexplode(c.relacl) a
                                WHERE c.oid = rows_of AND a.grantee = grant_access.grantee
                                  AND a.privilege_type = CASE WHEN writes THEN 'DELETE' ELSE 'SELECT' END) THEN
                    EXECUTE format('GRANT %s ON %s TO %s',
                                   CASE WHEN writes THEN 'SELECT, INSERT, UPDATE, DELETE' ELSE 'SELECT' END, rows_of, grantee);
                END IF;
            END LOOP;
            FOR rows_of IN
                SELECT v.oid::regclass FROM pg_class v
                 WHERE v.relnamespace = views AND v.relkind = 'v'
                   AND (tenant IS NULL
                     OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = v.oid AND a.attname = 'tenant'))
                   AND NOT EXISTS (SELECT FROM aclexplode(v.relacl) a WHERE a.grantee = grant_access.grantee)
            LOOP
                EXECUTE format('GRANT SELECT ON %s TO %s', rows_of, grantee);
            END LOOP;
            IF tenant IS NULL THEN
                EXECUTE format('GRANT SELECT%s ON offsets TO %s', CASE WHEN writes THEN ', INSERT, UPDATE, DELETE' END, grantee);
                EXECUTE format('GRANT SELECT ON _sqlx_migrations TO %s', grantee);
            END IF;
            IF writes THEN
                EXECUTE format('GRANT EXECUTE ON FUNCTION event_log_days(date[]), event_log_drop(date) TO %s', grantee);
            END IF;
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            IF attempt = 40 THEN
                RAISE;
            END IF;
        END;
        PERFORM pg_sleep(0.25);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION recount() RETURNS void
    LANGUAGE sql
    SET search_path FROM CURRENT
AS $$
    DELETE FROM players;
    INSERT INTO players (tenant, player_id, first_seen, last_seen, sessions, events, active_ms)
    SELECT tenant, player_id, min(started_at), max(ended_at), count(*), sum(event_count), sum(active_ms)
      FROM sessions
     WHERE kind = 'play'
     GROUP BY tenant, player_id;

    -- A first day whose sessions may be gone is known from these rows alone.
    WITH known AS (
        SELECT d.tenant, d.game, d.player_id, min(d.first_day) AS first_day
          FROM player_days d
          JOIN retained r ON r.tenant = d.tenant AND r.model = 'sessions' AND d.first_day <= r.frozen_day
         GROUP BY d.tenant, d.game, d.player_id
    )
    INSERT INTO player_days AS d (tenant, game, player_id, day, sessions, first_day)
    SELECT tenant, game, player_id, s.day, count(*),
           least(min(s.day) OVER (PARTITION BY tenant, game, player_id), k.first_day)
      FROM sessions s
      LEFT JOIN known k USING (tenant, game, player_id)
     WHERE s.day IS NOT NULL
     GROUP BY tenant, game, player_id, s.day, k.first_day
    ON CONFLICT (tenant, game, player_id, day) DO UPDATE SET sessions = excluded.sessions, first_day = excluded.first_day;
    DELETE FROM player_days d
     WHERE NOT EXISTS (SELECT FROM sessions s
                        WHERE s.tenant = d.tenant AND s.game = d.game AND s.player_id = d.player_id AND s.day = d.day);

    DELETE FROM daily_players p
     WHERE NOT EXISTS (SELECT FROM retained r WHERE r.tenant = p.tenant AND r.model = 'sessions' AND p.day <= r.frozen_day);
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
     WHERE NOT EXISTS (SELECT FROM retained r
                        WHERE r.tenant = shares.tenant AND r.model = 'sessions' AND shares.day <= r.frozen_day)
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
COMMENT ON FUNCTION recount() IS 'Makes players, player_days, daily_players and task_counts anew from sessions and session_tasks, as after rows were brought in by hand; days that are kept as they were (retained.frozen_day), and first days among them, stay. Reads all of them; no projector may write meanwhile.';

COMMENT ON TABLE players IS 'One row a player with a closed play session that is kept: what the latest revisions of those sessions come to.';
COMMENT ON COLUMN player_days.sessions IS 'Play sessions that the player started on that day and that are kept. Unit: count.';
COMMENT ON COLUMN player_days.first_day IS 'The first day on which the player played the game, the same in all of the player''s rows; known as long as one of them is kept. Unit: date in the game''s time zone.';
COMMENT ON TABLE daily_players IS 'Who played a game on each day, by the start of the session, and which of the day''s new players came back. Names nobody: a day stays when its sessions have been removed.';
COMMENT ON COLUMN daily_players.new IS 'Those of them who had never played the game before, as far as sessions were kept by then. Unit: count.';
COMMENT ON TABLE task_counts IS 'The sums behind task_stats: what all play sessions that are kept together did on each task.';

-- Most loads write many players of a page at once: with this room nearly all of these updates stay within the page.
ALTER TABLE players SET (fillfactor = 50);
