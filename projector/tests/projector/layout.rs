//! What lies in the database after a projector has opened it.

use projector::store::Store;
use schemas::metrics::DEFINITIONS;
use sqlx::Row as _;

use crate::postgres::database;
use crate::world::config;

#[tokio::test]
async fn every_table_view_column_and_function_says_what_it_is() {
    let database = database().await;
    Store::open(&config(&database)).await.unwrap();
    let bare: Vec<String> = sqlx::query_scalar(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname IN ('play', 'play_g1') AND c.relkind IN ('r', 'p', 'v')
            AND coalesce(obj_description(c.oid, 'pg_class'), '') = ''
         UNION ALL
         SELECT n.nspname || '.' || c.relname || '.' || a.attname
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
          WHERE n.nspname IN ('play', 'play_g1') AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped
            AND coalesce(col_description(c.oid, a.attnum), '') = ''
         UNION ALL
         SELECT p.proname FROM pg_proc p WHERE p.pronamespace IN (to_regnamespace('play'), to_regnamespace('play_g1'))
            AND coalesce(obj_description(p.oid, 'pg_proc'), '') = ''",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert_eq!(bare, Vec::<String>::new());
}

#[tokio::test]
async fn a_number_says_its_unit() {
    let database = database().await;
    Store::open(&config(&database)).await.unwrap();
    let unitless: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname || '.' || a.attname
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
          WHERE c.relnamespace = to_regnamespace('play') AND a.attnum > 0
            AND a.atttypid IN ('bigint'::regtype, 'double precision'::regtype, 'boolean'::regtype)
            AND a.attname !~ '(partition|offset|revision|version|ordinal|epoch|seq)$'
            AND col_description(c.oid, a.attnum) !~ ' Unit: .+\\.$'",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert_eq!(unitless, Vec::<String>::new());
}

#[tokio::test]
async fn session_metrics_has_a_column_for_each_metric_with_its_meaning() {
    let database = database().await;
    Store::open(&config(&database)).await.unwrap();
    let rows = sqlx::query(
        "SELECT a.attname::text, format_type(a.atttypid, NULL), col_description(a.attrelid, a.attnum)
           FROM pg_attribute a WHERE a.attrelid = 'play.session_metrics'::regclass AND a.attnum > 0 ORDER BY a.attnum",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    let columns: Vec<(String, String, String)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let keys: Vec<&str> = columns[..4].iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(keys, ["tenant", "session_id", "metrics_version", "revision"]);
    assert_eq!(columns.len(), 4 + DEFINITIONS.len());
    for ((name, kind, comment), definition) in columns[4..].iter().zip(DEFINITIONS) {
        assert_eq!(name, definition.name);
        assert_eq!(*comment, format!("{} Unit: {}.", definition.meaning, definition.unit));
        let expected = match definition.unit {
            "yes/no" => "boolean",
            "count" => "bigint",
            _ if name.ends_with("_ms") && !name.starts_with("mean_") && !name.starts_with("sd_") => "bigint",
            _ => "double precision",
        };
        assert_eq!(kind, expected, "{name}");
    }
}

#[tokio::test]
async fn the_schema_of_the_views_holds_views_and_functions_only_with_their_readers_rights() {
    let database = database().await;
    Store::open(&config(&database)).await.unwrap();
    let strangers: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace('play')
            AND (relkind <> 'v' OR NOT coalesce(reloptions @> ARRAY['security_invoker=true'], false))
         UNION ALL
         SELECT proname::text FROM pg_proc WHERE pronamespace = to_regnamespace('play') AND prosecdef
         UNION ALL
         SELECT proname::text FROM pg_proc WHERE pronamespace = to_regnamespace('play_g1') AND prosecdef
            AND has_function_privilege('public', oid, 'EXECUTE')",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert_eq!(strangers, Vec::<String>::new());
}

#[tokio::test]
async fn opening_again_and_at_once_changes_nothing() {
    let database = database().await;
    let config = config(&database);
    let (one, two) = tokio::join!(Store::open(&config), Store::open(&config));
    one.unwrap();
    two.unwrap();
    let digest = "SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_class
                   WHERE relnamespace IN (to_regnamespace('play'), to_regnamespace('play_g1'))";
    let before: String = sqlx::query_scalar(digest).fetch_one(&database.pool).await.unwrap();
    Store::open(&config).await.unwrap();
    let after: String = sqlx::query_scalar(digest).fetch_one(&database.pool).await.unwrap();
    assert_eq!(before, after);
}

#[tokio::test]
async fn an_older_projector_refuses_newer_tables_and_says_so() {
    let database = database().await;
    let config = config(&database);
    Store::open(&config).await.unwrap();
    sqlx::query(
        "INSERT INTO play_g1._sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'of a later release', true, '\\x00', 0)",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let error = Store::open(&config).await.unwrap_err().to_string();
    assert!(error.contains("newer projector") && error.contains("9000") && error.contains("upgrade"), "{error}");
}

#[tokio::test]
async fn two_schemas_in_one_database_do_not_meet() {
    let database = database().await;
    let mut config = config(&database);
    Store::open(&config).await.unwrap();
    config.schema = "games".parse().unwrap();
    Store::open(&config).await.unwrap();
    let shown: String = sqlx::query_scalar("SELECT pg_get_viewdef('games.sessions'::regclass)")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert!(shown.contains("games_g1.sessions"), "{shown}");
}
