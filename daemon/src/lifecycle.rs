//! Shutdown in two steps: a first signal drains, a second one ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Tells every part of a process when to drain and when to end at once. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Shutdown {
    /// A shutdown that only a caller starts.
    pub fn new() -> Self {
        Self::default()
    }

    /// A shutdown that SIGTERM or SIGINT starts; a second one ends the process at once, status 1.
    ///
    /// # Errors
    /// When the handlers can't be installed.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let watched = shutdown.clone();
        tokio::spawn(async move {
            for told in 0_u8.. {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
                if told == 0 {
                    tracing::info!("draining; a second signal ends at once");
                    watched.drain();
                } else {
                    tracing::warn!("second signal: ending at once");
                    watched.end();
                    std::process::exit(1);
                }
            }
        });
        Ok(shutdown)
    }

    /// Starts draining.
    pub fn drain(&self) {
        self.soft.cancel();
    }

    /// Ends at once what still drains.
    pub fn end(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Resolves when draining has begun.
    pub async fn draining(&self) {
        self.soft.cancelled().await;
    }

    /// Whether draining has begun.
    pub fn is_draining(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Resolves when everything has to end at once.
    pub async fn ending(&self) {
        self.hard.cancelled().await;
    }
}
