//! Database roles of a test, rows of two tenants for them to look at, and what they see.

use schemas::topics::Topic;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use uuid::Uuid;

use crate::postgres::Database;
use crate::records::{SESSION, activity, event, live, outcome, report, set_aside, with};
use crate::world::{Given, World};

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

    pub(crate) async fn connect_as(&self, role: &str) -> PgConnection {
        self.options_of(role).connect().await.unwrap()
    }
}

/// Rows of tenants acme and beta in every table, and a record of nobody's in the quarantine.
pub(crate) async fn fill(world: &World) {
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
    // As a rebuild marks them.
    let copied = "INSERT INTO play_g1.copied_rows (model, tenant, row_key, source)
                  SELECT 'sessions', tenant, jsonb_build_object('tenant', tenant), 0 FROM unnest(ARRAY['acme', 'beta']) tenant";
    sqlx::query(copied).execute(&world.pool).await.unwrap();
    let retained = "INSERT INTO play_g1.retained SELECT tenant, 'sessions', '2020-01-01', NULL FROM unnest(ARRAY['acme', 'beta']) tenant";
    sqlx::query(retained).execute(&world.pool).await.unwrap();
}

/// Everything in both schemas that has a tenant.
pub(crate) const RELATIONS: &str = "
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'
     WHERE c.relnamespace IN (to_regnamespace('play'), to_regnamespace('play_g1')) AND c.relkind IN ('r', 'p', 'v')
       AND NOT c.relispartition ORDER BY 1";

/// The tenants that a connection sees in a relation or a query.
pub(crate) async fn tenants(connection: &mut PgConnection, from: &str) -> Result<Vec<Option<String>>, sqlx::Error> {
    let sql = AssertSqlSafe(format!("SELECT DISTINCT tenant FROM {from} ORDER BY 1"));
    sqlx::query_scalar(sql).fetch_all(connection).await
}

pub(crate) async fn refused(connection: &mut PgConnection, sql: &str) {
    let outcome = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    let error = outcome.map(|_| ()).unwrap_err();
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned();
    assert!(matches!(&*code, "42501" | "22023"), "{sql}: {error}");
}
