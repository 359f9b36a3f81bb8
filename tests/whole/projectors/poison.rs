//! Records that are none, in every topic that a projector reads.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use schemas::record::quarantine::{Headers, Reason};
use serde_json::json;

use super::World;

const LARGE: usize = 900 << 10;

fn kinds() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        b"no record at all".to_vec(),
        b"{\"v\":1".to_vec(),
        b"[1,2,3]".to_vec(),
        b"{\"v\":1}".to_vec(),
        json!({"v": 1, "tenant": "acme", "game": "demo", "session": 7}).to_string().into_bytes(),
        "[".repeat(10_000).into_bytes(),
        vec![0xff, 0xfe, b'{', 0, b'}', 0],
        vec![b'x'; LARGE],
        json!({"v": 1, "tenant": "acme", "much": "y".repeat(LARGE)}).to_string().into_bytes(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_set_aside_from_its_true_place_in_its_own_bytes_and_the_rest_is_exact() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["one"]).await?;
    let flow = world.flow(24)?;
    let topics = ["sessions", "live", "activity", "outcomes"];
    let mut sent: BTreeMap<(String, i32, i64), Vec<u8>> = BTreeMap::new();
    for topic in topics {
        let feed = world.projectors.feed(topic)?;
        let mut marks = BTreeMap::new();
        for (kind, value) in kinds().into_iter().enumerate() {
            let mark = feed.raw_now(format!("key-{kind}").as_bytes(), Some(&value))?;
            marks.insert(mark, value);
            flow.sends(20).await?;
        }
        feed.flush().await?;
        for (mark, (partition, offset)) in feed.places() {
            sent.insert((world.projectors.topic(topic), partition, offset), marks.remove(&mark).context("a mark")?);
        }
        ensure!(marks.is_empty(), "the broker told no place of {} records", marks.len());
    }
    world.settle("24, projector", flow).await?;

    let mut found = 0;
    for record in world.projectors.read("quarantine").await?.iter().flatten() {
        let headers = Headers::parse(|name| record.headers.get(name))?;
        ensure!(headers.reason == Reason::Poison, "{:?}", headers.reason);
        let origin = headers.origin.context("it tells no place")?;
        let place = (origin.topic, origin.partition, origin.offset);
        let value = sent.remove(&place).with_context(|| format!("{place:?} is no poison, or told twice"))?;
        ensure!(record.value.as_deref().unwrap_or_default() == value, "what lay at {place:?} is kept in other bytes");
        found += 1;
    }
    ensure!(sent.is_empty(), "not set aside: {:?}", sent.keys());
    let refused = world.projectors.count("one", "playledger_projector_refused_total").await?;
    println!(
        "24, projector: {found} records of {} kinds of poison in {} topics, each once from its true place in its own \
              bytes; {refused} counted",
        kinds().len(),
        topics.len()
    );
    ensure!(refused == found, "{refused} counted");
    world.projectors.terminate_all()
}
