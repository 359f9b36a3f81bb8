//! The one writer: everything that waits goes into one transaction, which is acknowledged when it
//! is on the disk (group commit).

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::queue::{Queue, Request, Settle, Work};
use super::store::{Store, WriteTx};
use super::transaction::{self, Outcome, Written};

/// How long the writer rests after a failure, so that retries do not spin.
const REST: Duration = Duration::from_millis(50);
/// Where no deadline is near: look again after this.
const FAR: Duration = Duration::from_mins(1);

/// A transaction that failed.
struct Failed {
    failure: Failure,
    /// It failed at its COMMIT in a way that may have let it through.
    doubtful: bool,
}

/// Writes until the queue has been closed and emptied, then closes the file.
pub(super) async fn run(store: Arc<Store>) {
    while store.queue.ready().await {
        match begin(&store).await {
            Ok(Some(tx)) => {
                if !write(&store, tx).await {
                    tokio::time::sleep(REST).await;
                }
            }
            Ok(None) => {}
            Err(failure) => {
                tracing::warn!(error = failure.sentence(), "cannot write to the log");
                for request in store.queue.take() {
                    request.settle.not_written(&failure);
                }
                tokio::time::sleep(REST).await;
            }
        }
    }
    store.close().await;
}

/// Begins a transaction, however long other processes keep the file locked; meanwhile gives up
/// what has waited too long. None when nothing is left to be written.
async fn begin(store: &Store) -> Result<Option<WriteTx<'_>>, Failure> {
    let waits = Failure::waits(&store.path);
    let mut attempt = pin!(store.begin());
    loop {
        let deadline = store.queue.first_deadline();
        let Some(deadline) = deadline else { return Ok(None) };
        tokio::select! {
            begun = &mut attempt => match begun {
                Ok(tx) => return Ok(Some(tx)),
                Err(failure) if failure.is_busy() => {
                    tracing::warn!(error = failure.sentence(), "the log waits");
                    store.queue.expire(Instant::now(), &failure);
                    attempt.set(store.begin());
                }
                Err(failure) => return Err(failure),
            },
            () = tokio::time::sleep_until(deadline.into()) => store.queue.expire(Instant::now(), &waits),
        }
    }
}

/// Writes one batch of what waits; false when that failed.
async fn write(store: &Store, tx: WriteTx<'_>) -> bool {
    let requests = store.queue.take();
    if requests.is_empty() {
        tx.rollback().await;
        return true;
    }
    let mut waiters = Vec::with_capacity(requests.len());
    let mut works = Vec::with_capacity(requests.len());
    for Request { work, settle, deadline, .. } in requests {
        works.push(work);
        waiters.push((Some(settle), deadline));
    }
    let mut job = pin!(write_and_commit(store, tx, &works));
    let outcome = loop {
        tokio::select! {
            outcome = &mut job => break outcome,
            () = tokio::time::sleep_until(first_deadline(&waiters, &store.queue).into()) => expire(&mut waiters, store),
        }
    };
    match outcome {
        Ok(written) => {
            // First: whoever hears that it is kept must find it.
            store.tails.advance(written.ends);
            settle(waiters, written.outcomes);
            true
        }
        Err(Failed { failure, doubtful }) => {
            tracing::warn!(error = failure.sentence(), doubtful, "a batch was not written to the log");
            for settle in waiters.into_iter().filter_map(|(settle, _)| settle) {
                if doubtful {
                    settle.fatal(failure.sentence());
                } else {
                    settle.not_written(&failure);
                }
            }
            false
        }
    }
}

async fn write_and_commit(store: &Store, mut tx: WriteTx<'_>, works: &[Work]) -> Result<Written, Failed> {
    let written = transaction::write(store, &mut tx, works)
        .await
        .map_err(|error| Failed { failure: store.failure(&error), doubtful: false })?;
    tx.commit().await.map_err(|failure| Failed { doubtful: failure.leaves_doubt(), failure })?;
    Ok(written)
}

fn settle(waiters: Vec<(Option<Settle>, Instant)>, outcomes: Vec<Outcome>) {
    for ((settle, _), outcome) in waiters.into_iter().zip(outcomes) {
        let Some(settle) = settle else { continue };
        match outcome {
            Outcome::Kept(offsets) => settle.kept(offsets),
            Outcome::Refused(why) => settle.refused(&why),
            Outcome::Fenced(why) => settle.fenced(&why),
        }
    }
}

/// The first deadline of what is being written and of what waits behind it.
fn first_deadline(waiters: &[(Option<Settle>, Instant)], queue: &Queue) -> Instant {
    let writing = waiters.iter().filter(|(settle, _)| settle.is_some()).map(|(_, deadline)| *deadline).min();
    let far = Instant::now() + FAR;
    writing.into_iter().chain(queue.first_deadline()).fold(far, Instant::min)
}

/// Of what is being written nobody knows the outcome in time; what waits behind it is given up.
fn expire(waiters: &mut [(Option<Settle>, Instant)], store: &Store) {
    let now = Instant::now();
    let waits = Failure::waits(&store.path);
    for (settle, deadline) in waiters {
        if *deadline <= now
            && let Some(settle) = settle.take()
        {
            settle.fatal(waits.sentence());
        }
    }
    store.queue.expire(now, &waits);
}
