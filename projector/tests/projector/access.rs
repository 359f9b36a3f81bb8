//! What a role may do: a reader sees its tenants' rows and no way around that, a writer writes, and neither lays out.

use std::time::Duration;

use projector::Config;
use projector::store::Store;
use schemas::topics::Topic;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use uuid::Uuid;

use crate::postgres::{Database, database};
use crate::records::{SESSION, activity, event, live, outcome, report, set_aside, with};
use crate::world::{Given, World, config};

/// Roles of one test; they belong to the whole server, so they go when the test does.
pub(crate) struct Roles<'a> {
    database: &'a Database,
    names: Vec<String>,
}

impl<'a> Roles<'a> {
    pub(crate) fn of(database: &'a Database) -> Self {
        Self { database, names: Vec::new() }
    }

    /// Makes a role that may log in.
    pub(crate) async fn make(&mut self, name: &str) -> String {
        let database = self.database.options().get_database().unwrap().to_owned();
        let name = format!("{database}_{name}");
        self.run(&format!("CREATE ROLE {name} LOGIN PASSWORD 'x'")).await;
        self.names.push(name.clone());
        name
    }

    pub(crate) async fn run(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.database.pool).await.unwrap();
    }

    pub(crate) async fn drop(self) {
        for name in &self.names {
            self.run(&format!("SELECT play.revoke_role('{name}'); DROP ROLE {name}")).await;
        }
    }
}

impl Database {
    fn options(&self) -> PgConnectOptions {
        self.url.parse().unwrap()
    }

    /// Address of this database for another role.
    pub(crate) fn options_of(&self, role: &str) -> PgConnectOptions {
        self.options().username(role).password("x")
    }

    async fn connect_as(&self, role: &str) -> PgConnection {
        self.options_of(role).connect().await.unwrap()
    }
}

/// Rows of tenants acme and beta in every table, and a record of nobody's in the quarantine.
async fn fill(world: &World) {
    let tenants =
        |value: serde_json::Value| ["acme", "beta"].map(|tenant| with(value.clone(), "/tenant", json!(tenant)));
    let mut feed = world.claim(Topic::Sessions, 0).await;
    let second = with(report(SESSION, 2), "/provenance/first_offset", json!(9_000));
    world.tell(&mut feed, &tenants(report(SESSION, 1))).await;
    world.tell(&mut feed, &tenants(second)).await;
    let mut feed = world.claim(Topic::Live, 0).await;
    world.tell(&mut feed, &tenants(live(Uuid::from_u128(9), 1))).await;
    let mut feed = world.claim(Topic::Activity, 0).await;
    world.tell(&mut feed, &tenants(activity(&json!({"task.started": 1})))).await;
    let mut feed = world.claim(Topic::Outcomes, 0).await;
    world.tell(&mut feed, &tenants(outcome(&json!({"accepted": 1})))).await;
    let mut feed = world.claim(Topic::Quarantine, 0).await;
    let beta = Given { key: "beta/demo".to_owned(), ..set_aside() };
    world.write(&mut feed, vec![set_aside(), beta, Given::bytes(b"nobody's")]).await;
    let mut feed = world.claim(Topic::Events, 0).await;
    let ours = event(1, 0, "{}");
    let theirs = String::from_utf8(ours.value.clone().unwrap()).unwrap().replace("acme", "beta");
    world.write(&mut feed, vec![ours, Given::bytes(theirs.as_bytes())]).await;
}

/// Everything in both schemas that has a tenant.
const RELATIONS: &str = "
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'
     WHERE c.relnamespace IN (to_regnamespace('play'), to_regnamespace('play_g1')) AND c.relkind IN ('r', 'p', 'v')
       AND NOT c.relispartition ORDER BY 1";

/// The tenants that a connection sees in a relation or a query.
async fn tenants(connection: &mut PgConnection, from: &str) -> Result<Vec<Option<String>>, sqlx::Error> {
    let sql = AssertSqlSafe(format!("SELECT DISTINCT tenant FROM {from} ORDER BY 1"));
    sqlx::query_scalar(sql).fetch_all(connection).await
}

async fn refused(connection: &mut PgConnection, sql: &str) {
    let outcome = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    let error = outcome.map(|_| ()).unwrap_err();
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned();
    assert!(matches!(&*code, "42501" | "22023"), "{sql}: {error}");
}

#[tokio::test]
async fn a_reader_sees_the_rows_of_its_tenants_in_every_table_and_view_and_no_others() {
    let database = database().await;
    let world = World::new(&database).await;
    fill(&world).await;
    let mut roles = Roles::of(&database);
    let (one, two) = (roles.make("one").await, roles.make("two").await);
    let (all, none) = (roles.make("all").await, roles.make("none").await);
    roles.run(&format!("SELECT play.grant_reader('{one}', 'acme'), play.grant_reader('{two}', 'acme')")).await;
    roles.run(&format!("SELECT play.grant_reader('{two}', 'beta'), play.grant_reader_of_all_tenants('{all}')")).await;
    let relations: Vec<String> = sqlx::query_scalar(RELATIONS).fetch_all(&world.pool).await.unwrap();
    assert!(relations.len() >= 30, "{relations:?}");
    let some = |names: &[&str]| names.iter().map(|name| Some((*name).to_owned())).collect::<Vec<_>>();
    for (role, expected) in [(&one, some(&["acme"])), (&two, some(&["acme", "beta"]))] {
        let mut connection = database.connect_as(role).await;
        for relation in &relations {
            assert_eq!(tenants(&mut connection, relation).await.unwrap(), expected, "{relation}");
        }
        assert!(tenants(&mut connection, "play.offsets").await.is_err(), "what is nobody's is no reader's");
    }
    let mut connection = database.connect_as(&all).await;
    let everybody = [some(&["acme", "beta"]), vec![None]].concat();
    assert_eq!(tenants(&mut connection, "play.quarantine").await.unwrap(), everybody);
    sqlx::query("SELECT * FROM play.offsets").fetch_all(&mut connection).await.unwrap();
    let mut connection = database.connect_as(&none).await;
    for relation in &relations {
        assert!(tenants(&mut connection, relation).await.is_err(), "{relation}");
    }
    drop(connection);

    roles.run(&format!("SELECT play.revoke_role('{one}')")).await;
    let mut connection = database.connect_as(&one).await;
    assert!(tenants(&mut connection, "play.sessions").await.is_err());
    assert_eq!(world.count(&format!("SELECT count(*) FROM pg_policies WHERE roles = ARRAY['{one}'::name]")).await, 0);
    drop(connection);
    roles.drop().await;
}

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

#[tokio::test]
async fn a_writer_fills_tables_that_it_may_not_lay_out() {
    let database = database().await;
    let owned = World::new(&database).await;
    let mut roles = Roles::of(&database);
    let writer = roles.make("writer").await;
    roles.run(&format!("SELECT play.grant_writer('{writer}')")).await;
    let url = database.options_of(&writer).to_url_lossy().to_string();
    let as_writer = Config { database_url: url, ..config(&database) };
    let world = World::of(&database, as_writer.clone()).await;
    fill(&world).await;
    for relation in sqlx::query_scalar::<_, String>(RELATIONS).fetch_all(&owned.pool).await.unwrap() {
        assert!(owned.count(&format!("SELECT count(*) FROM {relation}")).await > 1, "{relation}");
    }
    let mut connection = database.connect_as(&writer).await;
    refused(&mut connection, "ALTER TABLE play_g1.sessions ADD COLUMN mine text").await;
    refused(&mut connection, "CREATE TABLE play_g1.mine ()").await;
    drop(connection);

    // Tables of another release: it says so and writes nothing.
    roles.run("DELETE FROM play_g1._sqlx_migrations WHERE version = 11").await;
    let error = Store::open(&as_writer).await.unwrap_err().to_string();
    assert!(error.contains("older release") && error.contains("11") && error.contains("owner"), "{error}");
    roles.run("INSERT INTO play_g1._sqlx_migrations (version, description, success, checksum, execution_time) VALUES (11, '', true, '', 0), (9000, '', true, '', 0)").await;
    let error = Store::open(&as_writer).await.unwrap_err().to_string();
    assert!(error.contains("newer projector") && error.contains("9000"), "{error}");
    roles.drop().await;
}

#[tokio::test]
async fn what_comes_later_is_open_to_the_roles_that_were_there_before() {
    let database = database().await;
    let world = World::new(&database).await;
    let mut roles = Roles::of(&database);
    let (reader, writer) = (roles.make("reader").await, roles.make("writer").await);
    roles.run(&format!("SELECT play.grant_reader('{reader}', 'acme'), play.grant_writer('{writer}')")).await;
    // As by a later migration and later views.
    roles
        .run(
            "CREATE TABLE play_g1.later (tenant text, n bigint);
             COMMENT ON TABLE play_g1.later IS 'Later.'; COMMENT ON COLUMN play_g1.later.tenant IS 'Whose.';
             ALTER TABLE play_g1.later ENABLE ROW LEVEL SECURITY;
             INSERT INTO play_g1.later VALUES ('acme', 1), ('beta', 2);
             CREATE VIEW play.later WITH (security_invoker = true) AS SELECT * FROM play_g1.later",
        )
        .await;
    let mut connection = database.connect_as(&reader).await;
    assert!(tenants(&mut connection, "play.later").await.is_err());
    Store::open(&config(&database)).await.unwrap();
    assert_eq!(tenants(&mut connection, "play.later").await.unwrap(), [Some("acme".to_owned())]);
    let mut connection = database.connect_as(&writer).await;
    sqlx::query("INSERT INTO play_g1.later VALUES ('gamma', 3)").execute(&mut connection).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM play.later").await, 3);
    drop(connection);
    roles.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_waits_for_queries_under_way_and_ends_none_of_them() {
    let database = database().await;
    let world = World::new(&database).await;
    let mut roles = Roles::of(&database);
    let reader = roles.make("reader").await;
    let mut busy = PgConnection::connect(&database.url).await.unwrap();
    let mut reading = busy.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM play.sessions").execute(&mut *reading).await.unwrap();
    let read_on = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        // The order in which a deadlock would have come about.
        sqlx::query("SELECT count(*) FROM play.session_metrics, play.players").execute(&mut *reading).await.unwrap();
        reading.commit().await.unwrap();
    };
    let grant = format!("SELECT play.grant_reader('{reader}', 'acme')");
    tokio::join!(roles.run(&grant), read_on);
    let mut connection = database.connect_as(&reader).await;
    assert!(tenants(&mut connection, "play.sessions").await.unwrap().is_empty());
    assert_eq!(world.count("SELECT count(*) FROM play.sessions").await, 0);
    drop(connection);
    roles.drop().await;
}

#[tokio::test]
async fn a_start_leaves_alone_what_is_granted_already() {
    let database = database().await;
    let world = World::new(&database).await;
    let mut roles = Roles::of(&database);
    let reader = roles.make("reader").await;
    roles.run(&format!("SELECT play.grant_reader('{reader}', 'acme')")).await;
    let catalogue = "SELECT relname, xmin::text AS of FROM pg_class
                      WHERE relnamespace IN ('play'::regnamespace, 'play_g1'::regnamespace) ORDER BY 1";
    let before = world.rows(catalogue).await;
    Store::open(&config(&database)).await.unwrap();
    assert_eq!(world.rows(catalogue).await, before);
    roles.drop().await;
}
