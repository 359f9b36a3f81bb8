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

    /// Removes the ready file that an earlier run left behind: whoever waits for it would read old addresses.
    ///
    /// # Errors
    /// When it is there and can't be removed.
    pub fn forget(&self) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_file_is_there_between_ready_and_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.json");
        let ready = Ready::new("some-daemon", Some(path.clone()));
        ready.forget().unwrap();
        ready.listening("ops", "127.0.0.1:9".parse().unwrap());
        ready.announce().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), r#"{"ops":"127.0.0.1:9"}"#);
        ready.forget().unwrap();
        assert!(!path.exists());
        std::fs::create_dir(&path).unwrap();
        assert!(ready.forget().is_err(), "what is no file is told at once");
    }
}
