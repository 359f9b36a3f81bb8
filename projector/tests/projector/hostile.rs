//! A reader that means harm: everything it may try shows it no row and no value of another tenant.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::postgres::database;
use crate::roles::{Roles, fill, refused, tenants};
use crate::world::World;

#[tokio::test]
async fn a_hostile_reader_finds_no_way_around_its_policy() {
    let database = database().await;
    let world = World::new(&database).await;
    fill(&world).await;
    sqlx::raw_sql("ANALYZE").execute(&world.pool).await.unwrap();
    let mut roles = Roles::of(&database);
    let (reader, rival) = (roles.make("reader").await, roles.make("rival").await);
    roles.run(&format!("SELECT play.grant_reader('{reader}', 'acme'), play.grant_reader('{rival}', 'beta')")).await;
    let owner: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(&world.pool).await.unwrap();
    let mut reader_at = database.connect_as(&reader).await;
    let at = &mut reader_at;

    for role in [&rival, &owner] {
        refused(at, &format!("SET ROLE {role}")).await;
        refused(at, &format!("SELECT set_config('role', '{role}', false)")).await;
        refused(at, &format!("SET SESSION AUTHORIZATION {role}")).await;
        refused(at, &format!("GRANT {role} TO {reader}")).await;
    }
    for sql in [
        format!("SELECT play.grant_reader('{reader}', 'beta')"),
        format!("SELECT play.grant_reader_of_all_tenants('{reader}')"),
        format!("SELECT play.grant_writer('{reader}')"),
        format!("SELECT play_g1.grant_access('{reader}', 'play', false, NULL)"),
        "SELECT play_g1.event_log_days(ARRAY['2031-01-01'::date])".to_owned(),
        "CREATE POLICY mine ON play_g1.sessions USING (true)".to_owned(),
        "ALTER TABLE play_g1.sessions DISABLE ROW LEVEL SECURITY".to_owned(),
        "ALTER VIEW play.sessions SET (security_invoker = false)".to_owned(),
        "CREATE VIEW play.mine AS SELECT * FROM play.sessions".to_owned(),
        "CREATE FUNCTION play.mine() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT count(*) FROM play.sessions'".to_owned(),
        "DELETE FROM play.sessions".to_owned(),
        "UPDATE play_g1.sessions SET tenant = 'acme'".to_owned(),
        "INSERT INTO play_g1.players VALUES ('acme', 'x', now(), now(), 1, 1, 1)".to_owned(),
        "TRUNCATE play_g1.sessions".to_owned(),
        "SELECT * FROM play.sessions FOR UPDATE".to_owned(),
        "SELECT * FROM play_g1.event_log_20260105".to_owned(),
        "SELECT * FROM play_g1.event_log_other".to_owned(),
        "SELECT * FROM pg_statistic".to_owned(),
        "COPY play_g1.sessions TO PROGRAM 'cat'".to_owned(),
        "COPY play_g1.sessions TO '/tmp/playledger'".to_owned(),
        "SELECT pg_read_file('/etc/hostname')".to_owned(),
        "SELECT * FROM pg_catalog.pg_authid".to_owned(),
    ] {
        refused(at, &sql).await;
    }
    // Filtering off is an error, not a look behind it.
    sqlx::raw_sql("SET row_security = off").execute(&mut *at).await.unwrap();
    refused(at, "SELECT * FROM play.sessions").await;
    sqlx::raw_sql("RESET row_security").execute(&mut *at).await.unwrap();
    for setting in ["playledger.tenant", "app.tenant", "play.tenant"] {
        sqlx::raw_sql(AssertSqlSafe(format!("SELECT set_config('{setting}', 'beta', false)")))
            .execute(&mut *at)
            .await
            .unwrap();
    }
    sqlx::raw_sql("SET search_path = play_g1; SET default_transaction_read_only = off")
        .execute(&mut *at)
        .await
        .unwrap();

    only_acme(at).await;
    leaks_nothing(at).await;
    sqlx::raw_sql("DISCARD TEMP").execute(&mut *at).await.unwrap();
    drop(reader_at);
    roles.drop().await;
}

/// Every way to ask for rows gives those of acme.
async fn only_acme(at: &mut PgConnection) {
    for from in [
        "sessions WHERE tenant = 'beta' OR true",
        "play_g1.sessions TABLESAMPLE SYSTEM (100)",
        "play_g1.sessions WHERE ctid >= '(0,0)'",
        "(SELECT tenant FROM play.players UNION ALL SELECT tenant FROM play_g1.event_log) u",
        "(SELECT (jsonb_populate_record(NULL::play_g1.sessions, to_jsonb(s))).tenant FROM play.sessions s) j",
    ] {
        assert_eq!(tenants(at, from).await.unwrap(), [Some("acme".to_owned())], "{from}");
    }
    for source in ["play_g1.sessions", "(SELECT * FROM play_g1.event_log)", "(SELECT * FROM play.quarantine)"] {
        let copied = copy(at, &format!("COPY {source} TO STDOUT")).await;
        assert!(copied.contains("acme") && !copied.contains("beta"), "{source}: {copied}");
    }
    let players: Vec<i64> = sqlx::query_scalar("SELECT started FROM play.funnel('demo', ARRAY['L1', 'L2'])")
        .fetch_all(&mut *at)
        .await
        .unwrap();
    assert_eq!(players, [1, 1], "one of each tenant played");
    let players: Vec<i64> = sqlx::query_scalar("SELECT started FROM play.funnel('demo', ARRAY['L1'], 'beta')")
        .fetch_all(&mut *at)
        .await
        .unwrap();
    assert_eq!(players, [0]);
}

async fn copy(at: &mut PgConnection, sql: &str) -> String {
    use futures_util::TryStreamExt as _;
    let stream = at.copy_out_raw(sql).await.unwrap();
    let bytes: Vec<_> = stream.try_collect().await.unwrap();
    String::from_utf8(bytes.concat()).unwrap()
}

/// Nothing that a reader may define or look up is shown a row or a value of another tenant.
async fn leaks_nothing(at: &mut PgConnection) {
    sqlx::raw_sql(
        "CREATE TEMP TABLE heard (what text);
         CREATE FUNCTION pg_temp.overhear(what text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
             $$ BEGIN INSERT INTO pg_temp.heard VALUES (what); RETURN true; END $$;
         CREATE FUNCTION pg_temp.same(a text, b text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
             $$ BEGIN INSERT INTO pg_temp.heard VALUES (a); RETURN true; END $$;
         CREATE OPERATOR pg_temp.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.same, RESTRICT = eqsel);
         SELECT count(*) FROM play.sessions WHERE pg_temp.overhear(tenant);
         SELECT count(*) FROM play_g1.sessions WHERE tenant OPERATOR(pg_temp.===) 'x';
         SELECT count(*) FROM play.sessions s JOIN play.session_metrics m ON pg_temp.overhear(s.tenant) AND pg_temp.overhear(m.tenant);
         SELECT count(*) FROM play.event_log WHERE pg_temp.overhear(tenant);
         SELECT count(*) FROM play.task_stats WHERE pg_temp.overhear(tenant);
         SELECT count(*) FROM play.sessions WHERE 1 / (CASE WHEN tenant = 'beta' THEN 0 ELSE 1 END) = 1;
         CREATE TEMP VIEW through AS SELECT * FROM play.sessions WHERE pg_temp.overhear(tenant);
         SELECT count(*) FROM through;
         CREATE FUNCTION pg_temp.as_me() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS
             'SELECT count(*) FROM play.sessions WHERE pg_temp.overhear(tenant)';
         SELECT pg_temp.as_me()",
    )
    .execute(&mut *at)
    .await
    .unwrap();
    let heard: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT what FROM pg_temp.heard").fetch_all(&mut *at).await.unwrap();
    assert_eq!(heard, ["acme"]);
    let statistics = "SELECT count(*) FROM pg_stats WHERE schemaname LIKE 'play%'";
    let shown: i64 = sqlx::query_scalar(statistics).fetch_one(&mut *at).await.unwrap();
    assert_eq!(shown, 0, "most common values are others' values");
    let extended = "SELECT count(*) FROM pg_stats_ext WHERE schemaname LIKE 'play%'";
    assert_eq!(sqlx::query_scalar::<_, i64>(extended).fetch_one(&mut *at).await.unwrap(), 0);
}
