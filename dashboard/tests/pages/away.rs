//! What readers see while the database is away, and after.

use reqwest::StatusCode;

use crate::postgres::{Cluster, Database, Fsync};
use crate::world::World;

#[tokio::test]
async fn pages_say_that_the_database_is_away_and_come_back_with_it() {
    let cluster = Cluster::start(Fsync::Off);
    let database = Database::create(&cluster.url("postgres")).await;
    projector::store::prepare(&database.url.parse().unwrap(), &"play".parse().unwrap()).await.unwrap();
    let world = World::over(&database.url).await;
    world.page("/").await;

    cluster.crash();
    let words = world.until("/", StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(words.contains("The database is away") && words.contains("data-retry"));
    assert!(!words.contains("postgres://") && !words.contains("os error"), "nothing of the inside leaks");

    cluster.restart();
    world.until("/", StatusCode::OK).await;
}

#[tokio::test]
async fn a_dashboard_may_start_before_its_database() {
    let world = World::over("postgres://postgres@localhost/play?host=/nonexistent").await;
    let (status, words) = world.refusal("/").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(words.contains("The database is away"));
}
