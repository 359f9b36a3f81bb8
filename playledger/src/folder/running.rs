//! Where the `up` on a folder serves: how the other commands find it.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::file::{read_if_there, write_private};

/// The file that says it.
const FILE: &str = "running.json";

/// What `up --json` prints, and what it writes down for the other commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The gateway's URL.
    pub gateway: String,
    /// The dashboard's URL.
    pub dashboard: String,
    /// The URL of /livez, /readyz and /metrics.
    pub ops: String,
    /// The tables, with user and password.
    pub database_url: String,
    /// The key that may do everything for tenant `local`, game `demo`.
    pub api_key: String,
    /// The data folder.
    pub data: String,
}

impl Running {
    /// Writes it into the folder.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        write_private(&folder.join(FILE), &serde_json::to_vec(self)?)
    }

    /// Takes it away: nothing runs on the folder any more.
    pub fn forget(folder: &Path) {
        // A file that stays is told from a running one by the lock.
        let _ = std::fs::remove_file(folder.join(FILE));
    }

    /// Finds the `up` that runs on the folder.
    ///
    /// # Errors
    /// A sentence: none runs there, or it is not ready yet.
    pub fn find(folder: &Path) -> anyhow::Result<Self> {
        let place = folder.display();
        if super::holder(folder)?.is_none() {
            bail!("no local mode runs on {place}: start one with `playledger up`, or give --gateway and --key");
        }
        let text = read_if_there(&folder.join(FILE))?
            .with_context(|| format!("the local mode on {place} is still starting: try again when it is ready"))?;
        serde_json::from_str(&text).with_context(|| format!("{place}/{FILE}: is not readable: restart `playledger up`"))
    }
}
