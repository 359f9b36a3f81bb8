//! What `projector status` prints.

use anyhow::Context as _;
use serde_json::Value;

use super::{ALL, World};

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_every_partition_its_lag_and_both_versions() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    world.start(&["one"]).await?;
    let flow = world.flow(70)?;
    flow.sends(200).await?;
    flow.end().await?;
    world.follows().await?;
    let status = world.projectors.terminate("one")?;
    assert!(status.success(), "{status}");
    // What comes while nobody projects.
    let feed = world.projectors.feed("sessions")?;
    for n in 0..7 {
        feed.raw_now(format!("acme/p-{n}").as_bytes(), Some(b"{}"))?;
    }
    feed.flush().await?;
    let url = world.url();
    let text = world.blocking(|_| world.projectors.command(&["status"], &url))?;
    println!("{}", text.lines().take(9).collect::<Vec<_>>().join("\n"));
    assert!(text.contains("as this projector knows it") && text.contains("Postgres 1"), "{text}");
    assert!(text.contains(&format!("behind     7 offsets in {ALL} partitions")), "{text}");
    let json = world.blocking(|_| world.projectors.command(&["status", "--json"], &url))?;
    let told: Value = serde_json::from_str(json.trim())?;
    let partitions = told["partitions"].as_array().context("partitions")?;
    assert_eq!(partitions.len(), usize::try_from(ALL)?);
    for line in partitions {
        assert_eq!(line["note"], "", "{line}");
        let (next, end) = (line["next_offset"].as_i64(), line["end"].as_i64());
        assert_eq!(line["lag"].as_i64(), end.zip(next).map(|(end, next)| end - next), "{line}");
    }
    assert_eq!(told["lag"], 7);
    Ok(())
}
