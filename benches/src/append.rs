//! Appends to a log as fast as it acknowledges.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use eventlog::{AppendOptions, Appender, EventLog, NewRecord, Pending};

/// Appends request after request, so many of them unacknowledged at any time.
pub struct Append {
    appender: Arc<dyn Appender>,
    waiting: VecDeque<Pending>,
    in_flight: usize,
}

impl Append {
    /// Nothing is appended yet.
    ///
    /// # Errors
    /// When the producer can't be made.
    pub async fn new(log: &dyn EventLog, in_flight: usize) -> anyhow::Result<Self> {
        let options = AppendOptions { deadline: Duration::from_mins(1), ..AppendOptions::default() };
        Ok(Self { appender: log.appender(options).await?, waiting: VecDeque::new(), in_flight })
    }

    /// Appends one request's records; waits while too many requests wait already.
    ///
    /// # Errors
    /// When the log does not take them.
    pub async fn append(&mut self, records: Vec<NewRecord>) -> anyhow::Result<()> {
        self.waiting.push_back(self.appender.append(records)?);
        while self.waiting.len() > self.in_flight {
            self.settle_first().await?;
        }
        Ok(())
    }

    /// Waits until all is acknowledged.
    ///
    /// # Errors
    /// When the log does not keep it.
    pub async fn settle(&mut self) -> anyhow::Result<()> {
        while !self.waiting.is_empty() {
            self.settle_first().await?;
        }
        Ok(())
    }

    async fn settle_first(&mut self) -> anyhow::Result<()> {
        if let Some(first) = self.waiting.pop_front() {
            first.kept().await?;
        }
        Ok(())
    }
}
