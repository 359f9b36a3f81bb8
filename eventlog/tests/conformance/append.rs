//! Appending.

use std::time::{Duration, Instant};

use bytes::Bytes;
use eventlog::{AppendError, AppendOptions, Headers, NewRecord, TopicPartition};

use super::world::{World, now_ms, numbered, numbers, within};

pub async fn records_keep_their_order_within_a_partition(world: &World) {
    let topic = world.topic(3).await;
    let appender = world.appender().await;
    let mut pending = Vec::new();
    for request in 0..200_u32 {
        // Requests of many sizes, each over all three partitions.
        let records: Vec<_> = (0..=(request % 11))
            .map(|i| numbered(&TopicPartition::new(topic.as_str(), i32::try_from(i % 3).unwrap()), request * 100 + i))
            .collect();
        pending.push((records.clone(), appender.append(records).unwrap()));
    }
    let mut kept = vec![Vec::new(); 3];
    for (records, pending) in pending {
        let offsets = within(30, pending.kept()).await.unwrap();
        assert_eq!(offsets.len(), records.len());
        for (record, offset) in records.into_iter().zip(offsets) {
            kept[usize::try_from(record.partition.partition).unwrap()].push((offset, record.value));
        }
    }
    for (number, kept) in kept.into_iter().enumerate() {
        let partition = TopicPartition::new(topic.as_str(), i32::try_from(number).unwrap());
        let read: Vec<_> = world.read_all(&partition).await.into_iter().map(|r| (r.offset, r.value)).collect();
        assert_eq!(read, kept, "partition {number}");
        assert!(kept.is_sorted_by_key(|(offset, _)| *offset));
    }
}

pub async fn a_record_comes_back_as_it_was_written(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    let record = |key: &'static [u8], value: Option<Bytes>, headers: Headers, timestamp_ms| NewRecord {
        partition: partition.clone(),
        key: Bytes::from_static(key),
        value,
        headers,
        timestamp_ms,
    };
    let headers = Headers::from_pairs([
        ("traceparent", b"00-1".as_slice()),
        ("empty", b""),
        ("raw", &[0, 255, 0]),
        ("traceparent", b"twice"),
        ("größe", "ß".as_bytes()),
    ]);
    let now = now_ms();
    let written = vec![
        record(b"tombstone", None, Headers::new(), now),
        record(b"", Some(Bytes::new()), Headers::new(), now + 1),
        record(&[0, 159, 146, 150], Some(Bytes::from_static(b"\0\xff")), headers, now - 86_400_000),
        record(b"large", Some(Bytes::from(vec![b'x'; 900_000])), Headers::from_pairs([("h", b"v".as_slice())]), now),
        record(b"long ago", Some(Bytes::from_static(b"v")), Headers::new(), 1),
    ];
    let appender = world.appender().await;
    within(30, appender.append(written.clone()).unwrap().kept()).await.unwrap();
    let read = world.read_all(&partition).await;
    assert_eq!(read.len(), written.len());
    for (read, written) in read.into_iter().zip(written) {
        assert_eq!(read.key, written.key);
        assert_eq!(read.value, written.value);
        assert_eq!(read.headers, written.headers);
        assert_eq!(read.timestamp_ms, written.timestamp_ms);
    }
}

pub async fn what_the_log_never_takes_is_refused(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    let appender = world.appender().await;
    within(30, appender.append(vec![numbered(&partition, 0)]).unwrap().kept()).await.unwrap();

    let mut large = numbered(&partition, 1);
    large.value = Some(Bytes::from(noise(2 << 20)));
    let stranger = TopicPartition { partition: 7, ..partition.clone() };
    for refused in [large, numbered(&stranger, 2)] {
        let outcome = match appender.append(vec![refused]) {
            Ok(pending) => within(30, pending.kept()).await,
            Err(error) => Err(error),
        };
        assert!(matches!(outcome, Err(AppendError::Refused(_))), "{outcome:?}");
    }

    within(30, appender.append(vec![numbered(&partition, 3)]).unwrap().kept()).await.unwrap();
    assert_eq!(numbers(&world.read_all(&partition).await), [0, 3]);
}

pub async fn a_full_queue_is_told_at_once_and_takes_nothing(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    let options = AppendOptions { max_records: 100, linger: Duration::from_millis(500), ..AppendOptions::default() };
    let appender = world.log.appender(options).await.unwrap();
    let request = |numbers: std::ops::Range<u32>| numbers.map(|n| numbered(&partition, n)).collect::<Vec<_>>();

    let first = appender.append(request(0..60)).unwrap();
    let started = Instant::now();
    let second = appender.append(request(60..120));
    assert!(matches!(second, Err(AppendError::Full)), "40 places were left for 60 records");
    assert!(started.elapsed() < Duration::from_millis(200), "told after {:?}", started.elapsed());
    let third = appender.append(request(200..240)).unwrap();
    within(30, first.kept()).await.unwrap();
    within(30, third.kept()).await.unwrap();
    let fourth = appender.append(request(300..400)).unwrap();
    within(30, fourth.kept()).await.unwrap();

    let expected: Vec<u32> = (0..60).chain(200..240).chain(300..400).collect();
    assert_eq!(numbers(&world.read_all(&partition).await), expected);

    let small = AppendOptions { max_bytes: 1_000, ..AppendOptions::default() };
    let appender = world.log.appender(small).await.unwrap();
    let mut record = numbered(&partition, 0);
    record.value = Some(Bytes::from(vec![b'x'; 1_001]));
    assert!(matches!(appender.append(vec![record]), Err(AppendError::Full)), "more bytes than may wait");
}

pub async fn flush_waits_for_all_that_was_handed_over(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    let appender = world.appender().await;
    let pending: Vec<_> = (0..50).map(|n| appender.append(vec![numbered(&partition, n)]).unwrap()).collect();
    within(30, appender.flush(Duration::from_secs(20))).await.unwrap();
    assert_eq!(appender.backlog().records, 0);
    assert_eq!(appender.backlog().oldest, Duration::ZERO);
    assert_eq!(world.read_all(&partition).await.len(), 50);
    for pending in pending {
        // Known already: no waiting.
        within(1, pending.kept()).await.unwrap();
    }
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(length)
    .collect()
}
