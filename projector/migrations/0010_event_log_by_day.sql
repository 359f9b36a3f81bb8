-- event_log by days of arrival: a day goes by dropping a table, and who asks for a day reads no other.

-- Whatever a session has made in pg_temp is found last by the function below.
SELECT set_config('search_path', current_schema() || ', pg_temp', true);

ALTER TABLE event_log RENAME TO event_log_whole;
ALTER INDEX event_log_pkey RENAME TO event_log_whole_pkey;

CREATE TABLE event_log (
    LIKE event_log_whole INCLUDING COMMENTS,
    PRIMARY KEY (tenant, session_id, partition, "offset", received_at)
) PARTITION BY RANGE (received_at);
COMMENT ON TABLE event_log IS 'One row an event as it lies in the events topic, repeats included; filled only by a projector with --event-log. Partitioned by day of received_at (UTC).';

CREATE TABLE event_log_other PARTITION OF event_log DEFAULT;
COMMENT ON TABLE event_log_other IS 'Events that belong to no day with a table of its own, as with a year that cannot be.';
DO $$
DECLARE
    name text;
    meaning text;
BEGIN
    FOR name, meaning IN
        SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
         WHERE attrelid = 'event_log'::regclass AND attnum > 0
    LOOP
        EXECUTE format('COMMENT ON COLUMN event_log_other.%I IS %L', name, meaning);
    END LOOP;
END $$;

CREATE FUNCTION event_log_days(days date[]) RETURNS bigint
    LANGUAGE plpgsql
    -- A writer may write rows but make no tables, save these.
    SECURITY DEFINER
    SET search_path FROM CURRENT
AS $$
DECLARE
    day date;
    name text;
    made bigint := 0;
    since text;
    until text;
BEGIN
    FOREACH day IN ARRAY days LOOP
        name := 'event_log_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN day NOT BETWEEN '2000-01-01' AND '2099-12-31' OR to_regclass(name) IS NOT NULL;
        -- Projectors that reach a new day at the same time make it one after the other.
        PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '/event_log_days', 0));
        -- Asked of the catalogue itself: what this session remembers of the name is older than the lock.
        CONTINUE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = name AND c.relnamespace = current_schema()::regnamespace);
        since := quote_literal(day::timestamp AT TIME ZONE 'UTC');
        until := quote_literal((day + 1)::timestamp AT TIME ZONE 'UTC');
        EXECUTE format('CREATE TABLE %I (LIKE event_log INCLUDING COMMENTS)', name);
        EXECUTE format('COMMENT ON TABLE %I IS %L', name, 'Events received on ' || day || ' (UTC).');
        EXECUTE format(
            'WITH moved AS (DELETE FROM event_log_other WHERE received_at >= %s AND received_at < %s RETURNING *)
             INSERT INTO %I SELECT * FROM moved',
            since, until, name);
        -- Attached, not made in place: that would wait for all who read or write the event log.
        EXECUTE format('ALTER TABLE event_log ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name, since, until);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION event_log_days(date[]) IS 'Makes the tables of these days of event_log where there are none yet, and answers how many it made; days outside of the years 2000 to 2099 get none.';
REVOKE EXECUTE ON FUNCTION event_log_days(date[]) FROM PUBLIC;

SELECT event_log_days(array_agg(DISTINCT (received_at AT TIME ZONE 'UTC')::date)) FROM event_log_whole HAVING count(*) > 0;
INSERT INTO event_log SELECT * FROM event_log_whole;

-- The view of that name shows the new table from here on; then nothing holds the old one.
DO $$
DECLARE
    shown regclass;
BEGIN
    FOR shown IN
        SELECT DISTINCT r.ev_class::regclass
          FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
         WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
           AND d.refobjid = 'event_log_whole'::regclass AND v.relname = 'event_log'
    LOOP
        EXECUTE format('CREATE OR REPLACE VIEW %s WITH (security_invoker = true) AS SELECT * FROM event_log', shown);
    END LOOP;
END $$;
DROP TABLE event_log_whole;
