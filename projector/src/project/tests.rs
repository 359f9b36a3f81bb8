//! Promises of the projection, without a database.

use eventlog::{Headers, Record, TopicPartition};
use schemas::games::{GameSettings, Games, Model};
use schemas::report::TaskFigures;
use schemas::topics::Topic;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::decode::decode;
use crate::load::{Entry, Slice};

fn report(session: u128, revision: u64, first_offset: i64) -> Value {
    let metrics =
        serde_json::to_value(schemas::metrics::Metrics { event_count: 10, active_ms: 500, ..Default::default() });
    json!({
        "v": 1, "tenant": "acme", "game": "demo", "player": "p-1", "session": Uuid::from_u128(session), "kind": "play",
        "revision": revision, "status": "final", "facts_sha256": "00",
        "facts": {
            "metrics_version": 1, "close_reason": "completed", "started": "2026-01-05T08:00:00Z",
            "ended": "2026-01-05T08:10:00Z", "complete": true, "idle_ms": 60_000, "metrics": metrics.unwrap(),
            "tasks": [{"task_id": "L1", "starts": 1, "completions": 1, "abandons": 0, "attempts": 2, "successes": 1,
                       "hints": 0, "spent_ms": 900, "first_try": false}],
            "evidence": [{"skill": "resilience", "source": "game", "signal": "recovered", "ordinal": 0, "successes": 1.0,
                          "opportunities": 1.0, "weight": 1.0, "at": "2026-01-05T08:10:00Z"}],
        },
        "provenance": {
            "partition": 2, "first_offset": first_offset, "last_offset": first_offset + 9, "repeats": 0,
            "clock_offset_ms": null, "started_at": "2026-01-05T08:00:00Z", "ended_at": "2026-01-05T08:10:00Z",
            "session_timeout_ms": 1, "grace_ms": 1, "cap_ms": 1, "worker": "test", "reported_at": "2026-01-05T09:00:00Z",
        },
    })
}

fn with(mut value: Value, pointer: &str, new: Value) -> Value {
    *value.pointer_mut(pointer).unwrap() = new;
    value
}

fn slice(topic: Topic, values: &[Value]) -> Slice {
    let entries = (0_i64..).zip(values).map(|(offset, value)| {
        let bytes = if value.is_null() { None } else { Some(value.to_string().into_bytes().into()) };
        let key = format!("acme/{}", Uuid::from_u128(1)).into();
        let record = Record { offset, timestamp_ms: 0, key, value: bytes, headers: Headers::new() };
        let told = decode(topic, &record).unwrap();
        Entry::new(record, told)
    });
    Slice {
        partition: TopicPartition::new(topic.name("play."), 0),
        epoch: 1,
        seen: 0,
        next: i64::try_from(values.len()).unwrap(),
        entries: entries.collect(),
    }
}

fn known(revision: i64, share: Option<Share>) -> Known {
    let mut known = Known::default();
    let row = KnownSession {
        game: "demo".into(),
        player_id: "p-1".into(),
        day: share.map(|_| day("2026-01-05")),
        revision,
        partition: 2,
        first_offset: 100,
        share,
        tasks: Vec::new(),
    };
    known.insert("acme".into(), Uuid::from_u128(1), row);
    known
}

fn day(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn old_share() -> Share {
    Share {
        started_at: time("2026-01-05T08:00:00Z"),
        ended_at: time("2026-01-05T08:05:00Z"),
        events: 4,
        active_ms: 200,
    }
}

#[test]
fn a_batch_is_collapsed_to_the_newest_revision() {
    let slices = [slice(Topic::Sessions, &[report(1, 1, 100), report(1, 3, 100), report(1, 2, 100), report(2, 1, 7)])];
    let known = Known::default();
    let changes = project(&slices, &known);
    assert_eq!(changes.sessions.iter().map(|row| row.report.revision).collect::<Vec<_>>(), [3, 1]);
    assert!(changes.evidence_gone.is_empty() && changes.refused.is_empty());
    assert_eq!((changes.tasks.len(), changes.evidence.len()), (2, 2));
    assert_eq!(changes.players.len(), 1);
    assert_eq!((changes.players[0].sessions, changes.players[0].events), (2, 20));
}

#[test]
fn a_revision_that_is_not_newer_changes_nothing() {
    let slices = [slice(Topic::Sessions, &[report(1, 1, 100), report(1, 2, 100)])];
    let known = known(2, Some(old_share()));
    let changes = project(&slices, &known);
    assert!(changes.sessions.is_empty() && changes.players.is_empty() && changes.refused.is_empty());
}

#[test]
fn a_newer_revision_corrects_its_player_and_adds_nothing_twice() {
    let slices = [slice(Topic::Sessions, &[report(1, 2, 100)])];
    let known = known(1, Some(old_share()));
    let changes = project(&slices, &known);
    let change = &changes.players[0];
    assert_eq!((change.sessions, change.events, change.active_ms, change.recount), (0, 6, 300, false));
    assert_eq!(changes.sessions[0].revises, Some(1));
}

fn task(ordinal: i64, task_id: &str, hints: u64) -> KnownTask {
    let figures = TaskFigures {
        task_id: task_id.into(),
        starts: 1,
        completions: 1,
        attempts: 2,
        successes: 1,
        hints,
        spent_ms: Some(900),
        first_try: Some(false),
        ..TaskFigures::default()
    };
    KnownTask { ordinal, game: "demo".into(), player_id: "p-1".into(), figures }
}

#[test]
fn a_revision_writes_the_tasks_that_differ_and_no_others() {
    let slices = [slice(Topic::Sessions, &[report(1, 2, 100)])];
    let revise = |tasks: &[KnownTask]| {
        let mut known = known(1, Some(old_share()));
        for task in tasks {
            known.insert_task("acme", Uuid::from_u128(1), task.clone());
        }
        known
    };
    let same = revise(&[task(0, "L1", 0)]);
    let changes = project(&slices, &same);
    assert!(changes.tasks.is_empty() && changes.tasks_gone.is_empty() && changes.task_growth.is_empty());

    let other = revise(&[task(0, "L1", 3), task(1, "L2", 1)]);
    let changes = project(&slices, &other);
    assert_eq!(changes.tasks.iter().map(|row| row.ordinal).collect::<Vec<_>>(), [0]);
    assert_eq!(changes.tasks_gone, [(("acme", Uuid::from_u128(1)), 1)]);
    let growth: Vec<_> = changes.task_growth.iter().map(|((.., task), sums)| (&**task, *sums)).collect();
    assert_eq!(
        growth,
        [("L1", [0, 0, 0, 0, 0, 0, 0, 0, 0, -3]), ("L2", [-1, -1, 0, -1, -1, -1, 0, -2, -1, -1])],
        "in the order of {SUMS:?}"
    );
}

#[test]
fn a_revision_that_moves_nothing_touches_no_player() {
    let slices = [slice(Topic::Sessions, &[report(1, 2, 100)])];
    let share = Share { ended_at: time("2026-01-05T08:10:00Z"), events: 10, active_ms: 500, ..old_share() };
    let known = known(1, Some(share));
    let changes = project(&slices, &known);
    assert!(changes.players.is_empty() && changes.days.is_empty() && changes.sessions.len() == 1);
}

#[test]
fn a_player_whose_first_or_last_time_may_have_moved_inwards_is_counted_anew() {
    let ends_earlier = with(report(1, 2, 100), "/provenance/ended_at", json!("2026-01-05T08:04:00Z"));
    let slices = [slice(Topic::Sessions, &[ends_earlier])];
    let known = known(1, Some(old_share()));
    assert!(project(&slices, &known).players[0].recount);
}

#[test]
fn a_session_that_changes_its_player_moves_from_one_to_the_other() {
    let slices = [slice(Topic::Sessions, &[with(report(1, 2, 100), "/player", json!("p-2"))])];
    let known = known(1, Some(old_share()));
    let changes = project(&slices, &known);
    let rows: Vec<_> =
        changes.players.iter().map(|row| (row.player_id, row.sessions, row.events, row.recount)).collect();
    assert_eq!(rows, [("p-1", -1, -4, true), ("p-2", 1, 10, false)]);
}

#[test]
fn a_session_counts_on_the_day_of_its_start_in_its_games_zone() {
    let games = "[[settings]]\ntenant = \"acme\"\ngame = \"demo\"\ntime_zone = \"Pacific/Auckland\"\nvalid_from = \"2026-01-03T00:00:00Z\"";
    let games = Games::parse(games, GameSettings::default()).unwrap();
    let at = |started: &str| with(report(1, 1, 100), "/provenance/started_at", json!(started));
    for (started, expected) in [
        ("2026-01-05T10:59:59.999Z", "2026-01-05"),
        ("2026-01-05T11:00:00Z", "2026-01-06"),
        ("2026-01-02T23:59:59Z", "2026-01-02"),
    ] {
        let slices = [slice(Topic::Sessions, &[at(started)])];
        let known = Known::new(games.clone().into());
        let changes = project(&slices, &known);
        let expected = DayChange { tenant: "acme", game: "demo", player_id: "p-1", day: day(expected), sessions: 1 };
        assert_eq!(changes.sessions[0].day, Some(expected.day));
        assert_eq!(changes.days, [expected]);
    }
}

#[test]
fn a_revision_moves_a_day_only_where_player_game_or_day_is_another() {
    let days = |revision: Value| -> Vec<(String, String, i64)> {
        let slices = [slice(Topic::Sessions, &[revision])];
        let known = known(1, Some(old_share()));
        let row = |row: &DayChange<'_>| (row.player_id.to_owned(), row.day.to_string(), row.sessions);
        project(&slices, &known).days.iter().map(row).collect()
    };
    assert!(days(report(1, 2, 100)).is_empty());
    assert_eq!(
        days(with(report(1, 2, 100), "/provenance/started_at", json!("2026-01-04T23:00:00Z"))),
        [("p-1".into(), "2026-01-04".into(), 1), ("p-1".into(), "2026-01-05".into(), -1)]
    );
    assert_eq!(days(with(report(1, 2, 100), "/kind", json!("evidence"))), [("p-1".into(), "2026-01-05".into(), -1)]);
}

#[test]
fn a_second_life_is_refused_whether_the_first_lies_in_the_tables_or_in_the_batch() {
    let slices = [slice(Topic::Sessions, &[report(1, 9, 555)])];
    let in_tables = known(1, Some(old_share()));
    let changes = project(&slices, &in_tables);
    assert!(changes.sessions.is_empty());
    assert_eq!(changes.refused[0].reason, Reason::SecondLife);
    assert!(changes.refused[0].why.contains("offset 555"), "{}", changes.refused[0].why);

    let slices = [slice(Topic::Sessions, &[report(1, 1, 100), report(1, 1, 555)])];
    let nothing = Known::default();
    let changes = project(&slices, &nothing);
    assert_eq!(changes.sessions[0].report.provenance.first_offset, 100);
    assert_eq!(changes.refused[0].entry.record.offset, 1);
}

#[test]
fn evidence_is_no_part_of_play_statistics() {
    let evidence = with(report(1, 1, 100), "/kind", json!("evidence"));
    let slices = [slice(Topic::Sessions, &[evidence])];
    let nothing = Known::default();
    let changes = project(&slices, &nothing);
    assert_eq!((changes.sessions.len(), changes.evidence.len()), (1, 1));
    assert!(changes.players.is_empty() && changes.tasks.is_empty());
}

#[test]
fn what_is_no_report_is_refused_and_the_rest_goes_on() {
    let cases = [
        json!("text"),
        json!({"v": 1}),
        Value::Null,
        with(report(2, 1, 7), "/revision", json!(u64::MAX)),
        with(report(2, 1, 7), "/facts/metrics/hints", json!(u64::MAX)),
        with(report(2, 1, 7), "/tenant", json!("No Tenant")),
        report(3, 1, 8),
    ];
    let slices = [slice(Topic::Sessions, &cases)];
    let nothing = Known::default();
    let changes = project(&slices, &nothing);
    assert_eq!(changes.sessions.len(), 1);
    let offsets: Vec<_> = changes.refused.iter().map(|refusal| (refusal.entry.record.offset, refusal.reason)).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4, 5].map(|offset| (offset, Reason::Poison)));
}

#[test]
fn a_later_form_stops_the_reader_and_unknown_fields_do_not() {
    let record = |value: Value| Record {
        offset: 0,
        timestamp_ms: 0,
        key: "k".into(),
        value: Some(value.to_string().into_bytes().into()),
        headers: Headers::new(),
    };
    for topic in [Topic::Sessions, Topic::Live, Topic::Activity, Topic::Outcomes, Topic::Events] {
        let newer = decode(topic, &record(json!({"v": 2, "tenant": 7}))).unwrap_err();
        assert_eq!(newer.0, 2, "{topic:?}");
    }
    let mut wider = report(1, 1, 1);
    wider["novelty"] = json!(true);
    assert!(matches!(decode(Topic::Sessions, &record(wider)), Ok(Told::Report(_))));
}

#[test]
fn the_last_snapshot_of_a_session_stands_and_a_tombstone_ends_it() {
    let live = |events: u64| {
        json!({"v": 1, "tenant": "acme", "game": "demo", "player": "p-1", "session": Uuid::from_u128(1),
               "started_at": "2026-01-05T08:00:00Z", "last_event_at": "2026-01-05T08:00:09Z",
               "event_count": events, "active_ms": 1})
    };
    let nothing = Known::default();
    let slices = [slice(Topic::Live, &[live(1), Value::Null, live(3)])];
    let changes = project(&slices, &nothing);
    assert_eq!((changes.live[0].event_count, changes.live_ended.len()), (3, 0));
    let slices = [slice(Topic::Live, &[live(1), Value::Null])];
    let changes = project(&slices, &nothing);
    assert_eq!((changes.live.len(), changes.live_ended.len()), (0, 1));
}

#[test]
fn counts_of_a_minute_are_added_up_once_a_row() {
    let activity = json!({"v": 1, "tenant": "acme", "game": "demo", "minute": "2026-01-05T08:00:00Z",
                          "applied": {"task.started": 2, "choice.made": 1}, "repeats": 4, "set_aside": {"late": 1}});
    let outcome = json!({"v": 1, "gateway": "g", "at": "2026-01-05T08:01:00Z", "kind": "counts", "tenant": "acme",
                         "game": "demo", "minute": "2026-01-05T08:00:00Z", "outcomes": {"accepted": 3}});
    let started = json!({"v": 1, "gateway": "g", "at": "2026-01-05T08:01:00Z", "kind": "started"});
    let slices = [slice(Topic::Activity, &[activity.clone(), activity]), slice(Topic::Outcomes, &[outcome, started])];
    let nothing = Known::default();
    let changes = project(&slices, &nothing);
    let told = |rows: &[Count<'_>]| rows.iter().map(|row| (row.word.clone(), row.events)).collect::<Vec<_>>();
    assert_eq!(told(&changes.activity), [("choice.made".into(), 2), ("task.started".into(), 4)]);
    assert_eq!(
        told(&changes.worker_outcomes),
        [("applied".into(), 6), ("repeat".into(), 8), ("set_aside/late".into(), 2)]
    );
    assert_eq!(told(&changes.outcomes), [("accepted".into(), 3)]);
}

#[test]
fn what_is_older_than_its_tenants_horizon_is_counted_and_changes_nothing() {
    let horizons = |before: &str| {
        let mut horizons = Horizons::default();
        for (tenant, model) in ["acme", ""].into_iter().flat_map(|tenant| Model::ALL.map(|model| (tenant, model))) {
            horizons.insert(tenant.to_owned(), model, schemas::Timestamp::parse(before).unwrap());
        }
        horizons
    };
    let live = json!({"v": 1, "tenant": "acme", "game": "demo", "player": "p-1", "session": Uuid::from_u128(1),
                      "started_at": "2026-01-05T08:00:00Z", "last_event_at": "2026-01-05T08:10:00Z", "event_count": 1, "active_ms": 1});
    let activity = json!({"v": 1, "tenant": "acme", "game": "demo", "minute": "2026-01-05T08:10:00Z", "applied": {"task.started": 2}});
    let outcome = json!({"v": 1, "gateway": "g", "at": "2026-01-05T08:11:00Z", "kind": "counts", "tenant": "acme",
                         "game": "demo", "minute": "2026-01-05T08:10:00Z", "outcomes": {"accepted": 3}});
    let slices = [
        slice(Topic::Sessions, &[report(1, 1, 100), with(report(2, 1, 7), "/tenant", json!("beta"))]),
        slice(Topic::Live, &[live]),
        slice(Topic::Activity, &[activity]),
        slice(Topic::Outcomes, &[outcome]),
    ];
    let at_its_end = Known::default().within(horizons("2026-01-05T08:10:00Z"));
    let changes = project(&slices, &at_its_end);
    assert_eq!(
        (changes.sessions.len(), changes.live.len(), changes.activity.len(), changes.outcomes.len()),
        (2, 1, 1, 1)
    );
    assert_eq!(changes.skipped, [0; 5]);
    let after = Known::default().within(horizons("2026-01-05T08:10:00.001Z"));
    let changes = project(&slices, &after);
    assert_eq!(changes.sessions.iter().map(|row| row.report.tenant.as_str()).collect::<Vec<_>>(), ["beta"]);
    assert_eq!(
        (changes.live.len(), changes.live_ended.len(), changes.activity.len(), changes.outcomes.len()),
        (0, 1, 0, 0)
    );
    assert_eq!(changes.skipped, [1, 0, 0, 2, 1]);
    assert!(changes.refused.is_empty());
}

#[test]
fn a_newer_revision_of_a_session_that_has_a_row_is_applied_although_it_is_over_before_the_horizon() {
    let mut horizons = Horizons::default();
    horizons.insert("acme".to_owned(), Model::Sessions, schemas::Timestamp::parse("2026-01-06T00:00:00Z").unwrap());
    let known = known(1, Some(old_share())).within(horizons);
    // Another life of it is not: nothing is to be listed of what is kept no longer.
    let slices = [slice(Topic::Sessions, &[report(1, 2, 100), report(1, 3, 555), report(2, 1, 7)])];
    let changes = project(&slices, &known);
    assert_eq!(changes.sessions[0].revises, Some(1));
    assert_eq!((changes.sessions.len(), changes.skipped[0], changes.refused.len()), (1, 2, 0));
}
