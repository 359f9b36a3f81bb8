//! Lists refused records in the quarantine, and knows that they are kept there.

use std::sync::Arc;
use std::time::Duration;

use eventlog::{AppendError, AppendOptions, Appender, EventLog, LogError};

use crate::metrics;
use crate::project::Refusal;
use crate::set_aside;

/// How long the log may take to say that it has them.
const DEADLINE: Duration = Duration::from_secs(5);

/// Appends to the quarantine topic.
pub(crate) struct Listing {
    appender: Arc<dyn Appender>,
    topic: String,
    partitions: i32,
}

impl Listing {
    pub(crate) async fn open(log: &dyn EventLog, topic: String) -> Result<Self, LogError> {
        let partitions = log.topic(&topic).await?.partitions;
        let options =
            AppendOptions { deadline: DEADLINE, max_bytes: 64 << 20, max_records: 50_000, ..Default::default() };
        Ok(Self { appender: log.appender(options).await?, topic, partitions })
    }

    /// Lists these records, less those that an earlier attempt has listed. When it answers well, all of
    /// them are kept; what was listed when the process died before its commit is listed twice.
    pub(crate) async fn list(&self, refused: &[Refusal<'_>]) -> Result<(), AppendError> {
        let new: Vec<_> = refused.iter().filter(|refusal| !refusal.entry.is_listed()).collect();
        if new.is_empty() {
            return Ok(());
        }
        let records = new.iter().map(|refusal| {
            let Refusal { partition, entry, reason, why } = refusal;
            set_aside::record(&entry.record, partition, *reason, why, &self.topic, self.partitions)
        });
        self.appender.append(records.collect())?.kept().await?;
        for refusal in new {
            refusal.entry.set_listed();
            metrics::refused(refusal.reason.as_str());
            tracing::warn!(
                partition = %refusal.partition,
                offset = refusal.entry.record.offset,
                reason = refusal.reason.as_str(),
                why = refusal.why,
                "a record was set aside"
            );
        }
        Ok(())
    }
}
