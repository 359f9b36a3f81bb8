//! What a role may do: a reader sees its tenants' rows and no way around that, a writer writes, and neither lays out.

use std::time::Duration;

use projector::Config;
use projector::store::Store;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::postgres::database;
use crate::roles::{RELATIONS, Roles, fill, refused, tenants};
use crate::world::{World, config};

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

#[tokio::test]
async fn a_grant_without_a_sound_tenant_gives_nothing() {
    let database = database().await;
    let world = World::new(&database).await;
    let mut roles = Roles::of(&database);
    let reader = roles.make("reader").await;
    let mut owner = PgConnection::connect(&database.url).await.unwrap();
    for tenant in ["", "Acme", "acme' OR true OR tenant = '", "*", "a tenant"] {
        refused(&mut owner, &format!("SELECT play.grant_reader('{reader}', '{}')", tenant.replace('\'', "''"))).await;
    }
    roles.run(&format!("SELECT play.grant_reader('{reader}', NULL)")).await;
    assert_eq!(world.count("SELECT count(*) FROM pg_policies WHERE schemaname = 'play_g1'").await, 0);
    let mut connection = database.connect_as(&reader).await;
    assert!(tenants(&mut connection, "play.sessions").await.is_err());
    drop(connection);
    roles.drop().await;
}
