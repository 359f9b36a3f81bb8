//! Records of play.events that are none.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use schemas::record::quarantine::{Headers, Reason};
use serde_json::json;

use super::load::{Load, now_ms};
use super::{settle, workers};

const LARGE: usize = 900 << 10;

/// One of each kind.
fn kinds() -> Vec<Option<Vec<u8>>> {
    let stamp = |event: serde_json::Value| {
        json!({
            "v": 1, "tenant": "acme", "game": "demo", "received_at": "2026-01-05T08:00:00.000Z", "request_id": "r",
            "key_id": "k", "gateway": "g", "event": event,
        })
    };
    let own = |text: &str| Some(text.as_bytes().to_vec());
    vec![
        None,
        own(""),
        own("no record at all"),
        own("{\"v\":1"),
        own("[1,2,3]"),
        own("{\"v\":1}"),
        own(&stamp(json!({})).to_string()),
        own(&stamp(json!({"event_id": "x", "session_id": 7})).to_string()),
        own(&stamp(json!("text")).to_string()),
        own(&"[".repeat(10_000)),
        Some(vec![0xff, 0xfe, b'{', 0, b'}', 0]),
        Some(vec![b'x'; LARGE]),
        own(&json!({"v": 1, "tenant": "acme", "much": "y".repeat(LARGE)}).to_string()),
        own(&stamp(json!({"event_id": "z".repeat(LARGE)})).to_string()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_set_aside_from_its_true_place_in_its_own_bytes_and_the_rest_is_exact() -> anyhow::Result<()> {
    let mut world = workers(&[])?;
    world.start("one")?;
    let feed = Arc::new(world.feed()?);
    let load = Load::begin(&feed, 24, 500);
    let mut sent = BTreeMap::new();
    for turn in 0..3 {
        for (kind, value) in kinds().into_iter().enumerate() {
            load.sends(20).await?;
            let mark = feed.raw(format!("key-{turn}-{kind}").as_bytes(), value.as_deref(), now_ms())?;
            sent.insert(mark, value.unwrap_or_default());
        }
        // In the midst of it all: what is set aside is part of the commit.
        world.kill("one")?;
        world.again("one")?;
    }
    world.ready("one")?;
    load.sends(200).await?;
    load.end()?;
    let content = settle("24", &world, &feed).await?;

    let places = feed.places();
    let mut found = BTreeMap::new();
    for record in &content.quarantine {
        let headers = Headers::parse(|name| record.headers.get(name))?;
        if headers.reason == Reason::Poison {
            let origin = headers.origin.context("it tells no place")?;
            ensure!(origin.topic == world.topic("events"), "it lay in {}", origin.topic);
            found.insert((origin.partition, origin.offset), record.value.clone().unwrap_or_default());
        }
    }
    for (mark, value) in &sent {
        let place = places.get(mark).context("the broker told no place")?;
        let kept = found.remove(place).with_context(|| format!("nothing of {place:?} is in the quarantine"))?;
        ensure!(kept == *value, "what lay at {place:?} is kept in other bytes, {} of {}", kept.len(), value.len());
    }
    ensure!(found.is_empty(), "set aside as poison, and none: {:?}", found.keys());
    println!(
        "24: {} records of {} kinds of poison, each from its true place in its own bytes",
        sent.len(),
        kinds().len()
    );
    world.terminate_all()
}
