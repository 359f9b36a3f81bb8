//! Reading without a group.

use std::time::Duration;

use eventlog::{Commit, ReadRequest, Stretch, TopicPartition};

use super::world::{World, now_ms, number, numbered, numbers, within};

pub async fn ends_are_exact_where_markers_take_offsets(world: &World) {
    let (input, output) = (world.topic(1).await, TopicPartition::new(world.topic(1).await, 0));
    let (writer, _) = world.join(World::member(&world.name("group"), "a", &input)).await;
    for round in 0..6_u32 {
        let outputs = (0..=round).map(|i| numbered(&output, round * 10 + i)).collect();
        within(30, writer.committer().commit(Commit { outputs, offsets: vec![] })).await.unwrap();
    }
    let range = world.log.offsets(&output).await.unwrap();
    let all = world.read_all(&output).await;
    assert_eq!(all.len(), 1 + 2 + 3 + 4 + 5 + 6);
    // Every pair of ends, whether a record or a marker lies there: `read` checks the positions, too.
    for from in (range.low..=range.high).step_by(3) {
        for until in from..=range.high {
            let expected: Vec<u32> = all.iter().filter(|r| (from..until).contains(&r.offset)).map(number).collect();
            assert_eq!(numbers(&world.read(&output, from, until).await), expected, "{from}..{until}");
        }
    }
}

pub async fn several_stretches_are_read_at_once(world: &World) {
    let (one, two) = (world.topic(2).await, world.topic(2).await);
    let mut stretches = Vec::new();
    for (index, (topic, partition)) in [(&one, 0), (&one, 1), (&two, 0), (&two, 1)].into_iter().enumerate() {
        let partition = TopicPartition::new(topic.as_str(), partition);
        let first = u32::try_from(index).unwrap() * 1_000;
        world.fill(&partition, first..first + 500).await;
        let (from, until) = [(0, 500), (100, 400), (0, 0), (499, 500)][index];
        stretches.push(Stretch { partition, from, until: Some(until) });
    }
    let request = ReadRequest { stretches: stretches.clone(), read_committed: false };
    let mut reader = world.log.read(request).await.unwrap();
    assert_eq!(reader.positions(), [0, 100, 0, 499]);
    let mut read = vec![Vec::new(); 4];
    while let Some(batch) = within(30, reader.next()).await.unwrap() {
        let index = stretches.iter().position(|stretch| stretch.partition == batch.partition).unwrap();
        assert_eq!(reader.positions()[index], batch.next_offset);
        read[index].extend(numbers(&batch.records));
    }
    assert_eq!(read[0], (0..500).collect::<Vec<_>>());
    assert_eq!(read[1], (1_100..1_400).collect::<Vec<_>>());
    assert_eq!(read[2], [0_u32; 0]);
    assert_eq!(read[3], [3_499]);
    assert_eq!(reader.positions(), [500, 400, 0, 500]);
}

pub async fn a_reader_without_an_end_goes_on(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    let stretches = vec![Stretch { partition: partition.clone(), from: 0, until: None }];
    let mut reader = world.log.read(ReadRequest { stretches, read_committed: true }).await.unwrap();
    let mut read = Vec::new();
    for round in 0..5 {
        // A call that is given up loses nothing.
        while let Ok(next) = tokio::time::timeout(Duration::from_millis(50), reader.next()).await {
            read.extend(numbers(&next.unwrap().unwrap().records));
        }
        world.fill(&partition, round * 100..(round + 1) * 100).await;
    }
    within(30, async {
        while read.len() < 500 {
            read.extend(numbers(&reader.next().await.unwrap().unwrap().records));
        }
    })
    .await;
    assert_eq!(read, (0..500).collect::<Vec<_>>());
    assert_eq!(reader.positions(), [500]);
}

pub async fn offsets_are_found_by_time(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    let start = now_ms() - 1_000_000;
    let appender = world.appender().await;
    for number in 0..20_u32 {
        let mut record = numbered(&partition, number);
        record.timestamp_ms = start + i64::from(number) * 1_000;
        within(30, appender.append(vec![record]).unwrap().kept()).await.unwrap();
    }
    for (at, expected) in [
        (0, Some(0)),
        (start, Some(0)),
        (start + 1, Some(1)),
        (start + 5_000, Some(5)),
        (start + 18_001, Some(19)),
        (start + 19_001, None),
    ] {
        assert_eq!(world.log.offset_at(&partition, at).await.unwrap(), expected, "{}", at - start);
    }
    let empty = TopicPartition::new(world.topic(1).await, 0);
    assert_eq!(world.log.offset_at(&empty, 0).await.unwrap(), None);
}

pub async fn state_is_restored_up_to_the_high_watermark(world: &World) {
    let (input, state) = (world.topic(1).await, TopicPartition::new(world.topic(1).await, 0));
    let (writer, _) = world.join(World::member(&world.name("group"), "a", &input)).await;
    let committer = writer.committer();
    let of = state.clone();
    let writing = tokio::spawn(async move {
        for round in 0..10_u32 {
            let outputs = (round * 2_000..(round + 1) * 2_000).map(|n| numbered(&of, n)).collect();
            within(60, committer.commit(Commit { outputs, offsets: vec![] })).await.unwrap();
        }
    });
    // While transactions are open: the end taken now lies in the midst of one, mostly.
    while !writing.is_finished() {
        let high = world.log.offsets(&state).await.unwrap().high;
        let restored = numbers(&world.read(&state, 0, high).await);
        assert_eq!(restored, (0..u32::try_from(restored.len()).unwrap()).collect::<Vec<_>>());
        let markers = 10;
        assert!(restored.len() + markers >= usize::try_from(high).unwrap(), "{} of {high}", restored.len());
    }
    writing.await.unwrap();
    assert_eq!(world.read_all(&state).await.len(), 20_000);
}
