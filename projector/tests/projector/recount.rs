//! After any history of reports, each aggregate equals its plain recount: sessions from the newest reports, all
//! else from the sessions and their tasks.

use std::collections::BTreeMap;
use std::io::Write as _;

use projector::Config;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::topics::Topic;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::postgres::{Database, database};
use crate::records::{piece, report, task};
use crate::world::{World, config};

const SESSIONS: u128 = 60;
const REPORTS: usize = 500;
/// One zone far ahead, one far behind that changes its clocks within the time played, one unset.
pub(crate) const GAMES: &str = r#"
    [[settings]]
    tenant = "acme"
    game = "demo"
    time_zone = "Pacific/Auckland"
    [[settings]]
    tenant = "acme"
    game = "maze"
    time_zone = "America/Los_Angeles"
"#;

/// Every aggregate, and what it is by its plainest definition.
pub(crate) const RECOUNTS: [(&str, &str); 6] = [
    (
        "SELECT tenant, player_id, first_seen, last_seen, sessions, events, active_ms FROM play.players",
        "SELECT tenant, player_id, min(started_at), max(ended_at), count(*), sum(event_count)::bigint, sum(active_ms)::bigint
           FROM play.sessions WHERE kind = 'play' GROUP BY 1, 2",
    ),
    (
        "SELECT tenant, game, player_id, day, sessions, first_day FROM play.player_days",
        "SELECT tenant, game, player_id, day, sessions, min(day) OVER (PARTITION BY tenant, game, player_id) FROM played",
    ),
    (
        "SELECT tenant, game, day, active, new, sessions, returned_1d, returned_7d, returned_30d FROM play.daily_players",
        "SELECT tenant, game, day, count(*), count(*) FILTER (WHERE day = first), sum(sessions)::bigint,
                count(*) FILTER (WHERE day = first AND EXISTS (
                    SELECT FROM since o WHERE o.day = s.day + 1 AND (o.tenant, o.game, o.player_id) = (s.tenant, s.game, s.player_id))),
                count(*) FILTER (WHERE day = first AND EXISTS (
                    SELECT FROM since o WHERE o.day = s.day + 7 AND (o.tenant, o.game, o.player_id) = (s.tenant, s.game, s.player_id))),
                count(*) FILTER (WHERE day = first AND EXISTS (
                    SELECT FROM since o WHERE o.day = s.day + 30 AND (o.tenant, o.game, o.player_id) = (s.tenant, s.game, s.player_id)))
           FROM since s GROUP BY 1, 2, 3",
    ),
    (
        "SELECT tenant, game, task_id, starts, completions, attempts, successes, failure_rate, median_ms, p90_ms, abandons, hints,
                sessions, players, attempts_to_success, abandonment_rate, hints_per_session FROM play.task_stats",
        "SELECT t.tenant, t.game, t.task_id, sum(starts)::bigint, sum(completions)::bigint, sum(attempts)::bigint, sum(successes)::bigint,
                (sum(attempts) - sum(successes))::double precision / nullif(sum(attempts), 0)::double precision,
                percentile_cont(0.5) WITHIN GROUP (ORDER BY spent_ms), percentile_cont(0.9) WITHIN GROUP (ORDER BY spent_ms),
                sum(abandons)::bigint, sum(hints)::bigint, count(*), count(DISTINCT t.player_id),
                sum(attempts)::double precision / nullif(sum(successes), 0)::double precision,
                count(*) FILTER (WHERE starts > 0 AND abandons > 0 AND completions = 0)::double precision
                    / nullif(count(*) FILTER (WHERE starts > 0), 0)::double precision,
                sum(hints)::double precision / count(*)::double precision
           FROM play.session_tasks t JOIN play.sessions s USING (tenant, session_id) GROUP BY 1, 2, 3",
    ),
    ("SELECT 'all', step, task_id, started, completed FROM play.funnel('demo', ARRAY['L1', 'L0', 'no such task', 'L2'])", FUNNEL_OF_ALL),
    (
        "SELECT step, task_id, started, completed, completion_rate, share FROM play.funnel('maze', ARRAY['L2', 'L0', 'L1'], 'acme')",
        "SELECT step, task, started, completed, completed::double precision / nullif(started, 0)::double precision,
                completed::double precision / nullif((SELECT count(DISTINCT player_id) FROM play.session_tasks
                    WHERE tenant = 'acme' AND game = 'maze' AND task_id = 'L2' AND starts + completions > 0), 0)::double precision
           FROM (SELECT step, task,
                   (SELECT count(DISTINCT t.player_id) FROM play.session_tasks t
                     WHERE t.tenant = 'acme' AND t.game = 'maze' AND t.task_id = task AND starts + completions > 0
                       AND NOT EXISTS (SELECT FROM unnest((ARRAY['L2', 'L0', 'L1'])[:step - 1]) b (earlier) WHERE NOT EXISTS (
                           SELECT FROM play.session_tasks d WHERE (d.tenant, d.game, d.player_id, d.task_id) = (t.tenant, t.game, t.player_id, b.earlier)
                              AND d.completions > 0))) AS started,
                   (SELECT count(DISTINCT t.player_id) FROM play.session_tasks t
                     WHERE t.tenant = 'acme' AND t.game = 'maze' AND t.task_id = task AND completions > 0
                       AND NOT EXISTS (SELECT FROM unnest((ARRAY['L2', 'L0', 'L1'])[:step - 1]) b (earlier) WHERE NOT EXISTS (
                           SELECT FROM play.session_tasks d WHERE (d.tenant, d.game, d.player_id, d.task_id) = (t.tenant, t.game, t.player_id, b.earlier)
                              AND d.completions > 0))) AS completed
                   FROM unnest(ARRAY['L2', 'L0', 'L1']) WITH ORDINALITY w (task, step)) f",
    ),
];

/// A task that nobody has ends the funnel; players of two tenants are two players.
const FUNNEL_OF_ALL: &str = "
    SELECT 'all', 1, 'L1', count(DISTINCT (tenant, player_id)), count(DISTINCT (tenant, player_id)) FILTER (WHERE completions > 0)
      FROM play.session_tasks WHERE game = 'demo' AND task_id = 'L1' AND starts + completions > 0
    UNION ALL
    SELECT 'all', 2, 'L0', count(DISTINCT (tenant, player_id)), count(DISTINCT (tenant, player_id)) FILTER (WHERE completions > 0)
      FROM play.session_tasks t WHERE game = 'demo' AND task_id = 'L0' AND starts + completions > 0
       AND EXISTS (SELECT FROM play.session_tasks d WHERE (d.tenant, d.player_id, d.game, d.task_id) = (t.tenant, t.player_id, 'demo', 'L1') AND d.completions > 0)
    UNION ALL VALUES ('all', 3, 'no such task', 0, 0), ('all', 4, 'L2', 0, 0)";

/// Days by the definition of a day: none of what the projector worked out is taken.
const DAYS: &str = "
    WITH played AS (
        SELECT tenant, game, player_id, count(*) AS sessions,
               (started_at AT TIME ZONE CASE tenant || '/' || game
                    WHEN 'acme/demo' THEN 'Pacific/Auckland' WHEN 'acme/maze' THEN 'America/Los_Angeles' ELSE 'UTC' END)::date AS day
          FROM play.sessions WHERE kind = 'play' GROUP BY 1, 2, 3, 5
    ), since AS (
        SELECT *, min(day) OVER (PARTITION BY tenant, game, player_id) AS first FROM played
    ) ";

/// Asserts that every aggregate equals its recount.
pub(crate) async fn assert_recounts(world: &World, when: &str) {
    for (shown, recounted) in RECOUNTS {
        let differing = world
            .rows(&format!(
                "{DAYS}
                 SELECT 'only shown' AS side, * FROM (({shown}) EXCEPT ALL ({recounted})) s
                 UNION ALL SELECT 'only recounted', * FROM (({recounted}) EXCEPT ALL ({shown})) r"
            ))
            .await;
        assert!(differing.is_empty(), "{when}: {shown} differs in {}", Value::from(differing));
    }
}

/// A report of one of some sessions, of a random revision, that moves in time, in player, in game, in kind.
fn random_report(random: &mut ChaCha8Rng, revisions: &mut BTreeMap<u128, u64>) -> Value {
    let session = random.random_range(0..SESSIONS);
    let newest = revisions.entry(session).or_default();
    let revision = if *newest > 0 && random.random_bool(0.2) { random.random_range(1..=*newest) } else { *newest + 1 };
    *newest = (*newest).max(revision);
    told(session, revision, |facts| u8::from(facts.random_bool(0.1)))
}

/// What a revision of a session tells: always the same, however often it is told.
pub(crate) fn told(session: u128, revision: u64, moves: impl Fn(&mut ChaCha8Rng) -> u8) -> Value {
    let mut facts = ChaCha8Rng::seed_from_u64(u64::try_from(session).unwrap() * 1_000 + revision);
    let mut told = report(Uuid::from_u128(session), revision);
    told["tenant"] = json!(if session.is_multiple_of(5) { "beta" } else { "acme" });
    told["player"] = json!(format!("p-{}", (session + u128::from(moves(&mut facts))) % 9));
    told["game"] = json!(["demo", "maze", "plain"][usize::try_from(session % 3).unwrap()]);
    if facts.random_bool(0.05) {
        told["game"] = json!("moved");
    }
    told["kind"] = json!(if facts.random_bool(0.9) { "play" } else { "evidence" });
    // Days 0, 1, 7 and 30 apart come often, and hours on both sides of midnight.
    let day = *[1, 2, 3, 8, 9, 15, 31, 32].choose(&mut facts).unwrap() + facts.random_range(0..2);
    let at = chrono::NaiveDate::from_ymd_opt(2026, 2, 20).unwrap() + chrono::Days::new(day);
    told["provenance"]["started_at"] = json!(format!("{at}T{:02}:30:00Z", facts.random_range(0..24)));
    told["provenance"]["ended_at"] = json!(format!("2026-05-{:02}T00:00:00Z", facts.random_range(1..28)));
    told["facts"]["metrics"]["event_count"] = json!(facts.random_range(1..100));
    told["facts"]["metrics"]["active_ms"] = json!(facts.random_range(0..100_000));
    let tasks = facts.random_range(0..4);
    told["facts"]["tasks"] = (0..tasks).map(|n| random_task(&mut facts, n)).collect();
    let pieces = facts.random_range(0..4);
    told["facts"]["evidence"] =
        (0..pieces).map(|n| piece("resilience", ["a", "b"].choose(&mut facts).unwrap(), n)).collect();
    told
}

fn random_task(facts: &mut ChaCha8Rng, n: u64) -> Value {
    let mut task = task(&format!("L{n}"), facts.random_range(0..9_999));
    for (name, most) in [("starts", 3), ("completions", 2), ("abandons", 2), ("attempts", 5), ("hints", 4)] {
        task[name] = json!(facts.random_range(0..most));
    }
    task["successes"] = json!(facts.random_range(0..=task["attempts"].as_u64().unwrap()));
    if facts.random_bool(0.3) {
        task["spent_ms"] = Value::Null;
    }
    task
}

/// The newest report of each session, by the plainest of means.
fn newest(told: &[Value]) -> Vec<&Value> {
    let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
    for report in told {
        let place = newest.entry(report["session"].as_str().unwrap()).or_insert(report);
        if report["revision"].as_u64() > place["revision"].as_u64() {
            *place = report;
        }
    }
    newest.into_values().collect()
}

/// A session's row, of the columns that aggregates are made of.
fn session(report: &Value) -> Value {
    let time = |name: &str| report["provenance"][name].as_str().unwrap().replace('Z', "+00:00");
    json!({
        "tenant": report["tenant"], "session_id": report["session"], "game": report["game"], "player_id": report["player"],
        "kind": report["kind"], "revision": report["revision"], "started_at": time("started_at"), "ended_at": time("ended_at"),
        "event_count": report["facts"]["metrics"]["event_count"], "active_ms": report["facts"]["metrics"]["active_ms"],
    })
}

/// A world whose games have zones.
async fn world(database: &Database) -> World {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(GAMES.as_bytes()).unwrap();
    World::of(database, Config { games: Some(file.path().to_owned()), ..config(database) }).await
}

#[tokio::test]
async fn aggregates_equal_their_recount_after_random_histories() {
    for seed in 0..6 {
        let world = world(&database().await).await;
        let mut feed = world.claim(Topic::Sessions, 0).await;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut revisions = BTreeMap::new();
        let told: Vec<Value> = (0..REPORTS).map(|_| random_report(&mut random, &mut revisions)).collect();
        let mut rest = &told[..];
        while !rest.is_empty() {
            let (load, after) = rest.split_at(random.random_range(1..=rest.len().min(30)));
            world.tell(&mut feed, load).await;
            rest = after;
            if random.random_bool(0.1) {
                assert_recounts(&world, &format!("seed {seed}, {} reports before the end", after.len())).await;
            }
        }
        assert_recounts(&world, &format!("seed {seed}")).await;

        let newest = newest(&told);
        let columns =
            "tenant, session_id, game, player_id, kind, revision, started_at, ended_at, event_count, active_ms";
        let rows = world.rows(&format!("SELECT {columns} FROM play.sessions ORDER BY session_id")).await;
        assert_eq!(rows, newest.iter().map(|report| session(report)).collect::<Vec<_>>(), "sessions, seed {seed}");
        let played = newest.iter().filter(|report| report["kind"] == "play");
        let count = |report: &&Value, name: &str| report["facts"][name].as_array().unwrap().len();
        let tasks: usize = played.map(|report| count(report, "tasks")).sum();
        let pieces: usize = newest.iter().map(|report| count(report, "evidence")).sum();
        let rows = "(SELECT count(*) FROM play.session_tasks) * 1000 + (SELECT count(*) FROM play.skill_evidence)";
        assert_eq!(world.count(&format!("SELECT {rows}")).await, i64::try_from(tasks * 1_000 + pieces).unwrap());
        assert!(world.quarantine.records.lock().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_equal_their_recount_where_projectors_share_players_games_tasks_and_days() {
    let database = database().await;
    let worlds = [world(&database).await, world(&database).await, world(&database).await];
    let work = async |at: usize| {
        let mut feed = worlds[at].claim(Topic::Sessions, i32::try_from(at).unwrap()).await;
        let mut random = ChaCha8Rng::seed_from_u64(20 + at as u64);
        for _ in 0..60 {
            // Harder than it comes: a player's reports lie in one partition as a rule, and here in all of them.
            let load: Vec<Value> = (0..random.random_range(1..20))
                .map(|_| {
                    let session = random.random_range(0..200) * 9 + u128::try_from(at).unwrap() * 3;
                    told(session, random.random_range(1..6), |facts| facts.random_range(0..9))
                })
                .collect();
            worlds[at].tell(&mut feed, &load).await;
        }
    };
    tokio::join!(work(0), work(1), work(2));
    assert_recounts(&worlds[0], "three at once").await;
    assert!(worlds.iter().all(|world| world.quarantine.records.lock().unwrap().is_empty()));
}
