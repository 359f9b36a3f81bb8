//! One daemon inside this process: its shell, its task, its end.

use std::net::SocketAddr;
use std::time::Duration;

use daemon::{Clock, Health, Orders, Ready, Shell, Shutdown};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::deadline::Deadline;

/// What is left to a part after it was told to end at once.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// A daemon that runs as a part of this process.
#[derive(Debug)]
pub(super) struct Part {
    /// Its name within the process.
    pub(super) name: &'static str,
    /// Its own shell: told to drain in its turn.
    pub(super) shell: Shell,
    /// How long it may drain.
    patience: Duration,
    task: JoinHandle<()>,
}

/// How a part ended, whoever wanted it.
#[derive(Debug)]
pub(super) struct Ended {
    /// Which.
    pub(super) name: &'static str,
    /// What it said of it.
    pub(super) outcome: anyhow::Result<()>,
}

impl Part {
    /// Starts a part; how it ends is told to `ends`.
    pub(super) fn start<Fut>(
        name: &'static str,
        patience: Duration,
        clock: &Clock,
        ends: &mpsc::UnboundedSender<Ended>,
        run: impl FnOnce(Shell) -> Fut,
    ) -> Self
    where
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let shell = Shell {
            shutdown: Shutdown::new(),
            health: Health::new(),
            ready: Ready::new(name, None),
            clock: clock.clone(),
            orders: Orders::default(),
        };
        let work = tokio::spawn(run(shell.clone()));
        let ends = ends.clone();
        let task = tokio::spawn(async move {
            let outcome = match work.await {
                Ok(outcome) => outcome,
                Err(error) => Err(anyhow::anyhow!("it crashed: {error}")),
            };
            // Nobody listens any more once the process is stopping.
            let _ = ends.send(Ended { name, outcome });
        });
        Self { name, shell, patience, task }
    }

    /// What the part still waits for; none when it is ready.
    pub(super) fn waits_for(&self) -> Option<String> {
        let verdict = self.shell.health.readiness();
        if verdict.parts.is_empty() {
            return Some("starting".to_owned());
        }
        let waiting: Vec<_> = verdict
            .parts
            .iter()
            .filter(|(_, word)| word != "ok")
            .map(|(name, word)| format!("{name}: {word}"))
            .collect();
        (!verdict.ok).then(|| waiting.join("; "))
    }

    /// The address at which it serves something.
    pub(super) fn address(&self, what: &str) -> Option<SocketAddr> {
        self.shell.ready.addresses().get(what).copied()
    }

    /// Drains it, and ends it at once when that takes too long or all have to be done.
    pub(super) async fn stop(mut self, deadline: Deadline) {
        self.shell.shutdown.drain();
        let patience = deadline.within(self.patience);
        if tokio::time::timeout(patience, &mut self.task).await.is_ok() {
            return;
        }
        tracing::warn!(part = self.name, "did not drain within {:.1} s: ending it at once", patience.as_secs_f64());
        self.shell.shutdown.end();
        if tokio::time::timeout(deadline.within(LAST_MOMENT), &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_that_never_end_do_not_add_up_beyond_the_deadline() {
        let (ends, _told) = mpsc::unbounded_channel();
        let hangs = |_| std::future::pending();
        let parts: Vec<_> =
            (0..3).map(|_| Part::start("part", Duration::from_mins(10), &Clock::system(), &ends, hangs)).collect();
        let deadline = Deadline::after(Duration::from_millis(200));
        let stopped = async {
            for part in parts {
                part.stop(deadline).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), stopped).await.unwrap();
    }
}
