-- Who may do what: the owner lays out, a writer writes rows, a reader reads the rows of its tenants. What a
-- reader sees hangs on its database role alone, by a policy made for that role; no setting, function or view
-- changes it. Without a policy a role sees nothing.

SELECT set_config('search_path', current_schema() || ', pg_temp', true);

ALTER TABLE sessions           ENABLE ROW LEVEL SECURITY;
ALTER TABLE session_metrics    ENABLE ROW LEVEL SECURITY;
ALTER TABLE session_tasks      ENABLE ROW LEVEL SECURITY;
ALTER TABLE players            ENABLE ROW LEVEL SECURITY;
ALTER TABLE player_days        ENABLE ROW LEVEL SECURITY;
ALTER TABLE daily_players      ENABLE ROW LEVEL SECURITY;
ALTER TABLE task_counts        ENABLE ROW LEVEL SECURITY;
ALTER TABLE skill_evidence     ENABLE ROW LEVEL SECURITY;
ALTER TABLE activity_by_minute ENABLE ROW LEVEL SECURITY;
ALTER TABLE worker_outcomes    ENABLE ROW LEVEL SECURITY;
ALTER TABLE outcomes           ENABLE ROW LEVEL SECURITY;
ALTER TABLE live_sessions      ENABLE ROW LEVEL SECURITY;
ALTER TABLE quarantine         ENABLE ROW LEVEL SECURITY;
ALTER TABLE second_lives       ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_log          ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION grant_access(grantee regrole, views regnamespace, writes boolean, tenant text) RETURNS void
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
                EXECUTE format('GRANT EXECUTE ON FUNCTION event_log_days(date[]) TO %s', grantee);
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
COMMENT ON FUNCTION grant_access(regrole, regnamespace, boolean, text) IS 'Lets a role read, or read and write, the rows of a tenant; of every tenant where it is null. The functions grant_reader, grant_reader_of_all_tenants and grant_writer beside the views call it.';

CREATE FUNCTION extend_access(source regnamespace, views regnamespace) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER
    SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM grant_access(p.polroles[1]::regrole, views, p.polname LIKE 'writer\_%',
                         substring(pg_get_expr(p.polqual, p.polrelid) FROM '''([a-z0-9-]+)'''))
       FROM pg_policy p
      WHERE p.polrelid = to_regclass(source || '.sessions') AND p.polname ~ '^(reader|writer)_';
END $$;
COMMENT ON FUNCTION extend_access(regnamespace, regnamespace) IS 'Gives the roles that may use the sessions of a generation the same rights to all tables of this one, and to all views.';

CREATE FUNCTION revoke_access(grantee regrole, views regnamespace) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER
    SET search_path FROM CURRENT
AS $$
DECLARE
    data constant regnamespace := current_schema()::regnamespace;
    policy name;
    rows_of regclass;
BEGIN
    -- First what takes no lock: from here on the role reads nothing.
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %s, %s FROM %s', data, views, grantee);
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA %s FROM %s', data, grantee);
    EXECUTE format('REVOKE USAGE ON SCHEMA %s, %s FROM %s', data, views, grantee);
    FOR policy, rows_of IN
        SELECT p.polname, p.polrelid::regclass FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
         WHERE c.relnamespace = data AND p.polroles = ARRAY[grantee::oid] AND p.polname ~ '^(reader|writer)_'
         ORDER BY c.oid
    LOOP
        EXECUTE format('DROP POLICY %I ON %s', policy, rows_of);
    END LOOP;
END $$;
COMMENT ON FUNCTION revoke_access(regrole, regnamespace) IS 'Takes from a role all that grant_access gave it.';
