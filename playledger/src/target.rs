//! Which gateway a command talks to: as told, else that of the local mode that runs.

use std::path::PathBuf;

use clap::Args;

use crate::folder::{self, Running};
use crate::gateway::Gateway;
use crate::output::Usage;

/// Flags that name a gateway.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// The gateway's URL [default: that of the running local mode]
    #[arg(long, value_name = "URL", env = "PLAYLEDGER_GATEWAY")]
    pub gateway: Option<String>,
    /// The API key [default: that of the running local mode]
    #[arg(long, value_name = "KEY", env = "PLAYLEDGER_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// The folder of local mode [default: the one that `up` uses]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Target {
    /// The gateway that is meant.
    ///
    /// # Errors
    /// [`Usage`] where a gateway is named without its key; a sentence where no local mode runs.
    pub fn open(&self) -> anyhow::Result<Gateway> {
        let (url, key) = match (&self.gateway, &self.key) {
            (Some(url), Some(key)) => (url.clone(), key.clone()),
            (Some(_), None) => {
                return Err(Usage("--gateway needs its key: give --key, or set PLAYLEDGER_KEY".into()).into());
            }
            (None, key) => {
                let running = Running::find(&self.data.clone().unwrap_or_else(folder::default_path))?;
                (running.gateway, key.clone().unwrap_or(running.api_key))
            }
        };
        Gateway::new(&url, &key)
    }
}
