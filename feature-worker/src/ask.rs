//! Reads of the log beside the group: a partition's state, and sessions that are to be rebuilt.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventlog::{EventLog, Headers, LogError, ReadRequest, Record, Stretch, TopicPartition};
use tokio::sync::mpsc;

use crate::error::WorkerError;
use crate::machine::{Input, Restored};
use crate::metrics;
use crate::state::{self, SessionKey, StateError};

/// Pause before a read is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Where answers go.
pub(crate) type Answers = mpsc::Sender<Result<Answer, WorkerError>>;

/// What was read.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Something for the machine.
    Input(Input),
    /// A partition's state has been handed in to its end; when it was committed last, in ms since the epoch.
    Restored { partition: i32, epoch: u64, committed_at: Option<i64> },
    /// The events that a partition's state lacks have been handed in to their end.
    Replayed { partition: i32, epoch: u64 },
    /// Where partitions of play.events end, as far as the log told.
    Ends(HashMap<i32, i64>),
    /// The oldest offset that a partition of play.events has.
    Oldest { partition: i32, question: u64, offset: i64 },
}

/// Reads a partition's state up to what it holds now, open transactions included, and hands it in.
pub(crate) async fn restore(
    log: Arc<dyn EventLog>,
    state: TopicPartition,
    epoch: u64,
    clock: daemon::Clock,
    answers: Answers,
) {
    let partition = state.partition;
    let begun = clock.monotonic_ms();
    let outcome = loop {
        match read_state(log.as_ref(), &state, epoch, &answers).await {
            Err(Unread::Log(LogError::Unavailable(why))) => {
                tracing::warn!(%state, why, "can't restore as yet");
                tokio::time::sleep(RETRY).await;
            }
            outcome => break outcome.map_err(WorkerError::from),
        }
    };
    let answer = match outcome {
        Ok(read) => {
            let took = clock.monotonic_ms() - begun;
            metrics::restored(Duration::from_millis(took.unsigned_abs()), read.bytes);
            tracing::info!(%state, took_ms = took, bytes = read.bytes, records = read.records, "state restored");
            Ok(Answer::Restored { partition, epoch, committed_at: read.committed_at })
        }
        Err(error) => Err(error),
    };
    // Nobody listens any more where the membership has ended.
    let _ = answers.send(answer).await;
}

/// What a restore has read.
#[derive(Debug, Default)]
struct Read {
    records: usize,
    bytes: usize,
    /// When the partition's own state was written.
    committed_at: Option<i64>,
}

/// Why a partition's state was not read.
enum Unread {
    Log(LogError),
    State(StateError),
}

impl From<LogError> for Unread {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl From<Unread> for WorkerError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Log(error) => error.into(),
            Unread::State(error) => Self::Fatal(error.to_string()),
        }
    }
}

async fn read_state(log: &dyn EventLog, state: &TopicPartition, epoch: u64, answers: &Answers) -> Result<Read, Unread> {
    // The end is asked for first, and counts records of open transactions: reading waits for them.
    let range = log.offsets(state).await?;
    let stretch = Stretch { partition: state.clone(), from: range.low, until: Some(range.high) };
    let mut reader = log.read(ReadRequest { stretches: vec![stretch], read_committed: true }).await?;
    let mut read = Read::default();
    while let Some(batch) = reader.next().await? {
        read.records += batch.records.len();
        for record in &batch.records {
            read.bytes += record.key.len() + record.value.as_ref().map_or(0, Bytes::len);
            if record.key == state::PARTITION_KEY {
                read.committed_at = Some(record.timestamp_ms);
            }
        }
        // Here, so that the loop has only to put them in their place.
        let records = Restored::of(&batch.records).map_err(Unread::State)?;
        let restored = Input::Restored { partition: state.partition, epoch, records };
        if answers.send(Ok(Answer::Input(restored))).await.is_err() {
            break;
        }
    }
    Ok(read)
}

/// Asks where partitions end, for metrics alone: what the log does not tell now is asked again later.
pub(crate) async fn ends(log: Arc<dyn EventLog>, partitions: Vec<TopicPartition>, answers: Answers) {
    let mut ends = HashMap::new();
    for partition in partitions {
        if let Ok(range) = log.offsets(&partition).await {
            ends.insert(partition.partition, range.high);
        }
    }
    // As above.
    let _ = answers.send(Ok(Answer::Ends(ends))).await;
}

/// Asks for the oldest offset of a partition.
pub(crate) async fn oldest(log: Arc<dyn EventLog>, events: TopicPartition, question: u64, answers: Answers) {
    let outcome = loop {
        match log.offsets(&events).await {
            Err(LogError::Unavailable(why)) => {
                tracing::warn!(%events, why, "can't ask for the oldest offset as yet");
                tokio::time::sleep(RETRY).await;
            }
            outcome => break outcome,
        }
    };
    let partition = events.partition;
    let answer = outcome.map(|range| Answer::Oldest { partition, question, offset: range.low });
    // As above.
    let _ = answers.send(answer.map_err(WorkerError::from)).await;
}

/// A stretch of play.events that holds what sessions' states lack.
pub(crate) struct Lacking {
    pub(crate) events: TopicPartition,
    pub(crate) epoch: u64,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// Reads a stretch of play.events again and hands in all of it.
pub(crate) async fn replay(log: Arc<dyn EventLog>, lacking: Lacking, clock: daemon::Clock, answers: Answers) {
    let begun = clock.monotonic_ms();
    let outcome = loop {
        match read_lacking(log.as_ref(), &lacking, &answers).await {
            Err(WorkerError::Rejoin(why)) => {
                tracing::warn!(events = %lacking.events, why, "can't read again as yet");
                tokio::time::sleep(RETRY).await;
            }
            outcome => break outcome,
        }
    };
    let answer = outcome.map(|records| {
        let took = clock.monotonic_ms() - begun;
        metrics::replayed(records, Duration::from_millis(took.unsigned_abs()));
        tracing::info!(events = %lacking.events, records, took_ms = took, "events read again");
        Answer::Replayed { partition: lacking.events.partition, epoch: lacking.epoch }
    });
    // Nobody listens any more where the membership has ended.
    let _ = answers.send(answer).await;
}

async fn read_lacking(log: &dyn EventLog, lacking: &Lacking, answers: &Answers) -> Result<usize, WorkerError> {
    let Lacking { events, epoch, from, until } = lacking;
    let lost = |low: i64| {
        WorkerError::Fatal(format!(
            "{events} begins at offset {low}, but the states of running sessions rely on what it held from {from} on: \
             those events are lost. Start under a new --group, which reads play.events anew"
        ))
    };
    let range = log.offsets(events).await.map_err(WorkerError::from)?;
    if range.low > *from {
        return Err(lost(range.low));
    }
    let stretch = Stretch { partition: events.clone(), from: *from, until: Some(*until) };
    let request = ReadRequest { stretches: vec![stretch], read_committed: true };
    let mut reader = log.read(request).await.map_err(WorkerError::from)?;
    let mut count = 0;
    loop {
        let batch = match reader.next().await {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(count),
            Err(LogError::OutOfRange { wanted, low, .. }) if wanted < low => return Err(lost(low)),
            Err(error) => return Err(error.into()),
        };
        count += batch.records.len();
        let records = Input::Replayed { partition: events.partition, epoch: *epoch, records: batch.records };
        if answers.send(Ok(Answer::Input(records))).await.is_err() {
            return Ok(count);
        }
    }
}

/// A stretch of play.events that is asked for, and whose records of it.
pub(crate) struct Question {
    pub(crate) events: TopicPartition,
    pub(crate) epoch: u64,
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) sessions: Vec<SessionKey>,
}

/// Reads a stretch of play.events again and hands in the records of some sessions.
pub(crate) async fn read_back(log: Arc<dyn EventLog>, question: Question, answers: Answers) {
    metrics::read_back();
    let outcome = loop {
        match read_sessions(log.as_ref(), &question).await {
            Err(LogError::Unavailable(why)) => {
                tracing::warn!(events = %question.events, why, "can't read back as yet");
                tokio::time::sleep(RETRY).await;
            }
            // Retention has dropped the beginning since it was looked up.
            Err(LogError::OutOfRange { wanted, low, .. }) if wanted < low => {
                tracing::info!(events = %question.events, wanted, low, "the log has dropped records meanwhile");
                tokio::time::sleep(RETRY).await;
            }
            outcome => break outcome,
        }
    };
    let answer = outcome.map_err(WorkerError::from).map(|records| {
        let (partition, epoch) = (question.events.partition, question.epoch);
        Answer::Input(Input::ReadBack { partition, epoch, records })
    });
    // As above.
    let _ = answers.send(answer).await;
}

async fn read_sessions(log: &dyn EventLog, question: &Question) -> Result<Vec<Record>, LogError> {
    let keys: HashSet<Bytes> = question.sessions.iter().map(SessionKey::to_bytes).collect();
    // What the log has dropped by age is missing from the answer, and the machine sees that.
    let low = log.offsets(&question.events).await?.low;
    let from = question.from.max(low);
    let stretch = Stretch { partition: question.events.clone(), from, until: Some(question.until.max(from)) };
    let mut reader = log.read(ReadRequest { stretches: vec![stretch], read_committed: true }).await?;
    let mut found = Vec::new();
    while let Some(batch) = reader.next().await? {
        found.extend(batch.records.iter().filter(|record| keys.contains(&record.key)).map(copied));
    }
    Ok(found)
}

/// A record that shares no buffer: one that is kept would keep its whole batch.
fn copied(record: &Record) -> Record {
    Record {
        key: Bytes::copy_from_slice(&record.key),
        value: record.value.as_ref().map(|value| Bytes::copy_from_slice(value)),
        // Nothing of a session is in them.
        headers: Headers::new(),
        ..*record
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use eventlog::embedded::EmbeddedLog;
    use eventlog::{
        AppendOptions, Appender, Cleanup, GroupOptions, Headers, Membership, NewRecord, OffsetRange, Reader,
        TopicCheck, TopicInfo, TopicSpec,
    };
    use schemas::Tenant;

    use super::*;

    /// A log whose oldest records go just before it is read for the first time.
    struct Ageing {
        log: EmbeddedLog,
        aged: AtomicBool,
    }

    #[async_trait::async_trait]
    impl EventLog for Ageing {
        async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
            self.log.ensure_topics(specs).await
        }

        async fn check_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
            self.log.check_topics(specs).await
        }

        async fn topic(&self, name: &str) -> Result<TopicInfo, LogError> {
            self.log.topic(name).await
        }

        async fn offsets(&self, partition: &TopicPartition) -> Result<OffsetRange, LogError> {
            self.log.offsets(partition).await
        }

        async fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<i64>, LogError> {
            self.log.offset_at(partition, timestamp_ms).await
        }

        async fn committed(&self, group: &str, of: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError> {
            self.log.committed(group, of).await
        }

        async fn appender(&self, options: AppendOptions) -> Result<Arc<dyn Appender>, LogError> {
            self.log.appender(options).await
        }

        async fn join(&self, options: GroupOptions) -> Result<Box<dyn Membership>, LogError> {
            self.log.join(options).await
        }

        async fn read(&self, request: ReadRequest) -> Result<Box<dyn Reader>, LogError> {
            if !self.aged.swap(true, Ordering::SeqCst) {
                self.log.truncate(&request.stretches[0].partition, 3).await?;
            }
            self.log.read(request).await
        }
    }

    /// A log of one partition with six records of a session.
    async fn six_records(folder: &tempfile::TempDir) -> (EmbeddedLog, TopicPartition, SessionKey) {
        let log = EmbeddedLog::open(folder.path().join("log.db")).await.unwrap();
        let cleanup = Cleanup::Delete { retention: None };
        let spec = TopicSpec { name: "t".into(), partitions: 1, replication: 1, cleanup, max_message_bytes: 1 << 20 };
        log.ensure_topics(&[spec]).await.unwrap();
        let events = TopicPartition::new("t", 0);
        let session = SessionKey { tenant: Tenant::parse("acme").unwrap(), session: uuid::Uuid::from_u128(1) };
        let record = |at| NewRecord {
            partition: events.clone(),
            key: session.to_bytes(),
            value: Some("{}".into()),
            headers: Headers::new(),
            timestamp_ms: at,
        };
        let appender = log.appender(AppendOptions::default()).await.unwrap();
        appender.append((0..6).map(record).collect()).unwrap().kept().await.unwrap();
        (log, events, session)
    }

    #[tokio::test]
    async fn records_that_age_away_while_they_are_asked_for_are_missing_from_the_answer() {
        let folder = tempfile::tempdir().unwrap();
        let (log, events, session) = six_records(&folder).await;
        let ageing = Arc::new(Ageing { log, aged: AtomicBool::new(false) });
        let (answers, mut answered) = mpsc::channel(1);
        let question = Question { events, epoch: 7, from: 0, until: 5, sessions: vec![session] };
        read_back(ageing, question, answers).await;
        let Some(Ok(Answer::Input(Input::ReadBack { epoch: 7, records, .. }))) = answered.recv().await else {
            panic!("no answer")
        };
        assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn a_record_that_is_kept_keeps_no_batch() {
        let batch = Bytes::from(vec![7; 1 << 20]);
        let record = Record {
            offset: 3,
            timestamp_ms: 4,
            key: batch.slice(..10),
            value: Some(batch.slice(10..30)),
            headers: Headers::new(),
        };
        let kept = copied(&record);
        assert_eq!((kept.offset, kept.timestamp_ms, &kept.key, &kept.value), (3, 4, &record.key, &record.value));
        drop(record);
        assert!(batch.is_unique(), "nothing else holds it");
    }

    #[tokio::test]
    async fn what_states_lack_is_read_again_to_its_end_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let (log, events, _) = six_records(&folder).await;
        let (answers, mut answered) = mpsc::channel(8);
        replay(Arc::new(log), Lacking { events, epoch: 7, from: 1, until: 4 }, daemon::Clock::system(), answers).await;
        let mut offsets = Vec::new();
        while let Some(Ok(Answer::Input(Input::Replayed { epoch: 7, records, .. }))) = answered.recv().await {
            offsets.extend(records.iter().map(|record| record.offset));
            if offsets.len() == 3 {
                break;
            }
        }
        assert_eq!(offsets, [1, 2, 3]);
        assert!(matches!(answered.recv().await, Some(Ok(Answer::Replayed { partition: 0, epoch: 7 }))));
    }

    #[tokio::test]
    async fn what_states_lack_and_the_log_has_dropped_stops_the_worker() {
        for aged in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let (log, events, _) = six_records(&folder).await;
            if aged {
                log.truncate(&events, 3).await.unwrap();
            }
            // Else it goes between the look and the read.
            let log = Arc::new(Ageing { log, aged: AtomicBool::new(aged) });
            let (answers, mut answered) = mpsc::channel(8);
            replay(log, Lacking { events, epoch: 7, from: 1, until: 6 }, daemon::Clock::system(), answers).await;
            let Some(Err(WorkerError::Fatal(why))) = answered.recv().await else { panic!("it goes on") };
            assert!(why.contains("begins at offset 3") && why.contains("from 1 on"), "{why}");
        }
    }
}
