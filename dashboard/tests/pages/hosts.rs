//! By which names the pages are answered: a foreign name that points here gets nothing.

use reqwest::StatusCode;

use crate::world::World;

/// Admitted requests get as far as this, without a database.
const NOWHERE: &str = "/no/such/page";

async fn world() -> World {
    let more = ["--host", "stats.example.org", "--host", "play.lan"];
    World::told("postgres://postgres@localhost/play?host=/nonexistent", &more).await
}

#[tokio::test]
async fn addresses_localhost_and_named_hosts_are_answered() {
    let world = world().await;
    for host in ["127.0.0.1", "[::1]:8090", "localhost:8090", "stats.example.org", "PLAY.LAN:80"] {
        assert_eq!(world.asked_for(host, NOWHERE).await.status(), StatusCode::NOT_FOUND, "{host}");
    }
}

#[tokio::test]
async fn a_name_that_points_here_and_is_not_ours_is_refused_wherever_it_asks() {
    let world = world().await;
    for path in ["/", "/fragment", "/stream", "/sessions/8f14e45f-ceea-467f-a8d7-5b1c0f9f2a11", NOWHERE] {
        let answer = world.asked_for("rebound.example:8090", path).await;
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{path}");
        assert_eq!(answer.headers()["x-frame-options"], "DENY", "{path}");
        let words = answer.text().await.unwrap();
        assert!(words.contains("rebound.example") && words.contains("--host"), "{path}: {words}");
    }
}
