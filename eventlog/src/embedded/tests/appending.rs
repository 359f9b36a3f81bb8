//! Appending, reading, looking up by time.

use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn records_come_back_in_order_with_all_they_had() {
    let world = World::with_partitions(2).await;
    let first =
        append(&world.log, vec![record(0, "a", "1", 10), record(1, "b", "2", 20), record(0, "c", "3", 30)]).await;
    assert_eq!(first, [0, 0, 1]);
    assert_eq!(append(&world.log, vec![tombstone(0, "a", 5)]).await, [2]);
    let read = read_all(&world.log, 0).await;
    assert_eq!(values(&read), ["1", "3", "-"]);
    assert_eq!(read.iter().map(|r| (r.offset, r.timestamp_ms)).collect::<Vec<_>>(), [(0, 10), (1, 30), (2, 5)]);
    assert_eq!(read[1].headers.get("id"), Some(b"c".as_slice()));
    assert_eq!(read[2].value, None);
    assert_eq!(world.log.offsets(&at(0)).await.unwrap(), OffsetRange { low: 0, high: 3 });
}

#[tokio::test]
async fn what_was_acknowledged_is_there_when_the_file_is_opened_again() {
    let world = World::with_partitions(1).await;
    append(&world.log, vec![record(0, "a", "1", 10)]).await;
    let id = world.log.topic("t").await.unwrap().id;
    world.log.close().await;
    let again = world.beside().await;
    assert_eq!(again.topic("t").await.unwrap().id, id);
    assert_eq!(values(&read_all(&again, 0).await), ["1"]);
}

#[tokio::test]
async fn many_callers_share_transactions_and_each_gets_its_offsets() {
    let world = World::with_partitions(1).await;
    let appender = world.log.appender(AppendOptions::default()).await.unwrap();
    let pending: Vec<_> = (0..500).map(|n| appender.append(vec![record(0, "k", &n.to_string(), n)]).unwrap()).collect();
    for (wanted, pending) in (0..).zip(pending) {
        assert_eq!(pending.kept().await.unwrap(), [wanted]);
    }
    assert_eq!(appender.backlog().records, 0);
    let wanted: Vec<_> = (0..500).map(|n| n.to_string()).collect();
    assert_eq!(values(&read_all(&world.log, 0).await), wanted);
}

#[tokio::test]
async fn large_batches_span_chunks_and_any_stretch_of_them_is_exact() {
    let world = World::with_partitions(1).await;
    let value = "x".repeat(300);
    append(&world.log, (0..2_000).map(|n| record(0, "k", &value, n)).collect()).await;
    for (from, until) in [(0, 2_000), (1, 1_999), (777, 778), (500, 1_500), (2_000, 2_000)] {
        let stretch = Stretch { partition: at(0), from, until: Some(until) };
        let mut reader = world.log.read(ReadRequest { stretches: vec![stretch], read_committed: false }).await.unwrap();
        let mut offsets = Vec::new();
        while let Some(batch) = reader.next().await.unwrap() {
            offsets.extend(batch.records.iter().map(|r| r.offset));
        }
        assert_eq!(offsets, (from..until).collect::<Vec<_>>());
        assert_eq!(reader.positions(), [until]);
    }
}

#[tokio::test]
async fn a_reader_without_end_is_woken_by_an_append() {
    let world = World::with_partitions(1).await;
    let stretch = Stretch { partition: at(0), from: 0, until: None };
    let mut reader = world.log.read(ReadRequest { stretches: vec![stretch], read_committed: true }).await.unwrap();
    let cut_short = tokio::time::timeout(Duration::from_millis(50), reader.next()).await;
    assert!(cut_short.is_err(), "there is nothing to read yet");
    let (batch, _) = tokio::join!(reader.next(), append(&world.log, vec![record(0, "a", "1", 1)]));
    assert_eq!(values(&batch.unwrap().unwrap().records), ["1"]);
}

#[tokio::test]
async fn an_appender_refuses_what_has_no_room_and_what_no_topic_takes() {
    let world = World::with_partitions(1).await;
    let tight = AppendOptions { max_records: 2, linger: Duration::from_millis(100), ..AppendOptions::default() };
    let appender = world.log.appender(tight).await.unwrap();
    let kept = appender.append(vec![record(0, "a", "1", 1), record(0, "b", "2", 2)]).unwrap();
    assert!(matches!(appender.append(vec![record(0, "c", "3", 3)]), Err(crate::AppendError::Full)));
    assert_eq!(appender.backlog().records, 2);
    assert_eq!(kept.kept().await.unwrap(), [0, 1]);
    for wrong in [record(7, "a", "1", 1), record(0, "a", &"x".repeat(2 << 20), 1)] {
        let outcome = appender.append(vec![record(0, "ok", "4", 4), wrong]).unwrap().kept().await;
        assert!(matches!(outcome, Err(crate::AppendError::Refused(_))), "{outcome:?}");
    }
    appender.flush(Duration::from_secs(5)).await.unwrap();
    assert_eq!(values(&read_all(&world.log, 0).await), ["1", "2"], "a refused batch leaves no trace");
}

#[tokio::test]
async fn topics_are_made_once_and_differences_are_told() {
    let world = World::with_partitions(2).await;
    let same = spec("t", 2, Cleanup::Delete { retention: None });
    let other = spec("t", 3, Cleanup::Delete { retention: Some(Duration::from_secs(9)) });
    let state = |checks: Vec<TopicCheck>| checks.into_iter().next().unwrap().state;
    assert_eq!(state(world.log.ensure_topics(&[same]).await.unwrap()), TopicState::Matches);
    let TopicState::Differs(differences) = state(world.log.check_topics(&[other]).await.unwrap()) else {
        panic!("a difference was missed")
    };
    assert_eq!(differences.len(), 2, "{differences:?}");
    let missing = spec("u", 1, Cleanup::Delete { retention: None });
    assert_eq!(state(world.log.check_topics(&[missing]).await.unwrap()), TopicState::Missing);
    assert!(matches!(world.log.topic("u").await, Err(LogError::NotFound(_))));
    assert!(matches!(world.log.offsets(&at(2)).await, Err(LogError::NotFound(_))));
    let impossible = spec("v", 0, Cleanup::Delete { retention: None });
    assert!(matches!(world.log.ensure_topics(&[impossible]).await, Err(LogError::Invalid(_))));
}

#[tokio::test]
async fn a_topic_made_for_smaller_records_is_widened_and_otherwise_left_as_it_is() {
    let world = World::with_partitions(2).await;
    let appender = world.log.appender(AppendOptions::default()).await.unwrap();
    let large = || vec![record(0, "a", &"x".repeat(2 << 20), 1)];
    assert!(appender.append(large()).unwrap().kept().await.is_err());
    let is = spec("t", 2, Cleanup::Delete { retention: None });
    let wide = TopicSpec { max_message_bytes: 4 << 20, ..is.clone() };
    let missing = TopicSpec { max_message_bytes: 4 << 20, ..spec("u", 1, Cleanup::Delete { retention: None }) };
    world.log.widen_topics(&[wide.clone(), missing]).await.unwrap();
    // Narrower than it is: left alone.
    world.log.widen_topics(&[is]).await.unwrap();
    let checks = world.log.check_topics(&[wide]).await.unwrap();
    assert_eq!(checks[0].state, TopicState::Matches);
    assert!(matches!(world.log.topic("u").await, Err(LogError::NotFound(_))));
    appender.append(large()).unwrap().kept().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_look_up_by_time_finds_the_first_record_at_or_after_it(
        batches in prop::collection::vec(prop::collection::vec(0_i64..60, 1..6), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::with_partitions(2).await;
            for batch in &batches {
                append(&world.log, batch.iter().map(|ts| record(1, "k", "v", *ts)).collect()).await;
            }
            let all: Vec<i64> = batches.iter().flatten().copied().collect();
            for wanted in -1..61 {
                let expected = all.iter().position(|ts| *ts >= wanted).map(|at| i64::try_from(at).unwrap());
                prop_assert_eq!(world.log.offset_at(&at(1), wanted).await.unwrap(), expected);
            }
            prop_assert_eq!(world.log.offset_at(&at(0), 0).await.unwrap(), None);
            Ok(())
        })?;
    }
}
