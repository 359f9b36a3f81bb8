//! Real play: the WAVES sessions of `tests/data`, and what the reference definitions make of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value};
use uuid::Uuid;

/// The 10,049 events of 49 sessions, as a client sends them, in order of session and seq.
pub fn events() -> anyhow::Result<Vec<Value>> {
    lines("waves.ndjson")
}

/// The reference metrics by session.
pub fn metrics() -> anyhow::Result<BTreeMap<Uuid, Map<String, Value>>> {
    lines("waves.metrics.ndjson")?
        .into_iter()
        .map(|row| {
            let Value::Object(mut row) = row else { anyhow::bail!("a line is no object") };
            let session = row.remove("session_id").and_then(|id| id.as_str()?.parse().ok()).context("no session_id")?;
            row.remove("player_id");
            Ok((session, row))
        })
        .collect()
}

fn lines(file: &str) -> anyhow::Result<Vec<Value>> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
