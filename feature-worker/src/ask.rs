//! Reads of the log beside the group: a partition's state, and sessions that are to be rebuilt.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventlog::{EventLog, LogError, ReadRequest, Record, Stretch, TopicPartition};
use tokio::sync::mpsc;

use crate::error::WorkerError;
use crate::machine::Input;
use crate::metrics;
use crate::state::SessionKey;

/// Pause before a read is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Where answers go.
pub(crate) type Answers = mpsc::Sender<Result<Input, WorkerError>>;

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
            Err(LogError::Unavailable(why)) => {
                tracing::warn!(%state, why, "can't restore as yet");
                tokio::time::sleep(RETRY).await;
            }
            outcome => break outcome,
        }
    };
    let answer = match outcome {
        Ok(()) => {
            let took = clock.monotonic_ms() - begun;
            metrics::restored(Duration::from_millis(took.unsigned_abs()));
            tracing::info!(%state, took_ms = took, "state restored");
            Ok(Input::RestoreDone { partition, epoch })
        }
        Err(error) => Err(error.into()),
    };
    // Nobody listens any more where the membership has ended.
    let _ = answers.send(answer).await;
}

async fn read_state(log: &dyn EventLog, state: &TopicPartition, epoch: u64, answers: &Answers) -> Result<(), LogError> {
    // The end is asked for first, and counts records of open transactions: reading waits for them.
    let range = log.offsets(state).await?;
    let stretch = Stretch { partition: state.clone(), from: range.low, until: Some(range.high) };
    let mut reader = log.read(ReadRequest { stretches: vec![stretch], read_committed: true }).await?;
    while let Some(batch) = reader.next().await? {
        let restored = Input::Restored { partition: state.partition, epoch, records: batch.records };
        if answers.send(Ok(restored)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
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
        Input::ReplayDone { partition: lacking.events.partition, epoch: lacking.epoch }
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
    let range = log.offsets(events).await.map_err(again)?;
    if range.low > *from {
        return Err(lost(range.low));
    }
    let stretch = Stretch { partition: events.clone(), from: *from, until: Some(*until) };
    let request = ReadRequest { stretches: vec![stretch], read_committed: true };
    let mut reader = log.read(request).await.map_err(again)?;
    let mut count = 0;
    loop {
        let batch = match reader.next().await {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(count),
            Err(LogError::OutOfRange { wanted, low, .. }) if wanted < low => return Err(lost(low)),
            Err(error) => return Err(again(error)),
        };
        count += batch.records.len();
        let records = Input::Replayed { partition: events.partition, epoch: *epoch, records: batch.records };
        if answers.send(Ok(records)).await.is_err() {
            return Ok(count);
        }
    }
}

/// What is worth another try is [`WorkerError::Rejoin`] here.
fn again(error: LogError) -> WorkerError {
    match error {
        LogError::Fatal(why) => WorkerError::Fatal(why),
        error => error.into(),
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
    let answer = outcome.map_err(WorkerError::from).map(|records| Input::ReadBack {
        partition: question.events.partition,
        epoch: question.epoch,
        records,
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
        found.extend(batch.records.into_iter().filter(|record| keys.contains(&record.key)));
    }
    Ok(found)
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
        let Some(Ok(Input::ReadBack { epoch: 7, records, .. })) = answered.recv().await else { panic!("no answer") };
        assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [3, 4]);
    }

    #[tokio::test]
    async fn what_states_lack_is_read_again_to_its_end_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let (log, events, _) = six_records(&folder).await;
        let (answers, mut answered) = mpsc::channel(8);
        replay(Arc::new(log), Lacking { events, epoch: 7, from: 1, until: 4 }, daemon::Clock::system(), answers).await;
        let mut offsets = Vec::new();
        while let Some(Ok(Input::Replayed { epoch: 7, records, .. })) = answered.recv().await {
            offsets.extend(records.iter().map(|record| record.offset));
            if offsets.len() == 3 {
                break;
            }
        }
        assert_eq!(offsets, [1, 2, 3]);
        assert!(matches!(answered.recv().await, Some(Ok(Input::ReplayDone { partition: 0, epoch: 7 }))));
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
