//! A log that fails: 503, and a retry that has no second effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use eventlog::{
    AppendError, AppendOptions, Appender, Backlog, EventLog, GroupOptions, LogError, Membership, NewRecord,
    OffsetRange, Pending, ReadRequest, Reader, TopicCheck, TopicInfo, TopicPartition, TopicSpec,
};
use schemas::topics::Topic;
use serde_json::json;
use tokio::sync::Mutex;

use crate::told::{event, value};
use crate::world::{Setting, World};

const SOUND: u8 = 0;
const FULL: u8 = 1;
const REFUSES: u8 = 2;
/// Takes everything and says that it does not know.
const FORGETS: u8 = 3;
/// Takes everything and never answers.
const SILENT: u8 = 4;
/// Takes nothing and says that it does not know.
const LOSES: u8 = 5;
/// Says that it will never take such a record.
const NEVER: u8 = 6;

static MODE: AtomicU8 = AtomicU8::new(SOUND);
/// Tests that set the mode take turns.
static TURN: Mutex<()> = Mutex::const_new(());

/// A log whose appender fails as it is told.
struct Failing(Arc<dyn EventLog>);

struct FailingAppender(Arc<dyn Appender>);

#[async_trait]
impl EventLog for Failing {
    async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        self.0.ensure_topics(specs).await
    }

    async fn check_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        self.0.check_topics(specs).await
    }

    async fn topic(&self, name: &str) -> Result<TopicInfo, LogError> {
        self.0.topic(name).await
    }

    async fn offsets(&self, partition: &TopicPartition) -> Result<OffsetRange, LogError> {
        self.0.offsets(partition).await
    }

    async fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<i64>, LogError> {
        self.0.offset_at(partition, timestamp_ms).await
    }

    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError> {
        self.0.committed(group, partitions).await
    }

    async fn appender(&self, options: AppendOptions) -> Result<Arc<dyn Appender>, LogError> {
        Ok(Arc::new(FailingAppender(self.0.appender(options).await?)))
    }

    async fn join(&self, options: GroupOptions) -> Result<Box<dyn Membership>, LogError> {
        self.0.join(options).await
    }

    async fn read(&self, request: ReadRequest) -> Result<Box<dyn Reader>, LogError> {
        self.0.read(request).await
    }
}

#[async_trait]
impl Appender for FailingAppender {
    fn append(&self, records: Vec<NewRecord>) -> Result<Pending, AppendError> {
        match MODE.load(Ordering::SeqCst) {
            FULL => Err(AppendError::Full),
            REFUSES => {
                let (settle, pending) = Pending::new();
                settle.send(Err(AppendError::Unavailable("no broker".into()))).unwrap();
                Ok(pending)
            }
            NEVER => Err(AppendError::Refused("too large".into())),
            LOSES => {
                let (settle, pending) = Pending::new();
                settle.send(Err(AppendError::Unknown("cut off".into()))).unwrap();
                Ok(pending)
            }
            mode @ (FORGETS | SILENT) => {
                let kept = self.0.append(records)?;
                let (settle, pending) = Pending::new();
                tokio::spawn(async move {
                    kept.kept().await.unwrap();
                    if mode == SILENT {
                        tokio::time::sleep(Duration::from_mins(1)).await;
                    }
                    let _ = settle.send(Err(AppendError::Unknown("cut off".into())));
                });
                Ok(pending)
            }
            _ => self.0.append(records),
        }
    }

    async fn flush(&self, deadline: Duration) -> Result<(), AppendError> {
        self.0.flush(deadline).await
    }

    fn backlog(&self) -> Backlog {
        self.0.backlog()
    }
}

fn setting(dedup: &str) -> Setting {
    let flags = ["--produce-deadline", "300ms", "--dedup", dedup].map(str::to_owned).to_vec();
    Setting { flags, between: Some(|log| Arc::new(Failing(log))), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_takes_nothing_is_503_and_the_same_events_go_through_later() {
    let _turn = TURN.lock().await;
    MODE.store(SOUND, Ordering::SeqCst);
    let world = World::with(setting("local")).await;
    let batch = json!({"events": [event(), event(), {"seq": -1}]});
    for (mode, code, seconds) in [(FULL, "overloaded", "1"), (REFUSES, "log_unavailable", "2")] {
        MODE.store(mode, Ordering::SeqCst);
        let told = world.post("/v1/batch", &batch).await.is(503, code);
        assert_eq!(told.headers["retry-after"], seconds);
        assert!(told.body.get("accepted").is_none(), "nothing is said of single events");
    }
    world.assert_untouched().await;
    MODE.store(SOUND, Ordering::SeqCst);
    let told = world.post("/v1/batch", &batch).await;
    assert_eq!((told.status, told.counts()), (207, [2, 0, 0, 1]));
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_unknown_outcome_the_same_body_is_taken_and_another_refused() {
    let _turn = TURN.lock().await;
    for mode in [FORGETS, SILENT] {
        MODE.store(SOUND, Ordering::SeqCst);
        let world = World::with(setting("local")).await;
        let event = event();
        MODE.store(mode, Ordering::SeqCst);
        world.post("/v1/events", &event).await.is(503, "log_unavailable");
        MODE.store(SOUND, Ordering::SeqCst);
        let mut other = event.clone();
        other["seq"] = json!(9);
        assert_eq!(world.post("/v1/events", &other).await.is(422, "validation_failed").counts(), [0, 0, 1, 0]);
        assert_eq!(world.post("/v1/events", &event).await.accepted().counts(), [1, 0, 0, 0]);
        assert_eq!(world.post("/v1/events", &event).await.accepted().counts(), [0, 1, 0, 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_of_unknown_outcome_is_written_again_whatever_its_body() {
    let _turn = TURN.lock().await;
    MODE.store(SOUND, Ordering::SeqCst);
    let world = World::with(setting("local")).await;
    let path = format!("/v1/sessions/{}/close", uuid::Uuid::new_v4());
    MODE.store(LOSES, Ordering::SeqCst);
    world.post(&path, &json!({"player_id": "p-1", "reason": "error"})).await.is(503, "log_unavailable");
    MODE.store(SOUND, Ordering::SeqCst);
    let other = json!({"player_id": "p-1", "reason": "completed"});
    let dry = world.post(&format!("{path}?dry_run=true"), &other).await.accepted();
    assert_eq!(dry.counts(), [1, 0, 0, 0], "a dry run says what the real one does");
    assert_eq!(world.post(&path, &other).await.accepted().counts(), [1, 0, 0, 0]);
    assert_eq!(world.events().await[0]["event"]["data"]["reason"], "completed");
    assert_eq!(world.post(&path, &other).await.accepted().counts(), [0, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_settles_an_unknown_outcome() {
    let _turn = TURN.lock().await;
    MODE.store(SOUND, Ordering::SeqCst);
    let world = World::with(setting("shared")).await;
    let event = event();
    MODE.store(FORGETS, Ordering::SeqCst);
    world.post("/v1/events", &event).await.is(503, "log_unavailable");
    MODE.store(SOUND, Ordering::SeqCst);
    for _ in 0..200 {
        if world.post("/v1/events?dry_run=true", &event).await.accepted().counts() == [0, 1, 0, 0] {
            assert_eq!(world.post("/v1/events", &event).await.accepted().counts(), [0, 1, 0, 0]);
            assert_eq!(world.events().await.len(), 1, "the retry had no second effect");
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the tail never brought the event");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_tells_of_a_log_that_does_not_acknowledge() {
    let _turn = TURN.lock().await;
    MODE.store(SOUND, Ordering::SeqCst);
    let world = World::with(setting("local")).await;
    MODE.store(REFUSES, Ordering::SeqCst);
    world.post("/v1/events", &event()).await.is(503, "log_unavailable");
    let became = async |status: u16| {
        for _ in 0..100 {
            if world.get("/readyz").await.status == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("/readyz never became {status}");
    };
    became(503).await;
    MODE.store(SOUND, Ordering::SeqCst);
    world.post("/v1/events", &event()).await.accepted();
    became(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_log_never_takes_is_no_failing_log() {
    let _turn = TURN.lock().await;
    MODE.store(SOUND, Ordering::SeqCst);
    let world = World::with(setting("local")).await;
    MODE.store(NEVER, Ordering::SeqCst);
    for _ in 0..15 {
        world.post("/v1/events", &event()).await.is(500, "internal");
        assert_eq!(world.get("/readyz").await.status, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_an_unknown_outcome_are_told_exactly_once() {
    let _turn = TURN.lock().await;
    MODE.store(SOUND, Ordering::SeqCst);
    let mut world = World::with(setting("local")).await;
    world.post("/v1/batch", &json!({"events": [event(), event()]})).await.accepted();
    MODE.store(FORGETS, Ordering::SeqCst);
    // The counts go out every ten seconds; these land, and the gateway is not told so.
    let landed = async {
        while world.records(Topic::Outcomes).await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), landed).await.expect("counts are told");
    tokio::time::sleep(Duration::from_millis(500)).await;
    MODE.store(SOUND, Ordering::SeqCst);
    world.post("/v1/events", &event()).await.accepted();
    world.stop().await;
    let records: Vec<_> = world.records(Topic::Outcomes).await.iter().map(value).collect();
    let accepted: u64 = records.iter().filter_map(|record| record["outcomes"]["accepted"].as_u64()).sum();
    assert_eq!(accepted, 3, "{records:?}");
}
