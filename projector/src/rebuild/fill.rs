//! Fills a generation from the log, from its own offsets up to exactly those that it is told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::Context as _;
use daemon::{Component, Shell};
use eventlog::{Batch, EventLog, ReadRequest, Stretch, TopicPartition};
use schemas::record::VERSION;
use schemas::topics::Topic;
use tokio::task::JoinHandle;

use super::progress::Progress;
use crate::config::Config;
use crate::decode::decode;
use crate::load::Entry;
use crate::pending::Pending;
use crate::store::{OffsetRow, Store, Wanted};
use crate::topics::Topics;
use crate::write::{Report, Sink};

/// A generation that is being filled.
pub(super) struct Fill {
    log: Arc<dyn EventLog>,
    sink: Arc<Sink>,
    shell: Shell,
    topics: Topics,
    /// So many records are written in one transaction.
    load: usize,
    claimed: BTreeMap<TopicPartition, Claimed>,
    waiting: Pending,
    writing: Option<JoinHandle<anyhow::Result<Report>>>,
}

struct Claimed {
    topic: Topic,
    epoch: i64,
    /// What the offsets table says once all that was handed over stands.
    handed: i64,
}

/// Whether a fill came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// All of it is in the tables.
    Whole,
    /// It was told to stop; what stands, stands.
    Stopped,
}

impl Fill {
    pub(super) fn new(
        config: &Config,
        log: &Arc<dyn EventLog>,
        store: Store,
        (shell, component): (&Shell, &Component),
        load: usize,
    ) -> Self {
        // What the live generation reads is told by its offsets, not by a flag.
        let topics = Topics::of(&Config { event_log: true, ..config.clone() });
        let sink = Arc::new(Sink::listing_nothing(store, Arc::clone(log), shell, component));
        let (log, shell) = (Arc::clone(log), shell.clone());
        let (claimed, waiting) = (BTreeMap::new(), Pending::default());
        Self { log, sink, shell, topics, load, claimed, waiting, writing: None }
    }

    /// Whether it has claimed all of these partitions.
    pub(super) fn knows(&self, vector: &[OffsetRow]) -> bool {
        vector.iter().all(|row| self.claimed.contains_key(&place(row)))
    }

    /// Claims those of these partitions that it does not have yet.
    pub(super) async fn claim(&mut self, vector: &[OffsetRow]) -> anyhow::Result<()> {
        let new: Vec<&OffsetRow> = vector.iter().filter(|row| !self.claimed.contains_key(&place(row))).collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut ids: HashMap<&str, String> = HashMap::new();
        for name in new.iter().map(|row| row.topic.as_str()).collect::<BTreeSet<_>>() {
            ids.insert(name, self.log.topic(name).await.with_context(|| format!("asking for the topic {name}"))?.id);
        }
        let mut wanted = Vec::with_capacity(new.len());
        let mut kinds = Vec::with_capacity(new.len());
        for row in &new {
            let id = &ids[row.topic.as_str()];
            anyhow::ensure!(
                *id == row.topic_id,
                "topic {} is another one now ({id}) than the live rows were made from ({})",
                row.topic,
                row.topic_id
            );
            let topic = self.topics.named(&row.topic).with_context(|| {
                format!("the live rows follow {}, which is no topic of this --topic-prefix", row.topic)
            })?;
            let mut range = self.log.offsets(&place(row)).await?;
            // Snapshots are dropped while nobody reads them, past where the live rows are.
            range.low = range.low.min(row.next_offset);
            kinds.push(topic);
            wanted.push(Wanted {
                topic: row.topic.clone(),
                topic_id: id.clone(),
                partition: row.partition,
                range,
                may_skip: topic == Topic::Live,
            });
        }
        let claims = self.sink.store().claim(&wanted).await?;
        for ((row, topic), claim) in new.iter().zip(kinds).zip(claims) {
            let partition = place(row);
            self.sink.know(&partition.topic, &row.topic_id);
            self.claimed.insert(partition, Claimed { topic, epoch: claim.epoch, handed: claim.next_offset });
        }
        Ok(())
    }

    /// Offsets that are missing of these.
    pub(super) fn missing(&self, vector: &[OffsetRow]) -> i64 {
        let missing = |row: &OffsetRow| {
            self.claimed.get(&place(row)).map_or(0, |claimed| (row.next_offset - claimed.handed).max(0))
        };
        vector.iter().map(missing).sum()
    }

    /// Fills up to these offsets, all of which it has claimed.
    pub(super) async fn to(&mut self, vector: &[OffsetRow], progress: &mut Progress) -> anyhow::Result<Filled> {
        let mut stretches = Vec::new();
        for row in vector {
            let partition = place(row);
            let Some(claimed) = self.claimed.get(&partition) else { continue };
            if claimed.handed < row.next_offset {
                let topic = claimed.topic;
                let low = if topic == Topic::Live { self.log.offsets(&partition).await?.low } else { claimed.handed };
                let from = claimed.handed.max(low).min(row.next_offset);
                stretches.push(Stretch { partition, from, until: Some(row.next_offset) });
            }
        }
        progress.begin(self.missing(vector));
        let ends = stretches.clone();
        // An end may lie behind the last record that can be read: a stretch without records brings its offset all the same.
        stretches.retain(|stretch| Some(stretch.from) != stretch.until);
        let mut reader = self.log.read(ReadRequest { stretches, read_committed: true }).await?;
        loop {
            let batch = tokio::select! {
                biased;
                () = self.shell.shutdown.draining() => {
                    self.waiting = Pending::default();
                    self.written(progress).await?;
                    return Ok(Filled::Stopped);
                }
                batch = reader.next() => batch?,
            };
            let Some(batch) = batch else { break };
            self.take(batch)?;
            if self.waiting.records() >= self.load || !self.waiting.has_room() {
                self.hand_over(progress).await?;
            }
        }
        for Stretch { partition, until, .. } in ends {
            let (Some(claimed), Some(until)) = (self.claimed.get(&partition), until) else { continue };
            self.waiting.extend(&partition, claimed.epoch, claimed.handed, until, Vec::new());
        }
        self.hand_over(progress).await?;
        self.written(progress).await?;
        Ok(if self.shell.shutdown.is_draining() { Filled::Stopped } else { Filled::Whole })
    }

    fn take(&mut self, batch: Batch) -> anyhow::Result<()> {
        let Some(claimed) = self.claimed.get(&batch.partition) else { return Ok(()) };
        let mut entries = Vec::with_capacity(batch.records.len());
        for record in batch.records {
            let told = decode(claimed.topic, &record).map_err(|newer| {
                anyhow::anyhow!(
                    "{} holds at offset {} a record of form {}; this projector reads up to {VERSION}: upgrade it first",
                    batch.partition,
                    record.offset,
                    newer.0
                )
            })?;
            entries.push(Entry::new(record, told));
        }
        self.waiting.extend(&batch.partition, claimed.epoch, claimed.handed, batch.next_offset, entries);
        Ok(())
    }

    /// Hands all that waits to the sink, once what it has is written.
    async fn hand_over(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        self.written(progress).await?;
        let load = self.waiting.take();
        for slice in &load {
            if let Some(claimed) = self.claimed.get_mut(&slice.partition) {
                claimed.handed = slice.next;
            }
            progress.handed(slice.entries.len(), slice.next - slice.seen);
        }
        let sink = Arc::clone(&self.sink);
        self.writing = Some(tokio::spawn(async move { sink.write(load).await }));
        Ok(())
    }

    /// Waits for what the sink has.
    async fn written(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let report = writing.await.context("writing a load broke off")??;
        anyhow::ensure!(report.lost.is_empty(), "another rebuild has taken this generation over");
        anyhow::ensure!(
            !report.forgotten && report.behind.is_empty(),
            "the server lost its latest rows in a crash: nothing is amiss, begin again and it goes on from what is left"
        );
        progress.tell(report.left);
        Ok(())
    }
}

/// Which partition a row speaks of.
pub(super) fn place(row: &OffsetRow) -> TopicPartition {
    TopicPartition::new(row.topic.as_str(), row.partition)
}
