//! Writes play.outcomes: the gateway's starts and stops, and what became of the events that it received.
//!
//! Counts are to be added up by whoever reads them, so none may be told twice. Where the log did not
//! say whether it took some, that is looked up before more are told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventlog::{AppendError, Headers, LogError, NewRecord, ReadRequest, Stretch, TopicPartition};
use schemas::Timestamp;
use schemas::record::VERSION;
use schemas::record::outcome::{OutcomeRecord, Told};
use schemas::topics;
use tokio::time::timeout;

use crate::append;
use crate::gateway::{Gateway, Link};
use crate::metrics;
use crate::outcomes::Taken;

/// Counts of which it is not known whether the log has them.
#[derive(Debug)]
pub struct Doubt {
    taken: Taken,
    /// When they were told: stands in their records.
    at: Timestamp,
    /// Where the partition ended before.
    from: i64,
}

/// Tells that the gateway started.
pub async fn started(gateway: &Gateway, link: &Link) {
    let record = of(gateway, Told::Started);
    if let Err(error) = append(gateway, link, vec![record]).await {
        tracing::warn!(%error, "the gateway's start is not in play.outcomes");
    }
}

/// Asks whether the log acknowledges, `patience` at most, by a record that counts for nothing.
pub async fn alive(gateway: &Gateway, link: &Link, patience: Duration) {
    let record = written(gateway, link, &of(gateway, Told::Alive));
    if let Err(error) = append::kept(gateway, link, vec![record], patience).await {
        tracing::debug!(%error, "the log does not acknowledge yet");
    }
}

/// Tells the counts since the last time, and, with `stopped`, that no more will come. Counts that
/// did not reach the log are kept for the next time, also where this is dropped half way. True when
/// the log has everything.
pub async fn counts(gateway: &Gateway, link: &Link, stopped: bool) -> bool {
    let mut doubt = gateway.doubt.lock().await;
    if let Some(doubtful) = &mut *doubt {
        if let Err(error) = in_time(link, settle(gateway, link, doubtful)).await {
            tracing::warn!(%error, "play.outcomes can't be looked up; no more counts are told until it can");
            return false;
        }
        gateway.tally.put_back(std::mem::take(&mut doubtful.taken));
        *doubt = None;
    }
    let from = match in_time(link, link.log.offsets(&partition(gateway, link))).await {
        Ok(range) => range.high,
        Err(error) => {
            tracing::warn!(%error, "play.outcomes can't be reached; the counts are kept");
            return false;
        }
    };
    let (taken, at) = (gateway.tally.take(), gateway.now());
    let mut records = taken.records(&gateway.name, at);
    if stopped {
        records.push(of(gateway, Told::Stopped));
    }
    let count = records.len();
    // In doubt until the log has answered.
    *doubt = Some(Doubt { taken, at, from });
    match append(gateway, link, records).await {
        Ok(()) => {
            *doubt = None;
            true
        }
        Err(AppendError::Unknown(error)) => {
            tracing::warn!(error, records = count, "it is not known yet whether play.outcomes has these counts");
            metrics::outcomes_doubtful(count);
            false
        }
        Err(error) => {
            tracing::warn!(%error, records = count, "play.outcomes did not take the counts; they are kept");
            gateway.tally.put_back(doubt.take().map(|doubt| doubt.taken).unwrap_or_default());
            false
        }
    }
}

/// A log that does not answer holds nobody up.
async fn in_time<T>(link: &Link, answer: impl Future<Output = Result<T, LogError>>) -> Result<T, LogError> {
    let late = |_| Err(LogError::Unavailable("no answer within the deadline".into()));
    timeout(link.deadline, answer).await.unwrap_or_else(late)
}

/// Leaves of doubtful counts what the log has not.
async fn settle(gateway: &Gateway, link: &Link, doubt: &mut Doubt) -> Result<(), LogError> {
    let partition = partition(gateway, link);
    let until = link.log.offsets(&partition).await?.high;
    if until <= doubt.from {
        return Ok(());
    }
    let stretches = vec![Stretch { partition, from: doubt.from, until: Some(until) }];
    let mut reader = link.log.read(ReadRequest { stretches, read_committed: false }).await?;
    while let Some(batch) = reader.next().await? {
        for value in batch.records.iter().filter_map(|record| record.value.as_ref()) {
            // Another's record, or one of another form, is none of ours.
            let Ok(found) = serde_json::from_slice::<OutcomeRecord>(value) else { continue };
            if let Told::Counts { tenant, game, minute, .. } = &found.told
                && found.gateway == *gateway.name
                && found.at == doubt.at
            {
                doubt.taken.forget(tenant, game, *minute);
            }
        }
    }
    Ok(())
}

fn partition(gateway: &Gateway, link: &Link) -> TopicPartition {
    let target = &link.targets.outcomes;
    TopicPartition::new(Arc::clone(&target.name), topics::partition(gateway.name.as_bytes(), target.partitions))
}

fn of(gateway: &Gateway, told: Told) -> OutcomeRecord {
    OutcomeRecord { v: VERSION, gateway: gateway.name.to_string(), at: gateway.now(), told }
}

async fn append(gateway: &Gateway, link: &Link, records: Vec<OutcomeRecord>) -> Result<(), AppendError> {
    let records = records.into_iter().map(|record| written(gateway, link, &record)).collect();
    append::kept(gateway, link, records, link.deadline).await
}

fn written(gateway: &Gateway, link: &Link, record: &OutcomeRecord) -> NewRecord {
    // Strings, numbers and a map of them: there is nothing that could fail.
    let value = Bytes::from(serde_json::to_vec(record).unwrap_or_default());
    link.targets.outcomes.record(gateway.name.to_string(), value, Headers::new(), record.at)
}
