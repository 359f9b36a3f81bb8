//! Retention, compaction, room.

use super::*;

const HOUR: i64 = 3_600_000;

fn compacted(tombstones: Duration) -> TopicSpec {
    spec("t", 1, Cleanup::Compact { tombstones, retention: None })
}

#[tokio::test]
async fn retention_drops_old_records_from_the_front_and_moves_the_low_end() {
    let retention = Some(Duration::from_hours(1));
    let world = World::with_topic(spec("t", 1, Cleanup::Delete { retention }), Options::default()).await;
    for at in [0, 2 * HOUR, HOUR, 3 * HOUR] {
        append(&world.log, vec![record(0, "k", &at.to_string(), at)]).await;
    }
    let done = world.log.maintain(HOUR + HOUR / 2).await.unwrap();
    assert!(done.expired_bytes > 0);
    assert_eq!(world.log.offsets(&at(0)).await.unwrap(), OffsetRange { low: 1, high: 4 });
    // The record of one hour is behind a younger one: it stays as long as that.
    world.log.maintain(2 * HOUR + HOUR / 2).await.unwrap();
    assert_eq!(world.log.offsets(&at(0)).await.unwrap(), OffsetRange { low: 1, high: 4 });
    world.log.maintain(9 * HOUR).await.unwrap();
    assert_eq!(world.log.offsets(&at(0)).await.unwrap(), OffsetRange { low: 4, high: 4 });
    assert_eq!(append(&world.log, vec![record(0, "k", "new", 9 * HOUR)]).await, [4]);
    let gone = Stretch { partition: at(0), from: 0, until: None };
    let mut reader = world.log.read(ReadRequest { stretches: vec![gone], read_committed: true }).await.unwrap();
    assert!(matches!(reader.next().await, Err(LogError::OutOfRange { wanted: 0, low: 4, high: 5, .. })));
}

#[tokio::test]
async fn many_old_chunks_go_in_steps() {
    let retention = Some(Duration::from_secs(1));
    let world = World::with_topic(spec("t", 1, Cleanup::Delete { retention }), Options::default()).await;
    for n in 0..150 {
        append(&world.log, vec![record(0, "k", "v", n)]).await;
    }
    world.log.maintain(HOUR).await.unwrap();
    assert_eq!(world.log.offsets(&at(0)).await.unwrap(), OffsetRange { low: 150, high: 150 });
    assert_eq!(world.log.offset_at(&at(0), 0).await.unwrap(), None);
}

#[tokio::test]
async fn compaction_keeps_the_newest_of_each_key_at_its_own_offset() {
    let world = World::with_topic(compacted(Duration::from_mins(1)), Options::default()).await;
    append(&world.log, vec![record(0, "a", "1", 1), record(0, "b", "2", 2), record(0, "a", "3", 3)]).await;
    append(&world.log, vec![record(0, "c", "4", 4), record(0, "b", "5", 5)]).await;
    assert_eq!(world.log.maintain(10).await.unwrap().compacted_records, 2);
    let left = read_all(&world.log, 0).await;
    assert_eq!(left.iter().map(|r| r.offset).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(values(&left), ["3", "4", "5"]);
    assert_eq!(world.log.offsets(&at(0)).await.unwrap(), OffsetRange { low: 0, high: 5 });
    append(&world.log, vec![record(0, "a", "6", 6)]).await;
    assert_eq!(world.log.maintain(20).await.unwrap().compacted_records, 1);
    assert_eq!(values(&read_all(&world.log, 0).await), ["4", "5", "6"]);
    assert_eq!(world.log.maintain(30).await.unwrap(), Maintenance::default(), "nothing is left to do");
}

#[tokio::test]
async fn two_processes_that_compact_while_one_appends_lose_no_key() {
    let world = World::with_topic(compacted(Duration::ZERO), Options::default()).await;
    let beside = world.beside().await;
    let compacting = |log: EmbeddedLog| async move {
        for now in 0..40 {
            log.maintain(now).await.unwrap();
        }
    };
    let writing = async {
        for n in 0..300 {
            append(&world.log, vec![record(0, &format!("k{}", n % 7), &n.to_string(), n)]).await;
        }
        append(&world.log, vec![tombstone(0, "k0", 300)]).await;
    };
    tokio::join!(compacting(world.log.clone()), compacting(beside.clone()), writing);
    for now in 40..44 {
        world.log.maintain(now).await.unwrap();
    }
    let mut left = read_all(&world.log, 0).await;
    left.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(values(&left), ["295", "296", "297", "298", "299", "293"], "k1 to k6, and nothing of k0");
}

#[tokio::test]
async fn a_time_whose_record_was_compacted_away_leads_to_the_next() {
    let world = World::with_topic(compacted(Duration::from_mins(1)), Options::default()).await;
    append(&world.log, vec![record(0, "a", "old", 100)]).await;
    append(&world.log, vec![record(0, "b", "2", 50)]).await;
    append(&world.log, vec![record(0, "a", "new", 90)]).await;
    world.log.maintain(1_000).await.unwrap();
    assert_eq!(world.log.offset_at(&at(0), 80).await.unwrap(), Some(2));
    assert_eq!(world.log.offset_at(&at(0), 95).await.unwrap(), None);
    assert_eq!(world.log.offset_at(&at(0), 10).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_tombstone_stays_its_time_and_then_nothing_of_its_key_is_left() {
    let world = World::with_topic(compacted(Duration::from_mins(1)), Options::default()).await;
    append(&world.log, vec![record(0, "a", "1", 1), record(0, "b", "2", 2), tombstone(0, "a", 3)]).await;
    world.log.maintain(1_000).await.unwrap();
    assert_eq!(values(&read_all(&world.log, 0).await), ["2", "-"]);
    world.log.maintain(60_000).await.unwrap();
    assert_eq!(values(&read_all(&world.log, 0).await), ["2", "-"], "its time counts from the first round");
    world.log.maintain(61_000).await.unwrap();
    assert_eq!(values(&read_all(&world.log, 0).await), ["2"]);
    assert_eq!(world.log.offsets(&at(0)).await.unwrap(), OffsetRange { low: 0, high: 3 });
}

#[tokio::test]
async fn a_member_passes_over_what_compaction_has_emptied() {
    let world = World::with_topic(compacted(Duration::ZERO), Options::default()).await;
    for n in 0..5 {
        append(&world.log, vec![record(0, "a", &n.to_string(), n)]).await;
    }
    append(&world.log, vec![tombstone(0, "a", 9)]).await;
    world.log.maintain(10).await.unwrap();
    world.log.maintain(20).await.unwrap();
    assert!(read_all(&world.log, 0).await.is_empty());
    let mut member = join(&world.log, "one").await;
    assigned(&mut member).await;
    assert!(matches!(next(&mut member).await, GroupEvent::Records(b) if b.records.is_empty() && b.next_offset == 6));
    assert!(matches!(next(&mut member).await, GroupEvent::CaughtUp { position: 6, .. }));
}

#[tokio::test]
async fn room_is_given_back_to_the_disk() {
    let retention = Some(Duration::from_secs(1));
    let world = World::with_topic(spec("t", 1, Cleanup::Delete { retention }), Options::default()).await;
    let value = "x".repeat(1_000);
    append(&world.log, (0..30_000).map(|n| record(0, "k", &value, n)).collect()).await;
    world.log.close().await;
    let full = std::fs::metadata(world.path()).unwrap().len();
    let log = world.beside().await;
    let done = log.maintain(HOUR).await.unwrap();
    assert!(done.returned_bytes > 15_000_000, "{done:?}");
    log.close().await;
    let left = std::fs::metadata(world.path()).unwrap().len();
    assert!(full > 30_000_000 && left < 12_000_000, "from {full} to {left} bytes");
}

#[tokio::test]
async fn a_truncated_partition_starts_exactly_at_the_offset_asked_for() {
    let world = World::with_partitions(1).await;
    append(&world.log, (0..10).map(|n| record(0, "k", &n.to_string(), n)).collect()).await;
    append(&world.log, (10..20).map(|n| record(0, "k", &n.to_string(), n)).collect()).await;
    // The last is below what is left: nothing changes.
    for (below, low) in [(0, 0), (4, 4), (10, 10), (15, 15), (3, 15)] {
        world.log.truncate(&at(0), below).await.unwrap();
        assert_eq!(world.log.offsets(&at(0)).await.unwrap(), OffsetRange { low, high: 20 });
        assert_eq!(read_all(&world.log, 0).await.first().map(|r| r.offset), Some(low));
        assert_eq!(world.log.offset_at(&at(0), 0).await.unwrap(), Some(low));
    }
    assert!(matches!(world.log.truncate(&at(0), 21).await, Err(LogError::OutOfRange { high: 20, .. })));
    world.log.truncate(&at(0), 20).await.unwrap();
    assert!(read_all(&world.log, 0).await.is_empty());
    assert_eq!(append(&world.log, vec![record(0, "k", "next", 1)]).await, [20]);
}

#[tokio::test]
async fn a_topic_made_again_is_another_for_every_process() {
    let world = World::with_partitions(1).await;
    let beside = world.beside().await;
    append(&world.log, vec![record(0, "a", "1", 1)]).await;
    let (first, stretch) = (beside.topic("t").await.unwrap(), Stretch { partition: at(0), from: 0, until: None });
    let mut reader = beside.read(ReadRequest { stretches: vec![stretch], read_committed: true }).await.unwrap();
    world.log.delete_topic("t").await.unwrap();
    assert!(matches!(world.log.topic("t").await, Err(LogError::NotFound(_))));
    assert!(matches!(reader.next().await, Err(LogError::NotFound(_))));
    world.log.ensure_topics(&[spec("t", 2, Cleanup::Delete { retention: None })]).await.unwrap();
    let second = loop {
        let seen = beside.topic("t").await;
        if let Ok(seen) = seen.as_ref()
            && *seen != first
        {
            break seen.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_ne!(second.id, first.id);
    assert_eq!(second.partitions, 2);
    assert_eq!(append(&beside, vec![record(1, "b", "2", 2)]).await, [0]);
    assert!(read_all(&world.log, 0).await.is_empty());
}
