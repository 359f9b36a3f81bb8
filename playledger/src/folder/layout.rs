//! The folder's version, identity and kind of log.

use std::path::Path;

use anyhow::bail;
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
    let layout = Layout::parse(&text).map_err(|fault| anyhow::anyhow!("{place}: {fault}: {}", fault.advice()))?;
    if layout.log != log {
        let (was, is) = match layout.log {
            LogKind::Embedded => ("the log in the folder", "leave --kafka out"),
            LogKind::Kafka => ("a Kafka broker", "give --kafka HOST:PORT"),
        };
        bail!("{}: its tables were made from {was}: {is}, or name another folder with --data", folder.display());
    }
    Ok(layout)
}

/// Why the text of a layout file can't be gone by.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A newer version of Playledger made it: all else may look otherwise there.
    #[error("the folder was made by a newer Playledger ({made_by}; layout {layout}, this one knows {LAYOUT})")]
    Newer {
        /// The version of Playledger.
        made_by: String,
        /// The version of the layout.
        layout: u32,
    },
    /// It is something else, or damaged.
    #[error("is not a layout file ({0})")]
    Unreadable(#[from] serde_json::Error),
}

impl Fault {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "use that version, or another folder with --data",
            Self::Unreadable(_) => "restore it, or name another folder with --data",
        }
    }
}

impl Layout {
    /// Reads the text of a layout file: the version first, because a newer one may look otherwise in
    /// all else.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn parse(text: &str) -> Result<Self, Fault> {
        #[derive(Deserialize)]
        struct Version {
            layout: u32,
            #[serde(default)]
            made_by: String,
        }
        let Version { layout, made_by } = serde_json::from_str(text)?;
        if layout > LAYOUT {
            return Err(Fault::Newer { made_by, layout });
        }
        Ok(serde_json::from_str(text)?)
    }
}
