//! What is kept no longer goes, by tenant, with what it gave; what comes of it late is not written again.

use std::io::Write as _;
use std::time::Duration;

use projector::Config;
use projector::store::Swept;
use schemas::Timestamp;
use schemas::topics::Topic;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use crate::postgres::{Database, database};
use crate::records::{activity, event_at, live, outcome, report, set_aside, with};
use crate::recount::assert_recounts;
use crate::roles::Roles;
use crate::world::{Given, World, config};

/// A tenant that keeps little, one that keeps more, and others that keep all but what is said for every tenant.
const KEPT: &str = r#"
    [[retention]]
    quarantine = "60d"
    [[retention]]
    tenant = "acme"
    sessions = "30d"
    event_log = "30d"
    activity = "30d"
    live = "30d"
    quarantine = "30d"
    [[retention]]
    tenant = "beta"
    sessions = "60d"
    event_log = "60d"
    activity = "60d"
    live = "60d"
"#;
const TENANTS: [&str; 3] = ["acme", "beta", "gamma"];
/// Days of what is told; at [`NOW`] they are about 10, 45 and 75 days ago.
const DAYS: [&str; 3] = ["2026-03-22", "2026-02-15", "2026-01-16"];
const NOW: &str = "2026-04-01T00:00:00Z";

pub(crate) fn ms(time: &str) -> i64 {
    Timestamp::parse(time).unwrap().ms()
}

/// A world of these settings.
pub(crate) async fn keeping(database: &Database, games: &str) -> World {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(games.as_bytes()).unwrap();
    World::of(database, Config { games: Some(file.path().to_owned()), ..config(database) }).await
}

impl World {
    pub(crate) async fn sweep(&self, now: &str) -> Swept {
        self.sink.store().sweep(ms(now), false).await.unwrap().unwrap()
    }

    async fn dates(&self, table: &str, time: &str) -> Vec<(String, String)> {
        let sql = format!(
            "SELECT coalesce(tenant, ''), ({time} AT TIME ZONE 'UTC')::date::text FROM play.{table} GROUP BY 1, 2 ORDER BY 1, 2"
        );
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await.unwrap()
    }
}

/// A session of a tenant on a day, played by one who plays every day or by one of that day only.
fn played(tenant: &str, at: usize, everyday: bool, revision: u64) -> Value {
    let day = DAYS[at];
    let number = TENANTS.iter().position(|name| *name == tenant).unwrap() * 100 + at * 10 + usize::from(everyday);
    let mut told = report(Uuid::from_u128(number as u128), revision);
    told["tenant"] = json!(tenant);
    told["player"] = json!(if everyday { "p-always".to_owned() } else { format!("p-{day}") });
    told["provenance"]["started_at"] = json!(format!("{day}T08:00:00Z"));
    told["provenance"]["ended_at"] = json!(format!("{day}T08:10:00Z"));
    told
}

/// Two sessions, and something of all that tells its time, of each tenant and day.
async fn tell(world: &World) {
    let mut given: [Vec<Given>; 6] = Default::default();
    for tenant in TENANTS {
        for (at, day) in DAYS.iter().enumerate() {
            let time = format!("{day}T08:00:00Z");
            for everyday in [true, false] {
                given[0].push(Given::json(&played(tenant, at, everyday, 1)));
            }
            let second = with(played(tenant, at, true, 1), "/provenance/first_offset", json!(9_000));
            given[0].push(Given::json(&second));
            let of = |value: Value, pointer: &str| with(with(value, "/tenant", json!(tenant)), pointer, json!(time));
            let running = live(Uuid::from_u128(900 + at as u128), 1);
            given[1].push(Given::json(&of(running, "/last_event_at")));
            given[2].push(Given::json(&of(activity(&json!({"task.started": 1})), "/minute")));
            given[3].push(Given::json(&of(outcome(&json!({"accepted": 1})), "/minute")));
            for key in [format!("{tenant}/demo"), "nobody".to_owned()] {
                let mut headers: Vec<(String, Vec<u8>)> =
                    set_aside().headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
                headers.retain(|(name, _)| name != schemas::record::header::RECEIVED_AT);
                headers.push((schemas::record::header::RECEIVED_AT.to_owned(), time.clone().into_bytes()));
                let headers =
                    eventlog::Headers::from_pairs(headers.iter().map(|(name, value)| (name.as_str(), &value[..])));
                given[4].push(Given { key, headers, ..set_aside() });
            }
            given[5].push(event_of(tenant, &time, at as u128));
        }
    }
    let topics = [Topic::Sessions, Topic::Live, Topic::Activity, Topic::Outcomes, Topic::Quarantine, Topic::Events];
    for (topic, given) in topics.into_iter().zip(given) {
        let mut feed = world.claim(topic, 0).await;
        world.write(&mut feed, given).await;
    }
}

fn event_of(tenant: &str, time: &str, id: u128) -> Given {
    let told = String::from_utf8(event_at(time, id, 0, "{}").value.unwrap()).unwrap();
    Given::bytes(told.replace("\"acme\"", &format!("\"{tenant}\"")).as_bytes())
}

/// What is left of each tenant by [`KEPT`].
fn left() -> Vec<(String, String)> {
    let days = [("acme", 1), ("beta", 2), ("gamma", 3)];
    let mut left: Vec<_> = days
        .iter()
        .flat_map(|(tenant, kept)| DAYS[..*kept].iter().map(|day| ((*tenant).to_owned(), (*day).to_owned())))
        .collect();
    left.sort();
    left
}

#[tokio::test]
async fn each_tenant_keeps_what_its_entry_says_and_sums_are_of_what_is_kept() {
    let world = keeping(&database().await, KEPT).await;
    tell(&world).await;
    assert_recounts(&world, "before").await;
    let days = world.rows("SELECT * FROM play.daily_players ORDER BY tenant, game, day").await;
    assert_eq!(days.len(), 9);
    let swept = world.sweep(NOW).await;
    assert!(swept.rows > 50 && !swept.left, "{swept:?}");
    for (table, time) in [
        ("sessions", "started_at"),
        ("second_lives", "ended_at"),
        ("live_sessions", "last_event_at"),
        ("activity_by_minute", "minute"),
        ("worker_outcomes", "minute"),
        ("outcomes", "minute"),
        ("event_log", "received_at"),
    ] {
        assert_eq!(world.dates(table, time).await, left(), "{table}");
    }
    let quarantined = |tenant: &str, days: usize| {
        DAYS[..days].iter().rev().map(|day| (tenant.to_owned(), (*day).to_owned())).collect::<Vec<_>>()
    };
    let expected =
        [("", 2), ("acme", 1), ("beta", 2), ("gamma", 2)].map(|(tenant, days)| quarantined(tenant, days)).concat();
    assert_eq!(world.dates("quarantine", "received_at").await, expected);
    for table in ["session_metrics", "session_tasks", "skill_evidence"] {
        let sql = format!("SELECT count(DISTINCT (tenant, session_id)) FROM play.{table}");
        assert_eq!(world.count(&sql).await, 12, "{table}");
    }
    // Who has nothing left has no row; who has is known from the first day on.
    let players =
        world.rows("SELECT tenant, player_id, sessions FROM play.players WHERE tenant = 'acme' ORDER BY 2").await;
    let row = |player: &str| json!({"tenant": "acme", "player_id": player, "sessions": 1});
    assert_eq!(players, [row("p-2026-03-22"), row("p-always")]);
    let first = "SELECT day, first_day FROM play.player_days WHERE tenant = 'acme' AND player_id = 'p-always'";
    assert_eq!(world.rows(first).await, [json!({"day": "2026-03-22", "first_day": "2026-01-16"})]);
    let hints = "SELECT tenant, hints FROM play.task_stats WHERE task_id = 'L1' ORDER BY 1";
    let hints = world.rows(hints).await;
    let row = |tenant: &str, hints: u64| json!({"tenant": tenant, "hints": hints});
    assert_eq!(hints, [row("acme", 6), row("beta", 12), row("gamma", 18)]);
    assert_eq!(world.rows("SELECT * FROM play.daily_players ORDER BY tenant, game, day").await, days, "days stay");

    let horizons = world.rows("SELECT tenant, model, before, frozen_day FROM play.retained ORDER BY 1, 2").await;
    assert_eq!(horizons.len(), 12, "{horizons:?}");
    assert!(horizons.contains(&json!({"tenant": "acme", "model": "sessions", "before": "2026-03-02T00:00:00+00:00", "frozen_day": "2026-03-02"})), "{horizons:?}");
    let all = world.everything().await;
    assert_eq!(world.sweep(NOW).await.rows, 0);
    sqlx::query("SELECT play_g1.recount()").execute(&world.pool).await.unwrap();
    assert_eq!(world.everything().await, all, "a recount leaves frozen days and first days as they were");
}

#[tokio::test]
async fn what_comes_late_of_a_session_that_went_changes_nothing_and_of_others_it_does() {
    let world = keeping(&database().await, KEPT).await;
    tell(&world).await;
    world.sweep(NOW).await;
    let all = || async {
        let all = world.everything().await;
        all.split_once('\n').unwrap().1.to_owned()
    };
    let before = all().await;
    let mut feed = world.claim(Topic::Sessions, 1).await;
    let mut counts = world.claim(Topic::Activity, 1).await;
    let mut events = world.claim(Topic::Events, 1).await;
    // A revision, another life, a session of that time that nobody had told of, a count and an event.
    let unknown = with(played("acme", 2, true, 1), "/session", json!(Uuid::from_u128(7_777)));
    let second = with(played("acme", 2, true, 3), "/provenance/first_offset", json!(9_000));
    world.tell(&mut feed, &[played("acme", 2, true, 2), second, unknown, played("beta", 2, false, 7)]).await;
    let minute = |day: &str| with(activity(&json!({"task.started": 9})), "/minute", json!(format!("{day}T08:00:00Z")));
    world.tell(&mut counts, &[minute(DAYS[1])]).await;
    world.write(&mut events, vec![event_of("acme", "2026-01-16T09:00:00Z", 77)]).await;
    assert_eq!(all().await, before);
    assert!(
        world
            .quarantine
            .records
            .lock()
            .unwrap()
            .iter()
            .all(|record| record.headers.text("origin_partition") == Some("0")),
        "nothing more was refused"
    );

    // One that is kept is revised, as is one whose tenant keeps all.
    world.tell(&mut feed, &[played("acme", 0, true, 2), played("gamma", 2, true, 2)]).await;
    world.tell(&mut counts, &[minute(DAYS[0])]).await;
    assert_eq!(world.count("SELECT count(*) FROM play.sessions WHERE revision = 2").await, 2);
    assert_eq!(world.count("SELECT events FROM play.activity_by_minute WHERE tenant = 'acme'").await, 10);
    // A revision that ends before the horizon takes its row along, with the next sweep.
    let short = with(played("acme", 0, false, 2), "/provenance/ended_at", json!("2026-01-01T00:00:00Z"));
    let short = with(short, "/provenance/started_at", json!("2026-01-01T00:00:00Z"));
    world.tell(&mut feed, &[short]).await;
    assert_eq!(
        world.count("SELECT revision FROM play.sessions WHERE player_id = 'p-2026-03-22' AND tenant = 'acme'").await,
        2
    );
    assert_eq!(
        world.count("SELECT active FROM play.daily_players WHERE tenant = 'acme' AND day = '2026-03-22'").await,
        1
    );
    world.sweep(NOW).await;
    assert_eq!(world.count("SELECT count(*) FROM play.sessions WHERE tenant = 'acme'").await, 1);
    // Settings that keep more bring nothing back, and a horizon never goes back.
    let horizons = world.rows("SELECT * FROM play.retained").await;
    world.sweep("2026-02-20T00:00:00Z").await;
    assert_eq!(world.rows("SELECT * FROM play.retained").await, horizons);
}

#[tokio::test]
async fn many_sessions_go_in_small_steps_although_as_many_have_begun_and_go_on() {
    let world = keeping(&database().await, KEPT).await;
    let mut feed = world.claim(Topic::Sessions, 0).await;
    let played = |n: u32, from: &str, until: &str| {
        let mut told = with(report(Uuid::from_u128(u128::from(n)), 1), "/player", json!(format!("p-{}", n % 700)));
        told["game"] = json!(["demo", "maze"][n as usize % 2]);
        told["provenance"]["started_at"] = json!(from);
        told["provenance"]["ended_at"] = json!(until);
        told
    };
    // More than are looked at at once begin first and end last; among the others many end in one moment.
    let long = (0..2_100).map(|n| played(n, "2026-01-16T00:00:00Z", "2026-03-03T00:00:00Z"));
    let short = (2_100..3_300).map(|n| {
        let (hour, minute) = (n % 20, n % 60);
        played(n, "2026-01-17T00:00:00Z", &format!("2026-01-{}T{hour:02}:{minute:02}:00Z", 18 + n % 7))
    });
    let same = (3_300..3_900).map(|n| played(n, "2026-02-01T00:00:00Z", "2026-02-01T01:00:00Z"));
    let told: Vec<Value> = long.chain(short).chain(same).collect();
    for load in told.chunks(1_000) {
        world.tell(&mut feed, load).await;
    }
    // How many went with each step is told by a trigger.
    sqlx::raw_sql(
        "CREATE TABLE steps (rows bigint);
         CREATE FUNCTION step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.steps SELECT count(*) FROM gone; RETURN NULL; END $$;
         CREATE TRIGGER step AFTER DELETE ON play_g1.sessions REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION step()",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    world.sweep(NOW).await;
    assert_eq!(world.count("SELECT count(*) FROM play.sessions").await, 2_100);
    assert_eq!(world.count("SELECT sum(rows) FROM steps").await, 1_800);
    let most = world.count("SELECT max(rows) FROM steps").await;
    assert!((100..=1_100).contains(&most), "{most}: the 600 of one moment go together, with few others");
    assert!(world.count("SELECT count(*) FROM steps WHERE rows > 0").await >= 3);
    assert_recounts_but_days(&world).await;
}

/// The aggregates that hang on no frozen day.
async fn assert_recounts_but_days(world: &World) {
    let before = world.rows("SELECT * FROM play.players ORDER BY 1, 2").await;
    let tasks = world.rows("SELECT * FROM play_g1.task_counts ORDER BY 1, 2, 3").await;
    let days = world.rows("SELECT * FROM play.player_days ORDER BY 1, 2, 3, 4").await;
    sqlx::query("SELECT play_g1.recount()").execute(&world.pool).await.unwrap();
    assert_eq!(world.rows("SELECT * FROM play.players ORDER BY 1, 2").await, before);
    assert_eq!(world.rows("SELECT * FROM play_g1.task_counts ORDER BY 1, 2, 3").await, tasks);
    assert_eq!(world.rows("SELECT * FROM play.player_days ORDER BY 1, 2, 3, 4").await, days);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sweeps_at_a_time_and_a_load_under_way_is_waited_for() {
    let database = database().await;
    let world = keeping(&database, KEPT).await;
    tell(&world).await;
    let mut other = sqlx::postgres::PgConnection::connect(&database.url).await.unwrap();
    let turn = "SELECT pg_advisory_lock(hashtextextended('playledger/keeper/play', 0))";
    sqlx::query(turn).execute(&mut other).await.unwrap();
    assert_eq!(world.sink.store().sweep(ms(NOW), false).await.unwrap(), None);
    other.close().await.unwrap();

    // A load that has moved its offsets: it may have looked at rows that would go.
    let mut feed = world.claim(Topic::Sessions, 1).await;
    let slices = [feed.slice(vec![Given::json(&played("acme", 2, true, 2))])];
    let mut load = world.sink.store().begin(&slices).await.unwrap();
    let known = load.known(&slices).await.unwrap();
    let finish = async {
        let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'offsets' AND NOT l.granted";
        let waits = async {
            while world.count(waiting).await == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), waits).await.expect("a sweep waits for the load");
        load.apply(&projector::project::project(&slices, &known)).await.unwrap();
        load.commit().await.unwrap();
    };
    let swept = async {
        // The server tells of a closed connection a moment later.
        loop {
            match world.sink.store().sweep(ms(NOW), false).await {
                Ok(Some(swept)) => return swept,
                Ok(None) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let (swept, ()) = tokio::join!(swept, finish);
    assert!(swept.rows > 0);
    assert_eq!(world.dates("sessions", "started_at").await, left());
    assert_recounts_but_days(&world).await;
}

#[tokio::test]
async fn a_writer_sweeps_and_drops_days_that_it_does_not_own() {
    let database = database().await;
    let owned = World::new(&database).await;
    let mut roles = Roles::of(&database);
    let writer = roles.make("writer").await;
    roles.run(&format!("SELECT play.grant_writer('{writer}')")).await;
    let url = database.options_of(&writer).to_url_lossy().to_string();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(KEPT.as_bytes()).unwrap();
    let as_writer = Config { database_url: url, games: Some(file.path().to_owned()), ..config(&database) };
    let world = World::of(&database, as_writer).await;
    tell(&world).await;
    let gone = "DELETE FROM play_g1.event_log WHERE tenant = 'gamma'";
    sqlx::query(gone).execute(&owned.pool).await.unwrap();
    let swept = world.sink.store().sweep(ms(NOW), true).await.unwrap().unwrap();
    assert_eq!((swept.made, swept.dropped, swept.left), (4, 1, false));
    assert_eq!(world.dates("sessions", "started_at").await, left());
    drop(world);
    roles.drop().await;
}
