-- What a generation is beside the one that is shown, and which of its rows the log could not give any more.

SELECT set_config('search_path', current_schema() || ', pg_temp', true);

CREATE TABLE generation (
    whole       boolean     PRIMARY KEY DEFAULT true CHECK (whole),
    made_by     text        NOT NULL,
    begun_at    timestamptz NOT NULL DEFAULT now(),
    shown_until timestamptz
);
COMMENT ON TABLE generation IS 'How this generation of the data came about: a row once a rebuild has begun to fill it or has put another in its place.';
COMMENT ON COLUMN generation.whole IS 'Always true: there is one row at most. Unit: yes/no.';
COMMENT ON COLUMN generation.made_by IS 'Release and settings that fill it; a rebuild by others begins anew.';
COMMENT ON COLUMN generation.begun_at IS 'When it was begun.';
COMMENT ON COLUMN generation.shown_until IS 'When the views went on to another generation; null while they have not.';

CREATE TABLE copied_rows (
    model   text        NOT NULL,
    tenant  text,
    row_key jsonb       NOT NULL,
    source  bigint      NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX copied_rows_key ON copied_rows (model, row_key);
ALTER TABLE copied_rows ENABLE ROW LEVEL SECURITY;
COMMENT ON TABLE copied_rows IS 'Rows that a rebuild took from the generation before, because the log has dropped the records that they came from. What was made of them since then (a newer revision) is not taken note of.';
COMMENT ON COLUMN copied_rows.model IS 'The table that holds the row.';
COMMENT ON COLUMN copied_rows.tenant IS 'Whose data it is; null where the row is nobody''s.';
COMMENT ON COLUMN copied_rows.row_key IS 'The row''s key, its columns by name.';
COMMENT ON COLUMN copied_rows.source IS 'Number of the generation that it was copied from. Unit: generation.';
COMMENT ON COLUMN copied_rows.at IS 'When it was copied.';

-- In every generation: a role that is turned away must not come back with a rollback.
CREATE OR REPLACE FUNCTION revoke_access(grantee regrole, views regnamespace) RETURNS void
    LANGUAGE plpgsql SECURITY INVOKER
    SET search_path FROM CURRENT
AS $$
DECLARE
    data regnamespace;
    policy name;
    rows_of regclass;
BEGIN
    FOR data IN
        SELECT n.oid::regnamespace FROM pg_namespace n WHERE n.nspname ~ ('^' || views::text || '_g[0-9]+$') ORDER BY n.oid
    LOOP
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
    END LOOP;
END $$;
COMMENT ON FUNCTION revoke_access(regrole, regnamespace) IS 'Takes from a role all that grant_access gave it, in every generation that there is.';
