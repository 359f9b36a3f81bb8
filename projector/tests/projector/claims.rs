//! Claims: who has them, how they are lost, and what is not claimed.

use eventlog::{OffsetRange, TopicPartition};
use projector::error::StoreError;
use projector::store::{Expected, Standing, Store, Wanted};
use schemas::topics::Topic;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::postgres::database;
use crate::records::{SESSION, report};
use crate::world::{Given, World, config};

fn wanted(partition: i32) -> Wanted {
    Wanted {
        topic: "play.sessions".into(),
        topic_id: "one".into(),
        partition,
        range: OffsetRange { low: 0, high: i64::MAX },
        may_skip: false,
    }
}

#[tokio::test]
async fn whoever_changes_the_layout_takes_every_claim_away_first() {
    let database = database().await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let before = "CREATE SCHEMA play_g1; SET search_path = play_g1";
    sqlx::raw_sql(before).execute(&mut connection).await.unwrap();
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.set_locking(false);
    // All but the last, as the release before left it.
    let last = migrator.iter().map(|migration| migration.version).max().unwrap();
    migrator.run_direct(Some(last - 1), &mut connection, false).await.unwrap();
    let claimed = "INSERT INTO offsets VALUES ('read_models', 'play.sessions', 'one', 0, 7, 3)";
    sqlx::raw_sql(claimed).execute(&mut connection).await.unwrap();
    let standing = "SELECT next_offset, epoch FROM play_g1.offsets";

    Store::open(&config(&database)).await.unwrap();
    let row: (i64, i64) = sqlx::query_as(standing).fetch_one(&mut connection).await.unwrap();
    assert_eq!(row, (7, 4), "the claim is gone, the rows are not");
    Store::open(&config(&database)).await.unwrap();
    let row: (i64, i64) = sqlx::query_as(standing).fetch_one(&mut connection).await.unwrap();
    assert_eq!(row, (7, 4), "nothing changed, so nobody has to claim anew");
}

#[tokio::test]
async fn tables_that_are_newer_than_when_they_were_opened_are_not_claimed() {
    let world = World::new(&database().await).await;
    world.sink.store().claim(&[wanted(0)]).await.unwrap();
    sqlx::query(
        "INSERT INTO play_g1._sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'of a later release', true, '\\x00', 0)",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let error = world.sink.store().claim(&[wanted(0)]).await.unwrap_err();
    assert!(matches!(&error, StoreError::Outdated(why) if why.contains("9000")), "{error}");
    assert_eq!(world.count("SELECT epoch FROM play.offsets").await, 1);
}

#[tokio::test]
async fn nothing_is_claimed_while_another_lays_the_tables_out() {
    let world = World::new(&database().await).await;
    let mut layout = world.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('playledger/play', 0))")
        .execute(&mut *layout)
        .await
        .unwrap();
    let error = world.sink.store().claim(&[wanted(0)]).await.unwrap_err();
    assert!(matches!(&error, StoreError::Away(_)) && error.to_string().contains("laid out"), "{error}");
    layout.commit().await.unwrap();
    assert_eq!(world.sink.store().claim(&[wanted(0)]).await.unwrap()[0].epoch, 1);
}

#[tokio::test]
async fn a_look_tells_what_a_crash_or_a_rival_has_done_to_partitions() {
    let world = World::new(&database().await).await;
    let mut feed = world.claim(Topic::Sessions, 0).await;
    world.tell(&mut feed, &[report(SESSION, 1), report(Uuid::from_u128(2), 1)]).await;
    let look = async |epoch, next_offset, partition| {
        let partition = TopicPartition::new("play.sessions", partition);
        world.sink.store().look(&[Expected { partition, epoch, next_offset }]).await.unwrap()[0]
    };
    assert_eq!(look(1, 3, 0).await, Standing::Done);
    assert_eq!(look(1, 9, 0).await, Standing::Behind(3), "rows beyond it were lost");
    assert_eq!(look(2, 3, 0).await, Standing::Forgotten, "the claim was lost");
    assert_eq!(look(1, 0, 5).await, Standing::Forgotten, "the row was lost");
    world.claim(Topic::Sessions, 0).await;
    assert_eq!(look(1, 3, 0).await, Standing::Lost);
    // A load whose claim is gone leaves no trace.
    let outcome = world.write(&mut feed, vec![Given::json(&report(Uuid::from_u128(3), 1))]).await;
    assert_eq!((outcome.written.len(), outcome.lost.len()), (0, 1));
    assert_eq!(world.count("SELECT count(*) FROM play.sessions").await, 2);
}
