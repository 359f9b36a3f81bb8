//! Writes play.outcomes: the gateway's starts and stops, and what became of the events that it received.

use bytes::Bytes;
use eventlog::{AppendError, Headers, NewRecord};
use schemas::record::VERSION;
use schemas::record::outcome::{OutcomeRecord, Told};
use tokio::time::timeout;

use crate::gateway::{Gateway, Link};
use crate::metrics;

/// Tells that the gateway started.
pub(crate) async fn started(gateway: &Gateway, link: &Link) {
    let record = of(gateway, Told::Started);
    if let Err(error) = append(gateway, link, vec![record]).await {
        tracing::warn!(%error, "the gateway's start is not in play.outcomes");
    }
}

/// Tells the counts since the last time, and, with `stopped`, that no more will come. Counts that
/// did not reach the log are kept for the next time. True when the log has everything.
pub(crate) async fn counts(gateway: &Gateway, link: &Link, stopped: bool) -> bool {
    let taken = gateway.tally.take();
    let mut records = taken.records(&gateway.name, gateway.now());
    if stopped {
        records.push(of(gateway, Told::Stopped));
    }
    let count = records.len();
    match append(gateway, link, records).await {
        Ok(()) => true,
        Err(AppendError::Unknown(error)) => {
            // Told again they might count twice; a sum that is too low says where to look, the log settles it.
            metrics::outcomes_doubtful(count);
            tracing::error!(error, records = count, "it is not known whether play.outcomes has these counts");
            false
        }
        Err(error) => {
            tracing::warn!(%error, records = count, "play.outcomes did not take the counts; they are kept");
            gateway.tally.put_back(taken);
            false
        }
    }
}

fn of(gateway: &Gateway, told: Told) -> OutcomeRecord {
    OutcomeRecord { v: VERSION, gateway: gateway.name.to_string(), at: gateway.now(), told }
}

async fn append(gateway: &Gateway, link: &Link, records: Vec<OutcomeRecord>) -> Result<(), AppendError> {
    if records.is_empty() {
        return Ok(());
    }
    let records = records.into_iter().map(|record| written(gateway, link, &record)).collect();
    let pending = link.appender.append(records)?;
    let late = |_| Err(AppendError::Unknown("no word within the deadline".into()));
    timeout(link.deadline, pending.kept()).await.unwrap_or_else(late).map(drop)
}

fn written(gateway: &Gateway, link: &Link, record: &OutcomeRecord) -> NewRecord {
    // Strings, numbers and a map of them: there is nothing that could fail.
    let value = Bytes::from(serde_json::to_vec(record).unwrap_or_default());
    link.targets.outcomes.record(gateway.name.to_string(), value, Headers::new(), record.at)
}
