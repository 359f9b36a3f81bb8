//! The first page where there is much: it reads no table as a whole, and says where it does not count.

use dashboard::Store;
use dashboard::range::Range;
use dashboard::store::Scope;
use dashboard::store::amount::Amount;
use uuid::Uuid;

use crate::rows::{closed, now};
use crate::world::World;

/// More sessions, each of a player of its own, than are counted on a page.
const MANY: &str = "
    INSERT INTO play_g1.sessions
    SELECT 'big', gen_random_uuid(), 'game-' || i % 3, 'p-' || i, 'play', 1, 'final', 'completed', began, began, 1, 1,
           true, false, '[]', NULL, NULL, NULL, NULL, '', 0, i, i, 0, NULL, began, began, '', began
      FROM (SELECT i, now() - interval '1 day' - i * interval '1 second' AS began FROM generate_series(1, 120000) i) s;
    INSERT INTO play_g1.players SELECT 'big', 'p-' || i, now(), now(), 1, 1, 1 FROM generate_series(1, 120000) i;
    ANALYZE play_g1.sessions;
    ANALYZE play_g1.players";

/// Rows of `sessions` that were read by going through the table, and how often an index was used instead.
async fn read(world: &World) -> (i64, i64) {
    let sql = "SELECT seq_tup_read, idx_scan FROM pg_stat_user_tables WHERE relid = 'play_g1.sessions'::regclass";
    sqlx::query_as(sql).fetch_one(world.pool()).await.unwrap()
}

#[tokio::test]
async fn beyond_what_is_counted_a_total_is_about_so_many_and_no_table_is_gone_through() {
    let world = World::new().await;
    world.run(MANY).await;
    closed(&world, "acme", Uuid::from_u128(1), "p-latest").await;
    let page = world.page("/").await;
    assert_eq!(page.matches("about</span> 120,000").count(), 2, "sessions and players");
    assert!(page.contains(">p-latest<"));
    // What a connection has read is told a moment after it has.
    for _ in 0..100 {
        let (one_by_one, by_index) = read(&world).await;
        if by_index > 0 {
            // The look whether the tables are there takes one.
            assert!(one_by_one < 1_000, "{one_by_one} rows were gone through");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no index was used");
}

#[tokio::test]
async fn a_scope_sees_its_own_totals_games_and_sessions_in_the_order_of_their_reports() {
    let world = World::new().await;
    for (number, tenant) in [(1, "acme"), (2, "beta"), (3, "beta"), (4, "zebra")] {
        closed(&world, tenant, Uuid::from_u128(number), &format!("p-{number}")).await;
    }
    world.run("UPDATE play_g1.sessions SET game = 'other' WHERE player_id = 'p-3'").await;
    // The one that began last was reported first.
    world.run("UPDATE play_g1.sessions SET started_at = started_at + interval '1 minute', reported_at = reported_at - interval '1 hour' WHERE player_id = 'p-2'").await;
    for (game, tenant) in [("demo", "beta"), ("other", "beta"), ("demo", "zebra")] {
        let row = serde_json::json!({"tenant": tenant, "game": game, "minute": now() - chrono::Duration::minutes(5),
                                     "event_type": "task.started", "events": 7});
        world.insert("activity_by_minute", row).await;
    }
    let store = Store::open(&world.config).unwrap();
    let mut seen = Vec::new();
    for tenant in ["acme", "beta", "zebra", "nobody"] {
        let scope = Scope { tenant: Some(schemas::Tenant::parse(tenant).unwrap()) };
        let overview = store.overview(&scope, Range::Hour, now().timestamp_millis()).await.unwrap();
        let players: Vec<_> = overview.closed.iter().map(|line| line.player_id.clone()).collect();
        let (Amount::Exactly(closed), Amount::Exactly(players_told)) =
            (overview.totals.closed, overview.totals.players)
        else {
            panic!("so few are counted")
        };
        assert_eq!((closed, players_told), (i64::try_from(players.len()).unwrap(), closed), "{tenant}");
        seen.push((tenant, players.join(" "), overview.many_games, overview.steps.iter().sum::<i64>()));
    }
    let wanted = [
        ("acme", "p-1", false, 0),
        ("beta", "p-3 p-2", true, 14),
        ("zebra", "p-4", false, 7),
        ("nobody", "", false, 0),
    ];
    assert_eq!(seen, wanted.map(|(tenant, players, many, events)| (tenant, players.to_owned(), many, events)));
    let all = store.overview(&Scope::default(), Range::Hour, now().timestamp_millis()).await.unwrap();
    let players: Vec<_> = all.closed.iter().map(|line| &*line.player_id).collect();
    assert_eq!(players, ["p-4", "p-3", "p-1", "p-2"]);
    assert!(all.many_games);
    store.close().await;
}
