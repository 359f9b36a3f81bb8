//! Transactions: who may write under a transactional id, what is open, and how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::cluster::State;
use super::partition::TransactionId;
use crate::{CommitError, NewRecord, TopicPartition};

/// What writes under a transactional id.
#[derive(Debug, Default)]
pub(super) struct Producer {
    /// Grows with each new writer, and when the log ends a transaction by itself: an older one is fenced.
    pub(super) epoch: u64,
    pub(super) open: Option<Transaction>,
}

/// A transaction that has begun and not wholly ended.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) id: TransactionId,
    pub(super) since: Instant,
    /// Where records of it lie.
    pub(super) partitions: Vec<TopicPartition>,
    pub(super) offsets: Option<Offsets>,
    /// Whether it was committed, once that is decided; markers may still be missing.
    pub(super) decided: Option<bool>,
}

/// Offsets that a transaction commits.
#[derive(Debug)]
pub(super) struct Offsets {
    pub(super) group: String,
    pub(super) of: Vec<(TopicPartition, i64)>,
}

/// What is still to be marked when a transaction has been decided.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    Partition(TopicPartition),
    Offsets,
}

impl State {
    /// A new writer under an id: older ones are fenced, what they have left open is aborted. None while a
    /// decided transaction has yet to be marked.
    pub(super) fn enlist(&mut self, id: &str) -> Option<u64> {
        let producer = self.producers.entry(id.to_owned()).or_default();
        match &producer.open {
            Some(Transaction { decided: Some(_), .. }) => return None,
            Some(_) => {
                self.decide(id, false);
                self.mark_all(id);
            }
            None => {}
        }
        let producer = self.producers.entry(id.to_owned()).or_default();
        producer.epoch += 1;
        Some(producer.epoch)
    }

    /// The transaction that is open, or a new one. None while the one before has yet to be marked.
    pub(super) fn begin(&mut self, id: &str, epoch: u64) -> Result<Option<&mut Transaction>, CommitError> {
        let number = self.next_transaction;
        let producer =
            self.producers.get_mut(id).filter(|producer| producer.epoch == epoch).ok_or_else(|| fenced(id))?;
        if producer.open.as_ref().is_some_and(|open| open.decided.is_some()) {
            return Ok(None);
        }
        if producer.open.is_none() {
            self.next_transaction += 1;
        }
        Ok(Some(producer.open.get_or_insert_with(|| Transaction {
            id: number,
            since: Instant::now(),
            partitions: Vec::new(),
            offsets: None,
            decided: None,
        })))
    }

    /// Appends records to the open transaction.
    pub(super) fn produce(&mut self, id: &str, epoch: u64, records: Vec<NewRecord>) -> Result<(), CommitError> {
        let Some(open) = self.begin(id, epoch)? else { return Err(fenced(id)) };
        let number = open.id;
        for record in &records {
            if !open.partitions.contains(&record.partition) {
                open.partitions.push(record.partition.clone());
            }
        }
        for record in records {
            if let Some(partition) = self.partition_mut(&record.partition) {
                partition.append(record, Some(number));
            }
        }
        Ok(())
    }

    /// Decides the open transaction; what is to be marked then, in any order.
    pub(super) fn decide(&mut self, id: &str, committed: bool) -> Vec<Mark> {
        let Some(open) = self.producers.get_mut(id).and_then(|producer| producer.open.as_mut()) else {
            return Vec::new();
        };
        open.decided = Some(committed);
        let mut marks: Vec<_> = open.partitions.iter().cloned().map(Mark::Partition).collect();
        if open.offsets.is_some() {
            marks.push(Mark::Offsets);
        }
        self.chance.shuffle(&mut marks);
        marks
    }

    /// Marks one of the places of a decided transaction.
    pub(super) fn mark(&mut self, id: &str, mark: &Mark) {
        let Some(open) = self.producers.get_mut(id).and_then(|producer| producer.open.as_mut()) else { return };
        let Some(committed) = open.decided else { return };
        match mark {
            Mark::Partition(place) => {
                let number = open.id;
                open.partitions.retain(|known| known != place);
                if let Some(partition) = self.partition_mut(place) {
                    partition.end(number, committed);
                }
            }
            Mark::Offsets => {
                if let Some(offsets) = open.offsets.take().filter(|_| committed) {
                    let group = self.groups.entry(offsets.group).or_default();
                    group.committed.extend(offsets.of);
                }
            }
        }
        self.close(id);
    }

    /// Marks all places of a decided transaction at once.
    pub(super) fn mark_all(&mut self, id: &str) {
        let Some(open) = self.producers.get(id).and_then(|producer| producer.open.as_ref()) else { return };
        let mut marks: Vec<_> = open.partitions.iter().cloned().map(Mark::Partition).collect();
        marks.push(Mark::Offsets);
        for mark in marks {
            self.mark(id, &mark);
        }
    }

    /// A decided transaction of which nothing is left to be marked is over.
    pub(super) fn close(&mut self, id: &str) {
        if let Some(producer) = self.producers.get_mut(id)
            && producer
                .open
                .as_ref()
                .is_some_and(|open| open.decided.is_some() && open.partitions.is_empty() && open.offsets.is_none())
        {
            producer.open = None;
        }
    }

    /// Aborts what has been open for too long and fences its writer.
    pub(super) fn expire_transactions(&mut self, timeout: Duration) -> bool {
        let now = Instant::now();
        let overdue = |open: &Transaction| open.decided.is_none() && now.duration_since(open.since) >= timeout;
        let late: Vec<String> = self
            .producers
            .iter()
            .filter(|(_, producer)| producer.open.as_ref().is_some_and(overdue))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &late {
            if let Some(producer) = self.producers.get_mut(id) {
                producer.epoch += 1;
            }
            self.decide(id, false);
            self.mark_all(id);
        }
        !late.is_empty()
    }
}

/// Whether a transaction may yet commit offsets of a partition.
pub(super) fn is_unstable(producers: &BTreeMap<String, Producer>, group: &str, partition: &TopicPartition) -> bool {
    let touches = |offsets: &Offsets| offsets.group == group && offsets.of.iter().any(|(of, _)| of == partition);
    producers.values().filter_map(|producer| producer.open.as_ref()?.offsets.as_ref()).any(touches)
}

/// Another writes under this id, or the log has given this one up.
pub(super) fn fenced(id: &str) -> CommitError {
    CommitError::Fenced(format!("a newer producer writes under {id}, or its transaction took too long"))
}
