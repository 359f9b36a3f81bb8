//! How a rebuild comes to stand exactly where the live generation does.

use std::time::Duration;

use anyhow::Context as _;
use sqlx::PgConnection;

use super::fill::Filled;
use super::run::Run;
use crate::store::generations::Held;
use crate::store::retention;

/// The live generation is held once so few offsets are missing.
const CLOSE: i64 = 2_000;
/// It is held all the same after so many rounds: the flow is as fast as the fill.
const ROUNDS: u32 = 20;
/// A pause while a keeper is at it.
const PAUSE: Duration = Duration::from_millis(500);

/// The live generation at exactly the vector of the other; or it was told to stop.
pub(super) enum Near {
    Held(Held),
    Stopped,
}

impl Run<'_> {
    /// Fills until little is missing.
    pub(super) async fn approach(&mut self) -> anyhow::Result<Filled> {
        for _ in 0..ROUNDS {
            let vector = self.vector().await?;
            self.fill.claim(&vector).await.with_context(|| {
                let next = self.next;
                format!("generation {next} cannot go on; `projector prune --generation {next}` drops it")
            })?;
            let missing = self.fill.missing(&vector);
            if self.fill.to(&vector, &mut self.progress).await? == Filled::Stopped {
                return Ok(Filled::Stopped);
            }
            if missing <= CLOSE {
                break;
            }
        }
        Ok(Filled::Whole)
    }

    /// Takes the keepers' turn, once the sweep under way is over, and ends what one that was broken off has left; answers
    /// false when told to stop meanwhile.
    pub(super) async fn keep(&mut self, on: &mut PgConnection) -> anyhow::Result<bool> {
        while !self.generations.take_keepers_turn(on).await? {
            if self.shutdown.is_draining() {
                return Ok(false);
            }
            self.progress.say_rarely("waiting for a sweep of what is kept no longer");
            tokio::time::sleep(PAUSE).await;
        }
        retention::finish(on, &self.generations.data(self.live)).await?;
        Ok(true)
    }

    /// Fills until little is missing, then holds the live generation and fills up to where it stands.
    pub(super) async fn come_near(&mut self) -> anyhow::Result<Near> {
        loop {
            if self.approach().await? == Filled::Stopped {
                return Ok(Near::Stopped);
            }
            let held = tokio::select! {
                biased;
                () = self.shutdown.draining() => return Ok(Near::Stopped),
                held = self.generations.hold(self.live) => held?,
            };
            let vector = self.filled(&held.vector).await?;
            // A partition that was claimed for the first time since cannot be claimed while all stands still.
            if self.fill.knows(&vector) {
                return Ok(match self.fill.to(&vector, &mut self.progress).await? {
                    Filled::Whole => Near::Held(held),
                    Filled::Stopped => Near::Stopped,
                });
            }
            held.release().await?;
        }
    }
}
