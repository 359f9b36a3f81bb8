//! Tells which addresses a process listens on: in its log and in its ready file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The addresses of a process, and the file that names them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Ready {
    name: &'static str,
    file: Option<PathBuf>,
    addresses: Arc<Mutex<BTreeMap<&'static str, SocketAddr>>>,
}

impl Ready {
    /// For the daemon `name`; addresses go to `file` when it is ready.
    pub fn new(name: &'static str, file: Option<PathBuf>) -> Self {
        Self { name, file, addresses: Arc::default() }
    }

    /// Says that `what` is served at `address`, with the port that came of port 0.
    pub fn listening(&self, what: &'static str, address: SocketAddr) {
        tracing::info!(daemon = self.name, what, %address, "listening");
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).insert(what, address);
    }

    /// The addresses told so far.
    pub fn addresses(&self) -> BTreeMap<&'static str, SocketAddr> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that the daemon is ready: writes the ready file, whole or not at all.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn announce(&self) -> std::io::Result<()> {
        tracing::info!(daemon = self.name, "ready");
        let Some(file) = &self.file else { return Ok(()) };
        let urls: BTreeMap<_, _> =
            self.addresses().into_iter().map(|(what, address)| (what, address.to_string())).collect();
        let mut beside = file.clone().into_os_string();
        beside.push(".tmp");
        std::fs::write(&beside, serde_json::to_vec(&urls)?)?;
        std::fs::rename(beside, file)
    }
}
