//! A commit under way: outputs are written, handed to the log, and what came of it is told.

use std::time::Duration;

use eventlog::{Commit, CommitError, Committer, TopicPartition};

use crate::encode;
use crate::error::WorkerError;
use crate::machine::{Input, Measured, Output};
use crate::metrics::{self, Tally};
use crate::topics::Topics;

/// Commits outputs and offsets as one; answers with what the machine is to be told.
pub(crate) async fn commit(
    outputs: Vec<Output>,
    offsets: Vec<(TopicPartition, i64)>,
    measured: Measured,
    committer: &dyn Committer,
    topics: &Topics,
    clock: &daemon::Clock,
) -> Result<Input, WorkerError> {
    let tally = Tally::of(&outputs);
    let records = encode::records(outputs, topics, clock.now_ms());
    let outputs = records.map_err(|error| WorkerError::Fatal(format!("an output can't be written: {error}")))?;
    let begun = clock.monotonic_ms();
    let outcome = committer.commit(Commit { outputs, offsets }).await;
    let took = Duration::from_millis((clock.monotonic_ms() - begun).unsigned_abs());
    match outcome {
        Ok(()) => {
            metrics::commit("ok", took);
            metrics::committed(&tally, measured, clock.now_ms());
            Ok(Input::Committed)
        }
        Err(error) => {
            metrics::not_committed(error.cause());
            let CommitError::Aborted(abort) = error else {
                metrics::commit("failed", took);
                return Err(error.into());
            };
            metrics::commit("aborted", took);
            tracing::warn!(
                cause = abort.cause.as_str(),
                why = abort.why,
                "commit aborted: going back to what was committed"
            );
            Ok(Input::Aborted)
        }
    }
}
