//! After any history of reports and sweeps, each aggregate equals its recount over what is kept, frozen days are as they
//! were when they froze, and first days are known as long as anything of the player is kept.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::topics::Topic;
use serde_json::{Value, json};

use crate::postgres::database;
use crate::recount::{GAMES, RECOUNTS, told};
use crate::retention::keeping;
use crate::world::World;

const KEPT: &str = r#"
    [[retention]]
    sessions = "14d"
    [[retention]]
    tenant = "acme"
    sessions = "7d"
"#;
const SESSIONS: u128 = 90;

type Key = (String, String, String);

/// What is remembered beside the tables, by the rules in words.
#[derive(Default)]
struct Memory {
    /// The first day of each player at a game of whom anything is kept.
    first: BTreeMap<Key, NaiveDate>,
    /// Frozen days of daily_players, as they were when they froze.
    frozen: BTreeMap<(String, String, NaiveDate), Value>,
    /// The last frozen day of each tenant.
    last: BTreeMap<String, NaiveDate>,
    /// The newest report of each session that is kept, and the horizons.
    sessions: BTreeMap<(String, String), (u64, DateTime<Utc>)>,
    horizons: BTreeMap<String, DateTime<Utc>>,
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// When a session is over, for the one who keeps it.
fn over(report: &Value) -> DateTime<Utc> {
    time(&report["provenance"]["started_at"]).max(time(&report["provenance"]["ended_at"]))
}

impl Memory {
    /// A report is skipped where its session has no row and is over before the horizon.
    fn tell(&mut self, report: &Value) {
        let tenant = report["tenant"].as_str().unwrap().to_owned();
        let revision = report["revision"].as_u64().unwrap();
        let gone = self.horizons.get(&tenant).is_some_and(|before| over(report) < *before);
        let key = (tenant, report["session"].as_str().unwrap().to_owned());
        match self.sessions.get_mut(&key) {
            Some(kept) if kept.0 >= revision => {}
            Some(kept) => *kept = (revision, over(report)),
            None if gone => {}
            None => drop(self.sessions.insert(key, (revision, over(report)))),
        }
    }

    /// Takes note of the days after a load or a sweep.
    async fn look(&mut self, world: &World) {
        let days: Vec<(String, String, String, NaiveDate)> = sqlx::query_as(
            "SELECT tenant, game, player_id, min(day) FROM play.sessions WHERE day IS NOT NULL GROUP BY 1, 2, 3",
        )
        .fetch_all(&world.pool)
        .await
        .unwrap();
        let mut first = BTreeMap::new();
        for (tenant, game, player, day) in days {
            let last = self.last.get(&tenant);
            let key = (tenant.clone(), game, player);
            let known = self.first.get(&key).filter(|known| last.is_some_and(|last| *known <= last));
            let day = known.map_or(day, |known| day.min(*known));
            first.insert(key, day);
        }
        self.first = first;
    }

    /// Takes note of days that froze since the last time: as they stand in `before`, the rows of daily_players.
    async fn froze(&mut self, world: &World, before: Vec<Value>) {
        let horizons: Vec<(String, DateTime<Utc>, NaiveDate)> =
            sqlx::query_as("SELECT tenant, before, frozen_day FROM play.retained")
                .fetch_all(&world.pool)
                .await
                .unwrap();
        for (tenant, horizon, day) in horizons {
            assert!(self.horizons.insert(tenant.clone(), horizon).is_none_or(|before| before <= horizon));
            self.sessions.retain(|(whose, _), (_, over)| *whose != tenant || *over >= horizon);
            let was = self.last.insert(tenant.clone(), day);
            for row in before.iter().filter(|row| row["tenant"] == tenant) {
                let at: NaiveDate = row["day"].as_str().unwrap().parse().unwrap();
                if at <= day && was.is_none_or(|was| at > was) {
                    self.frozen.insert((tenant.clone(), row["game"].to_string(), at), row.clone());
                }
            }
        }
    }

    async fn assert(&self, world: &World, when: &str) {
        let rows = world.rows("SELECT tenant, session_id, revision FROM play.sessions ORDER BY 1, 2").await;
        let expected: Vec<Value> = self
            .sessions
            .iter()
            .map(|((tenant, session), (revision, _))| json!({"tenant": tenant, "session_id": session, "revision": revision}))
            .collect();
        assert_eq!(rows, expected, "{when}: sessions");
        for table in ["session_metrics", "session_tasks", "skill_evidence"] {
            let sql = format!(
                "SELECT count(*) FROM play.{table} LEFT JOIN play.sessions s USING (tenant, session_id) WHERE s.revision IS NULL"
            );
            assert_eq!(world.count(&sql).await, 0, "{when}: {table}");
        }
        // Players, tasks and funnels as ever.
        for at in [0, 3, 4, 5] {
            let (shown, recounted) = RECOUNTS[at];
            same(world, when, shown, recounted).await;
        }
        let first: BTreeMap<Key, NaiveDate> = sqlx::query_as::<_, (String, String, String, NaiveDate)>(
            "SELECT DISTINCT tenant, game, player_id, first_day FROM play.player_days",
        )
        .fetch_all(&world.pool)
        .await
        .unwrap()
        .into_iter()
        .map(|(tenant, game, player, day)| ((tenant, game, player), day))
        .collect();
        assert_eq!(first, self.first, "{when}: first days");
        same(
            world,
            when,
            "SELECT tenant, game, player_id, day, sessions FROM play.player_days",
            "SELECT tenant, game, player_id, day, count(*) FROM play.sessions WHERE day IS NOT NULL GROUP BY 1, 2, 3, 4",
        )
        .await;
        same(world, when, OPEN, OPEN_RECOUNTED).await;
        let frozen: BTreeMap<_, _> = world
            .rows("SELECT * FROM play.daily_players p WHERE EXISTS (SELECT FROM play.retained r WHERE r.tenant = p.tenant AND p.day <= r.frozen_day)")
            .await
            .into_iter()
            .map(|row| ((row["tenant"].as_str().unwrap().to_owned(), row["game"].to_string(), row["day"].as_str().unwrap().parse().unwrap()), row))
            .collect();
        assert_eq!(frozen, self.frozen, "{when}: frozen days");
    }
}

/// Days that are still counted.
const OPEN: &str = "
    SELECT tenant, game, day, active, new, sessions, returned_1d, returned_7d, returned_30d FROM play.daily_players p
     WHERE NOT EXISTS (SELECT FROM play.retained r WHERE r.tenant = p.tenant AND p.day <= r.frozen_day)";

/// By their definition, from the rows of players' days.
const OPEN_RECOUNTED: &str = "
    SELECT tenant, game, day, count(*), count(*) FILTER (WHERE day = first_day), sum(sessions)::bigint,
           count(*) FILTER (WHERE day = first_day AND EXISTS (SELECT FROM play.player_days o WHERE o.day = s.day + 1
               AND (o.tenant, o.game, o.player_id) = (s.tenant, s.game, s.player_id))),
           count(*) FILTER (WHERE day = first_day AND EXISTS (SELECT FROM play.player_days o WHERE o.day = s.day + 7
               AND (o.tenant, o.game, o.player_id) = (s.tenant, s.game, s.player_id))),
           count(*) FILTER (WHERE day = first_day AND EXISTS (SELECT FROM play.player_days o WHERE o.day = s.day + 30
               AND (o.tenant, o.game, o.player_id) = (s.tenant, s.game, s.player_id)))
      FROM play.player_days s
     WHERE NOT EXISTS (SELECT FROM play.retained r WHERE r.tenant = s.tenant AND s.day <= r.frozen_day)
     GROUP BY 1, 2, 3";

async fn same(world: &World, when: &str, shown: &str, recounted: &str) {
    let differing = world
        .rows(&format!(
            "SELECT 'only shown' AS side, * FROM (({shown}) EXCEPT ALL ({recounted})) s
             UNION ALL SELECT 'only recounted', * FROM (({recounted}) EXCEPT ALL ({shown})) r"
        ))
        .await;
    assert!(differing.is_empty(), "{when}: {shown} differs in {}", Value::from(differing));
}

/// A report of a session, played in the hours before it is told or, told late, in the weeks before.
fn random_report(random: &mut ChaCha8Rng, revisions: &mut BTreeMap<u128, u64>, now: DateTime<Utc>) -> Value {
    let session = random.random_range(0..SESSIONS);
    let newest = revisions.entry(session).or_default();
    *newest += 1;
    let mut report = told(session, *newest, |facts| u8::from(facts.random_bool(0.1)));
    let back = if random.random_bool(0.7) { random.random_range(0..72) } else { random.random_range(0..24 * 30) };
    let started = now - TimeDelta::hours(back);
    report["provenance"]["started_at"] = json!(started.to_rfc3339());
    let ended = started + TimeDelta::minutes(random.random_range(0..60 * 30));
    report["provenance"]["ended_at"] = json!(ended.to_rfc3339());
    report
}

#[tokio::test]
async fn aggregates_equal_their_recount_over_what_is_kept_after_random_histories_with_sweeps() {
    let (mut swept, mut frozen) = (0, 0);
    for seed in 0..3 {
        let world = keeping(&database().await, &format!("{GAMES}{KEPT}")).await;
        let mut feed = world.claim(Topic::Sessions, 0).await;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (mut revisions, mut memory) = (BTreeMap::new(), Memory::default());
        let mut now: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
        for turn in 0..60 {
            let when = format!("seed {seed}, turn {turn}");
            now += TimeDelta::minutes(random.random_range(0..60 * 24));
            let load: Vec<Value> =
                (0..random.random_range(1..20)).map(|_| random_report(&mut random, &mut revisions, now)).collect();
            world.tell(&mut feed, &load).await;
            for report in &load {
                memory.tell(report);
            }
            memory.look(&world).await;
            if random.random_bool(0.3) {
                let before = world.rows("SELECT * FROM play.daily_players").await;
                swept += world.sink.store().sweep(now.timestamp_millis(), false).await.unwrap().unwrap().rows;
                memory.froze(&world, before).await;
                memory.look(&world).await;
                memory.assert(&world, &when).await;
            }
            if random.random_bool(0.1) {
                sqlx::query("SELECT play_g1.recount()").execute(&world.pool).await.unwrap();
                memory.assert(&world, &format!("{when}, recounted")).await;
            }
        }
        memory.assert(&world, &format!("seed {seed}")).await;
        frozen += memory.frozen.len();
    }
    println!("{swept} rows swept, {frozen} days frozen");
    assert!(swept > 1_000 && frozen > 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_beside_loads_holds_nobody_up_for_good_and_all_sums_are_right() {
    let database = database().await;
    let games = format!("{GAMES}{KEPT}");
    let worlds = [keeping(&database, &games).await, keeping(&database, &games).await, keeping(&database, &games).await];
    let start: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
    let over = AtomicBool::new(false);
    let hour = std::sync::atomic::AtomicI64::new(0);
    let work = async |at: usize| {
        let mut feed = worlds[at].claim(Topic::Sessions, i32::try_from(at).unwrap()).await;
        let mut random = ChaCha8Rng::seed_from_u64(40 + at as u64);
        for _ in 0..60 {
            let now = start + TimeDelta::hours(hour.fetch_add(3, Ordering::SeqCst));
            let load: Vec<Value> = (0..random.random_range(1..20))
                .map(|_| {
                    let session = random.random_range(0..200) * 3 + u128::try_from(at).unwrap();
                    let mut report = told(session, random.random_range(1..6), |facts| facts.random_range(0..9));
                    // A player's reports lie in one partition: projectors share games, tasks and days.
                    report["player"] = json!(format!("{}-{at}", report["player"].as_str().unwrap()));
                    let started = now - TimeDelta::hours(random.random_range(0..24 * 16));
                    report["provenance"]["started_at"] = json!(started.to_rfc3339());
                    report["provenance"]["ended_at"] = json!((started + TimeDelta::hours(2)).to_rfc3339());
                    report
                })
                .collect();
            worlds[at].tell(&mut feed, &load).await;
        }
    };
    let keep = async {
        let (mut rows, mut sweeps) = (0, 0);
        while !over.load(Ordering::SeqCst) {
            let now = start + TimeDelta::hours(hour.load(Ordering::SeqCst));
            if let Some(swept) = worlds[0].sink.store().sweep(now.timestamp_millis(), false).await.unwrap() {
                (rows, sweeps) = (rows + swept.rows, sweeps + 1);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (rows, sweeps)
    };
    let loads = async {
        tokio::join!(work(0), work(1), work(2));
        over.store(true, Ordering::SeqCst);
    };
    let ((rows, sweeps), ()) = tokio::join!(keep, loads);
    println!("{rows} rows in {sweeps} sweeps beside 180 loads");
    assert!(rows > 500 && sweeps > 5);
    let world = &worlds[0];
    for at in [0, 3, 4, 5] {
        same(world, "beside loads", RECOUNTS[at].0, RECOUNTS[at].1).await;
    }
    same(world, "beside loads", OPEN, OPEN_RECOUNTED).await;
    let before = world.everything().await;
    sqlx::query("SELECT play_g1.recount()").execute(&world.pool).await.unwrap();
    assert_eq!(world.everything().await, before);
    assert_eq!(world.count("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await, 0);
}
