//! Workers as processes on a real broker while things break: reports equal the reference, every event counts once.
//!
//! What lies in the topics when all is over is judged by the oracle that judges the simulated histories: it reads the
//! topics alone.

mod brokers;
mod clock;
mod content;
mod delayed;
mod handed_over;
mod killed;
mod load;
#[expect(unreachable_pub, dead_code, reason = "another test's module, which has a second run to compare with")]
#[path = "../../../feature-worker/tests/simulation/oracle/mod.rs"]
mod oracle;
mod orders;
mod poison;
mod rolling;
mod scaled;
mod stopped;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use playledger_tests::behind;
use playledger_tests::feed::Feed;
use playledger_tests::world::{Shape, Workers};

use content::Content;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(3);
const PARTITIONS: u32 = 6;
/// Flags of workers, and what they say where a test does not say otherwise: sessions run out while it waits for it, and
/// who is stopped or killed is missed after 3 s.
const FLAGS: [(&str, &str); 7] = [
    ("--games", concat!(env!("CARGO_MANIFEST_DIR"), "/whole/workers/games.toml")),
    ("--session-timeout", "4s"),
    ("--grace", "2s"),
    ("--late-margin", "2s"),
    ("--commit-interval", "50ms"),
    ("--on-stop", "leave"),
    ("--kafka-set", "session.timeout.ms=3000"),
];

/// Workers on the shared broker.
fn workers(other: &[(&str, &str)]) -> anyhow::Result<Workers> {
    Workers::on(behind::shared(), shape(1, other))
}

fn shape(replication: u32, other: &[(&str, &str)]) -> Shape {
    let value = |flag: &str| other.iter().find(|(name, _)| *name == flag).map(|(_, value)| *value);
    let flags = FLAGS.iter().flat_map(|(flag, usual)| [(*flag).to_owned(), value(flag).unwrap_or(usual).to_owned()]);
    Shape { partitions: PARTITIONS, replication, flags: flags.collect() }
}

/// Waits until all that was sent has come to its end, judges what is left, and tells the counts.
async fn settle(row: &str, world: &Workers, feed: &Feed) -> anyhow::Result<Content> {
    let sent = feed.flush().await?;
    let content = ended(world).await?;
    let events: usize = content.events.iter().map(Vec::len).sum();
    println!("{row}: {sent} records sent; {content}");
    ensure!(events as u64 == sent, "{events} records are in the topic");
    oracle::judge(&content).map_err(|why| anyhow::anyhow!("{row}: {why}"))?;
    Ok(content)
}

/// What the topics hold when every session has come to its end.
async fn ended(world: &Workers) -> anyhow::Result<Content> {
    let began = Instant::now();
    loop {
        let standing = world.standing().await?;
        // Cheaper than to read everything.
        let behind = standing.iter().find(|(end, next)| next.unwrap_or_default() < *end);
        let open = if let Some(behind) = behind {
            Some(format!("the group is behind: {behind:?}"))
        } else {
            let content = Content::read(world).await.context("reading the topics")?;
            match content.open() {
                None => return Ok(content),
                open => open,
            }
        };
        ensure!(began.elapsed() < PATIENCE, "after {PATIENCE:?} not at its end: {open:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
