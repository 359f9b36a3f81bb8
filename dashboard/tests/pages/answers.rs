//! What each address is answered with.

use reqwest::StatusCode;
use reqwest::header::{ETAG, IF_NONE_MATCH, RETRY_AFTER};
use serde_json::json;
use uuid::Uuid;

use crate::postgres;
use crate::rows::{HOSTILE, SESSION, closed, event, now, running};
use crate::world::World;

#[tokio::test]
async fn an_empty_house_tells_how_to_send_a_first_event() {
    let world = World::new().await;
    let page = world.page("/").await;
    assert!(page.contains("Nothing has been played yet"));
    assert!(page.contains("curl http://") && page.contains("/v1/events"));
}

#[tokio::test]
async fn the_overview_counts_and_lists_what_is_there() {
    let world = World::new().await;
    closed(&world, "acme", SESSION, "p-closed").await;
    running(&world, Uuid::from_u128(7), "p-running").await;
    world
        .insert(
            "activity_by_minute",
            json!({"tenant": "acme", "game": "demo", "minute": now() - chrono::Duration::minutes(5),
                   "event_type": "task.attempted", "events": 1_234}),
        )
        .await;
    let page = world.page("/").await;
    assert!(page.contains("1,234 events in the last hour, at most 1,234 a minute."));
    assert!(page.contains(">p-closed<") && page.contains(">p-running<"));
    assert!(page.contains("4 min 12 s") && page.contains("2 of 3"));
    assert!(!page.contains("Nothing has been played yet"));
    let week = world.page("/?range=7d").await;
    assert!(week.contains("1,234 events in the last 7 days"));
}

#[tokio::test]
async fn a_session_tells_every_metric_and_hostile_names_stay_text() {
    let world = World::new().await;
    closed(&world, "acme", SESSION, "p-1").await;
    let begun = now() - chrono::Duration::minutes(10);
    event(&world, SESSION, 0, "session.started", json!({}), begun).await;
    for (seq, kind) in [(1, "task.started"), (2, "task.attempted"), (3, "task.completed")] {
        let data = json!({"task_id": HOSTILE, "outcome": "success", HOSTILE: HOSTILE});
        event(&world, SESSION, seq, kind, data, begun + chrono::Duration::seconds(seq * 20)).await;
    }
    let page = world.page(&format!("/sessions/{SESSION}")).await;
    assert_eq!(page.matches("class=\"metric\"").count(), schemas::metrics::COUNT);
    for definition in &schemas::metrics::DEFINITIONS {
        assert!(page.contains(&format!("title=\"{} = ", definition.name)), "{}", definition.name);
    }
    assert!(page.contains("66.7%") && page.contains("completion_rate = 0.6666666666666666"));
    assert!(page.contains("Timeline of"));
    assert_eq!(page.matches("<script").count(), 2, "only the page's own two");
    assert!(!page.contains("<img") && page.contains("&#60;script&#62;"));
}

#[tokio::test]
async fn a_running_session_shows_its_snapshot_and_its_events_so_far() {
    let world = World::new().await;
    running(&world, SESSION, "p-1").await;
    let page = world.page(&format!("/sessions/{SESSION}?tenant=acme")).await;
    assert!(page.contains("This session is still open") && page.contains("1 min 15 s"));
    assert!(page.contains("task.attempted") && page.contains("href=\"#sign-failure\""));
    assert!(page.contains(&format!("data-stream=\"/sessions/{SESSION}/stream?tenant=acme\"")));
}

#[tokio::test]
async fn events_told_twice_are_drawn_once() {
    let world = World::new().await;
    running(&world, SESSION, "p-1").await;
    world
        .run(
            "INSERT INTO play_g1.event_log SELECT tenant, session_id, partition, \"offset\" + 100, game, player_id, seq,
                    event_id, event_type, timestamp, received_at, data FROM play_g1.event_log",
        )
        .await;
    let page = world.page(&format!("/sessions/{SESSION}")).await;
    assert_eq!(page.matches("<code>task.attempted</code>").count(), 1);
}

#[tokio::test]
async fn a_session_without_kept_events_says_where_they_are() {
    let world = World::new().await;
    closed(&world, "acme", SESSION, "p-1").await;
    assert!(world.page(&format!("/sessions/{SESSION}")).await.contains("--event-log"));
}

#[tokio::test]
async fn a_timeline_with_another_idle_threshold_than_the_metrics_says_so() {
    let world = World::new().await;
    closed(&world, "acme", SESSION, "p-1").await;
    let begun = now() - chrono::Duration::minutes(10);
    for seq in 0..6 {
        event(&world, SESSION, seq, "item.changed", json!({}), begun + chrono::Duration::seconds(seq * 50)).await;
    }
    let page = world.page(&format!("/sessions/{SESSION}")).await;
    assert!(page.contains("Drawn with an idle threshold of 1 min; the metrics were made with another."));
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_makes_no_sense_400() {
    let world = World::new().await;
    let (status, words) = world.refusal(&format!("/sessions/{SESSION}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(words.contains(&format!("There is no session {SESSION}.")) && words.contains("To the overview"));
    let nonsense = [
        "/sessions/42",
        "/sessions/5e551000000040008000000000000001",
        "/sessions/%FF%FE",
        "/?range=1y",
        "/?range=1h&range=6h",
        &format!("/sessions/{SESSION}?tenant=%22%3E%3Cscript%3E"),
        &format!("/sessions/{SESSION}/fragment"),
    ];
    for path in nonsense {
        let (status, words) = world.refusal(path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert!(words.contains("That address makes no sense"), "{path}");
    }
    let (status, words) = world.refusal("/%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(!words.contains("<script>alert"));
}

#[tokio::test]
async fn two_tenants_with_one_session_id_are_told_apart() {
    let world = World::new().await;
    closed(&world, "acme", SESSION, "p-of-acme").await;
    closed(&world, "zebra", SESSION, "p-of-zebra").await;
    let answer = world.get(&format!("/sessions/{SESSION}")).await;
    assert_eq!(answer.status(), StatusCode::MULTIPLE_CHOICES);
    let page = world.page(&format!("/sessions/{SESSION}?tenant=zebra")).await;
    assert!(page.contains("p-of-zebra") && !page.contains("p-of-acme"));
}

#[tokio::test]
async fn a_fragment_that_has_not_changed_is_not_sent_again() {
    let world = World::new().await;
    closed(&world, "acme", SESSION, "p-1").await;
    let path = format!("/sessions/{SESSION}/fragment?tenant=acme");
    let tag = world.get(&path).await.headers()[ETAG].clone();
    let address = world.get(&path).await.url().clone();
    let again = world.client.get(address).header(IF_NONE_MATCH, tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_guard_it() {
    let world = World::new().await;
    for path in ["/", "/no/such/page", "/sessions/x", "/fragment"] {
        let answer = world.get(path).await;
        let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        assert!(header("content-security-policy").starts_with("default-src 'self'"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
    }
}

#[tokio::test]
async fn a_database_without_tables_is_a_503_that_says_so() {
    let database = postgres::database().await;
    let world = World::over(&database.url).await;
    let answer = world.get("/").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key(RETRY_AFTER));
    let words = answer.text().await.unwrap();
    assert!(words.contains("No tables yet") && words.contains("data-retry"));
    assert!(!world.shell.health.readiness().ok);
}
