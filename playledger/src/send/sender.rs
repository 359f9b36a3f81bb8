//! Sends batches until they are answered for good; finds the line that spoils a request.

use std::time::Duration;

use anyhow::bail;
use daemon::Shutdown;

use super::Arguments;
use super::batch::{self, Event, NotAccepted};
use super::counts::Counts;
use crate::gateway::{Answer, Gateway};
use crate::output::data;

/// Sends batches and keeps their counts.
pub(super) struct Sender {
    gateway: Gateway,
    path: &'static str,
    game: Option<String>,
    patience: Duration,
    shutdown: Shutdown,
    /// What became of the lines so far.
    pub counts: Counts,
}

impl Sender {
    /// A sender with the settings of the command.
    pub(super) fn new(gateway: Gateway, arguments: &Arguments, shutdown: Shutdown) -> Self {
        Self {
            gateway,
            path: if arguments.dry_run { "/v1/batch?dry_run=true" } else { "/v1/batch" },
            game: arguments.game.clone(),
            patience: arguments.patience,
            shutdown,
            counts: Counts::default(),
        }
    }

    /// The gateway's URL.
    pub(super) fn url(&self) -> &str {
        self.gateway.url()
    }

    /// Resolves to an error when the person ends the run before this line. Cancel safe.
    pub(super) async fn cut_short(&self, line: u64, goes_on: bool) -> anyhow::Error {
        self.shutdown.draining().await;
        anyhow::anyhow!("ended before line {line}: {}", way_on(goes_on))
    }

    /// Counts and tells a line that is no event.
    pub(super) fn unreadable(&mut self, not: &NotAccepted) -> anyhow::Result<()> {
        self.counts.unreadable += 1;
        tell(not)
    }

    /// Sends events and tells which were not accepted.
    ///
    /// A request that is refused as a whole for what it holds is cut in halves, down to the line
    /// that spoils it. `goes_on` tells whether the same command would go on where this one ends.
    ///
    /// # Errors
    /// A sentence: the gateway does not answer in time, refuses the key, or the person ended it.
    pub(super) async fn send(&mut self, events: Vec<Event>, goes_on: bool) -> anyhow::Result<()> {
        let mut left = vec![events];
        while let Some(mut events) = left.pop() {
            if events.is_empty() {
                continue;
            }
            match self.post(&events, goes_on).await? {
                Answer::Judged(judgement) => {
                    for not in batch::judged(&events, judgement, &mut self.counts) {
                        tell(&not)?;
                    }
                }
                Answer::Refused(problem) if !matches!(problem.status, 400 | 413 | 422) => {
                    bail!(
                        "{}: the gateway refuses: {} ({} {})",
                        self.url(),
                        problem.detail,
                        problem.status,
                        problem.code
                    );
                }
                Answer::Refused(problem) => {
                    if let [event] = events.as_slice() {
                        tell(&batch::refused(event, &problem, &mut self.counts))?;
                        continue;
                    }
                    let second = events.split_off(events.len() / 2);
                    left.push(second);
                    left.push(events);
                }
            }
        }
        Ok(())
    }

    async fn post(&self, events: &[Event], goes_on: bool) -> anyhow::Result<Answer> {
        let give_up = async {
            tokio::select! { () = tokio::time::sleep(self.patience) => {}, () = self.shutdown.draining() => {} }
        };
        let body = batch::body(events, self.game.as_deref());
        let line = events[0].line;
        match self.gateway.post(self.path, &body, give_up).await {
            Ok(answer) => Ok(answer),
            Err(_) if self.shutdown.is_draining() => Err(self.cut_short(line, goes_on).await),
            Err(silence) => bail!(
                "{}: no answer to line {line} for {}: {}; {}",
                self.url(),
                humantime::format_duration(self.patience),
                silence.why,
                way_on(goes_on)
            ),
        }
    }
}

/// What to do after a run that was cut short.
fn way_on(goes_on: bool) -> &'static str {
    if goes_on { "the same command goes on there" } else { "send all of it again: what was sent counts once" }
}

fn tell(not: &NotAccepted) -> anyhow::Result<()> {
    data(&serde_json::to_string(not)?)
}
