//! A worker that is told to end while there is more than it can do.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_at_peak_ends_in_time_and_the_next_owner_goes_on_where_it_ended() {
    let world = Arc::new(World::new().await);
    let sessions = sessions(8_000, 300);
    let events: Vec<Value> = sessions.concat();
    let mut worker = world.worker("w1");
    let now = worker.0.clock.now_ms();
    let writer = {
        let (world, events) = (Arc::clone(&world), events.clone());
        tokio::spawn(async move {
            for chunk in events.chunks(500) {
                world.append(chunk, now).await;
            }
        })
    };
    let mut drains = 0;
    while !writer.is_finished() {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // It ends within 25 s and without an error, or this fails.
        stop(worker).await;
        drains += 1;
        worker = world.worker("w1");
    }
    writer.await.unwrap();
    assert!(drains > 0);
    let reports = world.until_final(sessions.len()).await;
    assert_equal(&reports, &sessions);
    stop(worker).await;
    assert_eq!(world.books().await, (events.len() as u64, 0));
}
