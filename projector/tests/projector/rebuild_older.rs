//! Rows that are older than what the log still has.

use eventlog::embedded::EmbeddedLog;
use eventlog::{EventLog as _, TopicPartition};
use projector::rebuild::{Options, Outcome};
use schemas::topics::Topic;
use serde_json::json;
use uuid::Uuid;

use crate::rebuild::keyed;
use crate::records::{activity, event, live, outcome, report, set_aside, with};
use crate::whole::Pipeline;
use crate::world::Given;

impl Pipeline {
    /// A session each of players of their own, where their keys say.
    async fn append_players(&self, players: std::ops::Range<u128>) {
        let of = |n: u128| keyed(&with(report(Uuid::from_u128(n), 1), "/player", json!(format!("p-{n}"))), n);
        self.append(Topic::Sessions, players.map(of).collect()).await;
    }

    async fn append_running(&self, sessions: std::ops::Range<u128>) {
        let of = |n: u128| {
            let session = Uuid::from_u128(n);
            Given { key: format!("acme/{session}"), ..Given::json(&live(session, 3)) }
        };
        self.append(Topic::Live, sessions.map(of).collect()).await;
    }

    /// Three of four partitions of a topic lose all that they have.
    async fn lose(&self, topic: Topic) {
        let log = EmbeddedLog::open(self.folder.path().join("log.sqlite")).await.unwrap();
        for number in 0..3 {
            let partition = TopicPartition::new(topic.name("play."), number);
            let high = log.offsets(&partition).await.unwrap().high;
            log.truncate(&partition, high).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_older_than_the_log_are_copied_and_marked_and_others_are_not() {
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("one");
    pipeline.append_players(0..300).await;
    pipeline.append_running(1_000..1_050).await;
    for n in 0..20 {
        let key = format!("acme/game-{n}");
        let counts = [
            (Topic::Activity, activity(&json!({"task.started": 5}))),
            (Topic::Outcomes, outcome(&json!({"accepted": 3}))),
        ];
        for (topic, value) in counts {
            pipeline.append(topic, vec![Given { key: key.clone(), ..Given::json(&value) }]).await;
        }
        pipeline.append(Topic::Quarantine, vec![Given { key: key.clone(), ..set_aside() }]).await;
        pipeline.append(Topic::Events, vec![Given { key, ..event(n, u64::try_from(n).unwrap(), "{}") }]).await;
    }
    pipeline.until("SELECT count(*) FROM play.sessions", 300).await;
    pipeline.until("SELECT count(*) FROM play.live_sessions", 50).await;
    pipeline.until("SELECT sum(events) FROM play.activity_by_minute", 100).await;
    pipeline.until("SELECT sum(events) FROM play.outcomes", 60).await;
    pipeline.until("SELECT count(*) FROM play.quarantine", 20).await;
    pipeline.until("SELECT count(*) FROM play.event_log", 20).await;
    for topic in [Topic::Sessions, Topic::Live, Topic::Activity, Topic::Outcomes, Topic::Quarantine, Topic::Events] {
        pipeline.lose(topic).await;
    }
    pipeline.append_players(300..320).await;
    pipeline.until("SELECT count(*) FROM play.sessions", 320).await;
    let dry = Options { dry_run: true, ..Options::default() };
    assert_eq!(pipeline.rebuild(dry.clone()).await.unwrap(), Outcome::Equal);
    assert_eq!(pipeline.different(), Vec::<String>::new());
    let told = pipeline.comparison()["copied"].clone();
    println!("copied: {told}");
    let copied = told["sessions"].as_i64().unwrap();
    assert!((1..300).contains(&copied), "{told}");
    for model in ["live_sessions", "activity_by_minute", "worker_outcomes", "outcomes", "quarantine", "event_log"] {
        assert!(told[model].as_i64() > Some(0), "{model}: {told}");
    }
    let marked = "SELECT count(*) FROM play_g2.copied_rows c JOIN play_g2.sessions s
                  ON c.model = 'sessions' AND c.tenant = s.tenant AND c.row_key->>'session_id' = s.session_id::text";
    assert_eq!(pipeline.count(marked).await, copied);
    assert_eq!(pipeline.count("SELECT sum(sessions) FROM play_g2.daily_players").await, 320, "recounted");

    // What the live tables have beyond a partition that is whole is no older row, and neither is one they lost.
    let whole = "SELECT session_id FROM play_g1.sessions WHERE session_id::text NOT IN
                     (SELECT row_key->>'session_id' FROM play_g2.copied_rows WHERE model = 'sessions') ORDER BY 1 LIMIT 1";
    pipeline.run_text(&format!("DELETE FROM play_g1.sessions WHERE session_id = ({whole})")).await;
    pipeline.run_text(&format!("DELETE FROM play_g2.sessions WHERE session_id = ({whole} OFFSET 1)")).await;
    assert_eq!(pipeline.rebuild(dry).await.unwrap(), Outcome::Different);
    assert_eq!(pipeline.different(), ["sessions"]);
    let comparison = pipeline.comparison();
    let sessions = comparison["models"].as_array().unwrap().iter().find(|m| m["model"] == "sessions").unwrap();
    assert_eq!(sessions["differing_rows"], 2, "{sessions}");
    assert_eq!(comparison["copied"], json!({}));
    running.stop().await;
}
