-- Rows that cost less to write: a session's evidence in one row, tasks that a newer revision leaves alone.
-- docs/decisions/0020 says what was measured.

SELECT set_config('search_path', current_schema() || ', pg_temp', true);

CREATE TABLE session_evidence (
    tenant        text               NOT NULL,
    session_id    uuid               NOT NULL,
    skill         text[]             NOT NULL,
    source        text[]             NOT NULL,
    signal        text[]             NOT NULL,
    ordinal       bigint[]           NOT NULL,
    successes     double precision[] NOT NULL,
    opportunities double precision[] NOT NULL,
    weight        double precision[] NOT NULL,
    at            timestamptz[]      NOT NULL,
    PRIMARY KEY (tenant, session_id)
) WITH (fillfactor = 75);
ALTER TABLE session_evidence ENABLE ROW LEVEL SECURITY;

COMMENT ON TABLE session_evidence IS 'The evidence of skills that each session yields, its pieces side by side in arrays of one length; skill_evidence has a row for each.';
COMMENT ON COLUMN session_evidence.tenant IS 'Whose data it is.';
COMMENT ON COLUMN session_evidence.session_id IS 'The session that yielded it.';
COMMENT ON COLUMN session_evidence.skill IS 'Of each piece the skill: empathy, adaptability, problem_solving, self_regulation, resilience, communication or collaboration.';
COMMENT ON COLUMN session_evidence.source IS 'Of each piece who says so: game, transcript or teacher.';
COMMENT ON COLUMN session_evidence.signal IS 'Of each piece what it was read from; for evidence from outside the game the source''s own name.';
COMMENT ON COLUMN session_evidence.ordinal IS 'Counts pieces of the same session, skill, source and signal, from 0.';
COMMENT ON COLUMN session_evidence.successes IS 'Of each piece the successes among the opportunities; a fraction for evidence from outside the game. Unit: count.';
COMMENT ON COLUMN session_evidence.opportunities IS 'Of each piece the opportunities to show the skill. Unit: count.';
COMMENT ON COLUMN session_evidence.weight IS 'Of each piece what one opportunity weighs. Unit: ratio.';
COMMENT ON COLUMN session_evidence.at IS 'Of each piece when, on the client''s own clock.';

INSERT INTO session_evidence (tenant, session_id, skill, source, signal, ordinal, successes, opportunities, weight, at)
SELECT tenant, session_id, array_agg(skill ORDER BY e), array_agg(source ORDER BY e), array_agg(signal ORDER BY e),
       array_agg(ordinal ORDER BY e), array_agg(successes ORDER BY e), array_agg(opportunities ORDER BY e),
       array_agg(weight ORDER BY e), array_agg(at ORDER BY e)
  FROM skill_evidence e
 GROUP BY tenant, session_id;

-- Who may read or write the one may do the same with the other.
DO $$
DECLARE
    grantee regrole;
    tenant text;
    writes boolean;
    policy name;
BEGIN
    FOR policy, grantee, writes, tenant IN
        SELECT p.polname, p.polroles[1]::regrole, p.polname LIKE 'writer\_%', pg_get_expr(p.polqual, p.polrelid)
          FROM pg_policy p WHERE p.polrelid = 'skill_evidence'::regclass AND p.polname ~ '^(reader|writer)_'
    LOOP
        EXECUTE format('CREATE POLICY %I ON session_evidence FOR %s TO %s USING (%s) %s', policy,
                       CASE WHEN writes THEN 'ALL' ELSE 'SELECT' END, grantee, tenant, CASE WHEN writes THEN 'WITH CHECK (true)' END);
        EXECUTE format('GRANT %s ON session_evidence TO %s',
                       CASE WHEN writes THEN 'SELECT, INSERT, UPDATE, DELETE' ELSE 'SELECT' END, grantee);
    END LOOP;
END $$;

-- The views show the new tables from here on; then nothing holds the old ones.
DO $$
DECLARE
    shown regclass;
    old record;
BEGIN
    FOR old IN SELECT * FROM (VALUES
        ('skill_evidence',
         'SELECT s.tenant, s.session_id, e.skill, e.source, e.signal, e.ordinal, s.game, s.player_id, s.revision,
                 e.successes, e.opportunities, e.weight, e.at
            FROM session_evidence p
            JOIN sessions s USING (tenant, session_id)
           CROSS JOIN LATERAL unnest(p.skill, p.source, p.signal, p.ordinal, p.successes, p.opportunities, p.weight, p.at)
                 AS e (skill, source, signal, ordinal, successes, opportunities, weight, at)'),
        ('session_tasks',
         'SELECT t.tenant, t.session_id, t.ordinal, t.game, t.player_id, s.revision, t.task_id, t.starts, t.completions,
                 t.abandons, t.attempts, t.successes, t.hints, t.spent_ms, t.first_try
            FROM session_tasks t
            LEFT JOIN sessions s USING (tenant, session_id)')
        ) AS views (name, query)
    LOOP
        FOR shown IN
            SELECT DISTINCT r.ev_class::regclass
              FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
             WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
               AND d.refobjid = to_regclass(old.name) AND v.relname = old.name
        LOOP
            EXECUTE format('CREATE OR REPLACE VIEW %s WITH (security_invoker = true) AS %s', shown, old.query);
        END LOOP;
    END LOOP;
END $$;
DROP TABLE skill_evidence;

-- The session's; a task's row need not be written anew for it.
ALTER TABLE session_tasks DROP COLUMN revision;
COMMENT ON TABLE session_tasks IS 'One row for each task that a play session touched.';
