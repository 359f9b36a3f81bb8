//! From the tables of each release to today's, with rows in them.

use std::borrow::Cow;

use projector::store::Store;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::postgres::{Database, database};
use crate::recount::assert_recounts;
use crate::world::{World, config};

static ALL: Migrator = sqlx::migrate!("./migrations");
/// The views as they were when this was the newest migration.
const RELEASED_VIEWS: [(i64, &str); 1] = [(7, include_str!("released/views_0007.sql"))];

/// Rows of the first release that had all tables: 300 sessions of 40 players in 3 games, 60 of them evidence.
const ROWS: &str = "
    INSERT INTO sessions (tenant, session_id, game, player_id, kind, revision, status, close_reason, started_at, ended_at,
                          event_count, active_ms, complete, anomalous, flags, facts_sha256, partition, first_offset, last_offset,
                          repeats, client_started_at, client_ended_at, worker, reported_at)
    SELECT CASE i % 4 WHEN 0 THEN 'beta' ELSE 'acme' END, md5('s' || i)::uuid, 'game-' || i % 3, 'p-' || i % 40,
           CASE i % 5 WHEN 0 THEN 'evidence' ELSE 'play' END, 1, 'final', 'completed', at, at + interval '10 min', i, 10 * i,
           true, false, '[]', 'ab', 0, i, i, 0, at, at, '0.1.0', at
      FROM generate_series(1, 300) i, LATERAL (SELECT timestamptz '2026-01-01 05:00Z' + i % 45 * interval '19 hours' AS at) t;
    INSERT INTO session_tasks
    SELECT tenant, session_id, task, game, player_id, 1, 'L' || task, 1, event_count % 2, event_count % 3, event_count % 5, event_count % 2,
           event_count % 4, nullif(event_count % 2 * event_count * 7, 0), NULL
      FROM sessions, generate_series(0, 2) task WHERE kind = 'play';
    INSERT INTO players
    SELECT tenant, player_id, min(started_at), max(ended_at), count(*), sum(event_count), sum(active_ms)
      FROM sessions WHERE kind = 'play' GROUP BY 1, 2;
    INSERT INTO session_metrics (tenant, session_id, metrics_version, revision, duration_ms, active_ms, idle_ms, paused_ms, longest_focus_ms,
           longest_idle_ms, distractions, tasks_started, tasks_completed, tasks_abandoned, attempts, successes, failures, retries, failure_runs,
           wheel_spinning_tasks, hints, choices, leadership_choices, questions, dialogues, dialogue_rereads, messages_sent, help_given,
           help_received, turns, event_count, out_of_order, anomalous)
    SELECT tenant, session_id, 1, 1, 1, active_ms, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, event_count, 0, false
      FROM sessions;
    INSERT INTO skill_evidence SELECT tenant, session_id, 'resilience', 'game', 'recovered', 0, game, player_id, 1, 1, 2, 0.5, started_at FROM sessions;
    INSERT INTO activity_by_minute VALUES ('acme', 'game-1', '2026-01-01 05:00Z', 'task.started', 7);
    INSERT INTO worker_outcomes VALUES ('acme', 'game-1', '2026-01-01 05:00Z', 'applied', 7);
    INSERT INTO outcomes VALUES ('acme', 'game-1', '2026-01-01 05:00Z', 'accepted', 7);
    INSERT INTO live_sessions VALUES ('acme', md5('live')::uuid, 'game-1', 'p-1', now(), now(), 3, 1);
    INSERT INTO quarantine (partition, \"offset\", tenant, game, reason, raw, received_at) VALUES (0, 5, 'acme', 'game-1', 'late', '\\x00', now());
    INSERT INTO offsets VALUES ('read_models', 'play.sessions', 'one', 0, 300, 4);
    INSERT INTO event_log
    SELECT tenant, session_id, 0, event_count, game, player_id, 0, md5('e' || event_count)::uuid, 'task.started', started_at, started_at, '{\"a\": 1}'
      FROM sessions";

/// Lays out the tables as the release did whose newest migration is `last`.
async fn release(database: &Database, last: i64) {
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let run = async |connection: &mut PgConnection, sql: String| {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
    };
    run(&mut connection, "CREATE SCHEMA play; CREATE SCHEMA play_g1; SET search_path = play_g1".to_owned()).await;
    let known = ALL.iter().filter(|migration| migration.version <= last).cloned().collect();
    let migrator = Migrator { migrations: Cow::Owned(known), ..Migrator::DEFAULT };
    migrator.run_direct(None, &mut connection, false).await.unwrap();
    for (_, views) in RELEASED_VIEWS.iter().filter(|(version, _)| *version <= last) {
        let views = views.replace(":\"views\"", "play").replace(":\"data\"", "play_g1");
        run(&mut connection, views.replace(":generation", "1").replace(":'digest'", "'of a release'")).await;
    }
    run(&mut connection, ROWS.to_owned()).await;
    connection.close().await.unwrap();
}

#[tokio::test]
async fn tables_of_every_release_are_brought_to_this_one_with_their_rows() {
    let all = i64::try_from(ALL.iter().count()).unwrap();
    for (last, _) in RELEASED_VIEWS {
        let database = database().await;
        release(&database, last).await;
        let world = World::new(&database).await;
        let versions = world.count("SELECT count(*) FROM play_g1._sqlx_migrations WHERE success").await;
        assert_eq!(versions, all);
        assert_recounts(&world, &format!("after an upgrade from {last}")).await;
        for (table, rows) in [
            ("sessions", 300),
            ("session_metrics", 300),
            ("session_tasks", 720),
            ("skill_evidence", 300),
            ("behavioral_features", 240),
            ("event_log", 300),
            ("activity_by_minute", 1),
            ("worker_outcomes", 1),
            ("outcomes", 1),
            ("live_sessions", 1),
            ("quarantine", 1),
            ("offsets", 1),
        ] {
            assert_eq!(world.count(&format!("SELECT count(*) FROM play.{table}")).await, rows, "{table}");
        }
        let days = world.count("SELECT sum(sessions) FROM play.daily_players").await;
        assert_eq!(days, 240, "evidence is no play");
    }
}

/// A view, and its rows in the columns that it had then.
type Shown = (String, String, Vec<serde_json::Value>);

/// What the views of the first release show, each by the columns that it has there.
async fn shown(database: &Database) -> Vec<Shown> {
    // But for the count of claims: a change of the tables takes every claim away.
    let columns = "SELECT table_name::text, string_agg(format('%I', column_name), ', ' ORDER BY ordinal_position)
                     FROM information_schema.columns
                    WHERE table_schema = 'play' AND (table_name, column_name) <> ('offsets', 'epoch')
                    GROUP BY 1 ORDER BY 1";
    let views: Vec<(String, String)> = sqlx::query_as(columns).fetch_all(&database.pool).await.unwrap();
    let mut shown = Vec::new();
    for (view, columns) in views {
        let rows = rows(database, &view, &columns).await;
        shown.push((view, columns, rows));
    }
    shown
}

async fn rows(database: &Database, view: &str, columns: &str) -> Vec<serde_json::Value> {
    let sql = format!("SELECT to_jsonb(r) FROM (SELECT {columns} FROM play.{view}) r ORDER BY 1");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&database.pool).await.unwrap()
}

#[tokio::test]
async fn views_of_the_first_release_show_the_same_rows_after_every_step_to_this_one() {
    let (first, _) = RELEASED_VIEWS[0];
    let newest = ALL.iter().map(|migration| migration.version).max().unwrap();
    for last in first..newest {
        let database = database().await;
        release(&database, first).await;
        let before = shown(&database).await;
        assert!(before.iter().all(|(_, _, rows)| !rows.is_empty()), "a view without rows proves nothing");
        // As releases between that one and this one left the tables.
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        sqlx::query("SET search_path = play_g1").execute(&mut connection).await.unwrap();
        let known = ALL.iter().filter(|migration| migration.version <= last).cloned().collect();
        let migrator = Migrator { migrations: Cow::Owned(known), ..Migrator::DEFAULT };
        migrator.run_direct(None, &mut connection, false).await.unwrap();
        connection.close().await.unwrap();
        let world = World::new(&database).await;
        for (view, columns, rows_then) in before {
            let rows_now = rows(&database, &view, &columns).await;
            assert_eq!(rows_now.len(), rows_then.len(), "{view}, by way of {last}");
            for (now, then) in rows_now.iter().zip(&rows_then) {
                assert_eq!(now, then, "{view}, by way of {last}");
            }
        }
        assert_recounts(&world, &format!("by way of {last}")).await;
    }
}

#[tokio::test]
async fn an_upgraded_layout_is_the_one_that_a_new_database_gets() {
    let (fresh, upgraded) = (database().await, database().await);
    release(&upgraded, 7).await;
    let mut layouts = Vec::new();
    for database in [fresh, upgraded] {
        Store::open(&config(&database)).await.unwrap();
        let layout: Vec<String> = sqlx::query_scalar(LAYOUT).fetch_all(&database.pool).await.unwrap();
        assert!(layout.len() > 200, "{} objects", layout.len());
        layouts.push(layout);
    }
    assert_eq!(layouts[0], layouts[1]);
}

/// Columns, indexes, policies and comments in one list; days' partitions are as the rows want them.
const LAYOUT: &str = "
    SELECT format('%s.%s.%s %s %s %s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                  col_description(c.oid, a.attnum))
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE n.nspname IN ('play', 'play_g1') AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT format('%s %s %s', c.relname, c.reloptions, obj_description(c.oid, 'pg_class'))
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('play', 'play_g1') AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
    UNION ALL
    SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
     WHERE c.relnamespace = to_regnamespace('play_g1') AND NOT c.relispartition
    UNION ALL
    SELECT format('%s %s %s', tablename, policyname, qual) FROM pg_policies WHERE schemaname = 'play_g1'
    UNION ALL
    SELECT pg_get_functiondef(p.oid) || obj_description(p.oid, 'pg_proc') FROM pg_proc p
     WHERE p.pronamespace IN (to_regnamespace('play'), to_regnamespace('play_g1'))
    ORDER BY 1";
