//! The folder's version, identity and kind of log.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::file::{read_if_there, write_private};

/// The version of the layout that this build reads and writes.
pub const LAYOUT: u32 = 1;

/// Where it is written down.
pub(super) const FILE: &str = "layout.json";

/// What a folder says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Layout {
    /// Version of the layout.
    pub layout: u32,
    /// Names the folder, wherever it is moved.
    pub id: Uuid,
    /// Which log its tables were made from.
    pub log: LogKind,
    /// The version of Playledger that made it.
    pub made_by: String,
}

/// Which log stands behind local mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// The one in the folder.
    Embedded,
    /// A broker's.
    Kafka,
}

/// Reads the layout of a folder that is held; writes it for a new one.
pub(super) fn open(folder: &Path, log: LogKind) -> anyhow::Result<Layout> {
    let path = folder.join(FILE);
    let place = path.display();
    let Some(text) = read_if_there(&path)? else {
        let layout = Layout { layout: LAYOUT, id: Uuid::new_v4(), log, made_by: env!("CARGO_PKG_VERSION").to_owned() };
        write_private(&path, &serde_json::to_vec(&layout)?)?;
        return Ok(layout);
    };
    judge_version(&text).map_err(|error| anyhow::anyhow!("{place}: {error:#}"))?;
    let layout: Layout = serde_json::from_str(&text)
        .with_context(|| format!("{place}: is not a layout file: restore it, or name another folder with --data"))?;
    if layout.log != log {
        let (was, is) = match layout.log {
            LogKind::Embedded => ("the log in the folder", "leave --kafka out"),
            LogKind::Kafka => ("a Kafka broker", "give --kafka HOST:PORT"),
        };
        bail!("{}: its tables were made from {was}: {is}, or name another folder with --data", folder.display());
    }
    Ok(layout)
}

/// Judges the version alone: all else may look otherwise in a newer one.
fn judge_version(text: &str) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Version {
        layout: u32,
        #[serde(default)]
        made_by: String,
    }
    let found: Version =
        serde_json::from_str(text).context("is not a layout file: restore it, or name another folder with --data")?;
    if found.layout > LAYOUT {
        bail!(
            "the folder was made by a newer Playledger ({}; layout {}, this one knows {LAYOUT}): use that version, or another folder with --data",
            found.made_by,
            found.layout
        );
    }
    Ok(())
}
