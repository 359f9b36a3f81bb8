//! docs/queries.md is true: every question, asked of a small world, has the answer that stands there, and
//! goes by the indexes that it names where there is much.

use schemas::topics::Topic;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions as _, Row as _, ValueRef as _};
use uuid::Uuid;

use crate::postgres::database;
use crate::queries::questions;
use crate::records::{event_at, piece, report, set_aside};
use crate::roles::Roles;
use crate::world::{Given, World};

/// Player, start, minutes, platform, version, how it ended, and each task as
/// id:attempts/successes:hints:seconds, with - in place of the seconds where it was not completed and a where
/// it was given up.
const PLAYS: [(&str, &str, i64, &str, &str, &str, &str); 17] = [
    ("p-1", "2026-01-05T08:00:00Z", 12, "web", "1.0", "completed", "L01:1/1:0:40 L02:2/1:0:90"),
    ("p-2", "2026-01-05T09:00:00Z", 20, "ios", "1.0", "completed", "L01:2/1:1:70 L02:4/1:2:150 L03:3/0:2:a"),
    ("p-3", "2026-01-05T10:00:00Z", 5, "web", "1.0", "abandoned", "L01:3/1:0:95"),
    ("p-3", "2026-01-05T18:00:00Z", 9, "web", "1.0", "completed", "L02:2/1:0:80"),
    ("p-1", "2026-01-06T08:00:00Z", 15, "web", "1.0", "completed", "L03:5/1:1:200"),
    ("p-4", "2026-01-06T08:30:00Z", 3, "android", "1.0", "timeout", "L01:2/0:0:-"),
    ("p-2", "2026-01-07T20:00:00Z", 18, "ios", "1.0", "completed", "L03:6/1:3:260"),
    ("p-5", "2026-01-07T21:00:00Z", 8, "web", "1.0", "completed", "L01:1/1:0:35 L02:1/1:0:60"),
    ("p-6", "2026-01-11T23:30:00Z", 10, "ios", "1.0", "completed", "L01:1/1:0:50 L02:3/0:1:a"),
    ("p-1", "2026-01-12T08:00:00Z", 14, "web", "1.1", "completed", "L04:2/1:0:120"),
    ("p-3", "2026-01-12T09:00:00Z", 11, "web", "1.1", "completed", "L03:4/1:0:180"),
    ("p-6", "2026-01-12T10:00:00Z", 6, "ios", "1.1", "abandoned", "L02:4/0:2:a"),
    ("p-7", "2026-01-12T11:00:00Z", 7, "ios", "1.1", "completed", "L01:2/1:0:65 L02:2/0:0:-"),
    ("p-7", "2026-01-13T11:00:00Z", 9, "ios", "1.1", "completed", "L02:2/1:1:85"),
    ("p-8", "2026-01-13T12:00:00Z", 2, "web", "1.0", "error", "L01:1/0:0:-"),
    ("p-8", "2026-01-20T12:00:00Z", 4, "web", "1.1", "completed", "L01:1/1:0:30"),
    ("p-5", "2026-02-02T12:00:00Z", 4, "web", "1.1", "completed", "L03:1/1:0:90"),
];

fn told_task(text: &str) -> Value {
    let parts: Vec<&str> = text.split([':', '/']).collect();
    let number = |at: usize| parts[at].parse::<i64>().ok();
    let completed = number(4).is_some();
    json!({
        "task_id": parts[0], "starts": 1, "completions": i64::from(completed), "abandons": i64::from(parts[4] == "a"),
        "attempts": number(1), "successes": number(2), "hints": number(3), "spent_ms": number(4).map(|s| s * 1_000),
        "first_try": number(1) == Some(1) && number(2) == Some(1),
    })
}

fn play(number: u128, at: usize) -> Value {
    let (player, start, minutes, platform, version, reason, tasks) = PLAYS[at];
    let tasks: Vec<Value> = tasks.split(' ').map(told_task).collect();
    let sum = |name: &str| tasks.iter().filter_map(|task| task[name].as_i64()).sum::<i64>();
    let mut told = report(Uuid::from_u128(number), 1);
    told["player"] = json!(player);
    let facts = &mut told["facts"];
    facts["platform"] = json!(platform);
    facts["close_reason"] = json!(reason);
    facts["metrics"]["active_ms"] = json!(minutes * 60_000);
    facts["metrics"]["longest_focus_ms"] = json!(minutes * 30_000);
    facts["metrics"]["tasks_started"] = json!(tasks.len());
    facts["metrics"]["tasks_completed"] = json!(sum("completions"));
    #[expect(clippy::cast_precision_loss, reason = "a few tasks")]
    let rate = sum("completions") as f64 / tasks.len() as f64;
    facts["metrics"]["completion_rate"] = json!(rate);
    facts["metrics"]["retries"] = json!(sum("attempts") - sum("successes"));
    facts["evidence"] = json!([
        piece("problem_solving", "solved", 0),
        {"skill": "resilience", "source": "game", "signal": "recovered", "ordinal": 0, "successes": sum("successes"),
         "opportunities": sum("attempts"), "weight": 1.0, "at": start},
    ]);
    facts["tasks"] = json!(tasks);
    told["provenance"]["app_version"] = json!(version);
    told["provenance"]["started_at"] = json!(start);
    told["provenance"]["ended_at"] = json!(start);
    told
}

/// The small world: acme's two weeks, and the same at another tenant, which no answer may show.
async fn fill(world: &World) {
    let mut feed = world.claim(Topic::Sessions, 0).await;
    let plays: Vec<Value> = (0..PLAYS.len()).map(|at| play(at as u128, at)).collect();
    world.tell(&mut feed, &plays).await;
    let others: Vec<Value> = (0..PLAYS.len())
        .map(|at| crate::records::with(play(1_000 + at as u128, at), "/tenant", json!("beta")))
        .collect();
    world.tell(&mut feed, &others).await;
    let mut feed = world.claim(Topic::Quarantine, 0).await;
    world.write(&mut feed, vec![set_aside(), set_aside(), Given::bytes(b"nobody's")]).await;
    let mut feed = world.claim(Topic::Events, 0).await;
    let told = [
        ("session.started", "null"),
        ("task.started", r#"{"task_id":"L07"}"#),
        ("task.attempted", r#"{"task_id":"L07","outcome":"failure"}"#),
        ("task.attempted", r#"{"task_id":"L07","outcome":"success"}"#),
    ];
    let events = (0..).zip(told).map(|(seq, (event_type, data))| {
        let mut given = event_at("2026-04-07T08:00:02Z", u128::from(seq) + 1, seq, data);
        let text = String::from_utf8(given.value.take().unwrap()).unwrap();
        let text = text.replace("choice.made", event_type);
        Given::bytes(text.replace(&crate::records::SESSION.to_string(), &Uuid::from_u128(0xa1).to_string()).as_bytes())
    });
    world.write(&mut feed, events.collect()).await;
}

/// The answer to a query as a table in text.
async fn ask(connection: &mut PgConnection, sql: &str) -> String {
    let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.unwrap();
    let header: Vec<String> = rows[0].columns().iter().map(|column| column.name().to_owned()).collect();
    let mut table = vec![header];
    for row in &rows {
        let cell = |at| {
            let value = row.try_get_raw(at).unwrap();
            if value.is_null() { String::new() } else { value.as_str().unwrap().to_owned() }
        };
        table.push((0..row.len()).map(cell).collect());
    }
    let widths: Vec<usize> =
        (0..table[0].len()).map(|at| table.iter().map(|row| row[at].len()).max().unwrap()).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join(" | ").trim_end())
    };
    table.iter().map(line).collect()
}

#[tokio::test]
async fn every_question_of_the_document_has_the_answer_that_stands_there() {
    let database = database().await;
    let world = World::new(&database).await;
    fill(&world).await;
    let mut roles = Roles::of(&database);
    let analyst = roles.make("analyst").await;
    roles.run(&format!("SELECT play.grant_reader('{analyst}', 'acme')")).await;
    let mut connection = database.options_of(&analyst).connect().await.unwrap();
    let questions = questions();
    assert!(questions.len() >= 10, "{} questions", questions.len());
    let mut wrong = Vec::new();
    for question in questions {
        let answer = ask(&mut connection, &question.sql).await;
        if answer != question.answer {
            wrong.push(format!("## {}\n```text\n{answer}```\n", question.title));
        }
    }
    assert!(wrong.is_empty(), "the answers are:\n{}", wrong.join("\n"));
    drop(connection);
    roles.drop().await;
}

#[tokio::test]
async fn every_question_goes_by_the_indexes_that_it_names() {
    let database = database().await;
    let world = World::new(&database).await;
    let many = include_str!("many.sql").replace(":sessions", "60000");
    sqlx::raw_sql(AssertSqlSafe(format!("SET search_path = play_g1; {many}; RESET search_path")))
        .execute(&world.pool)
        .await
        .unwrap();
    let mut roles = Roles::of(&database);
    let analyst = roles.make("analyst").await;
    roles.run(&format!("SELECT play.grant_reader('{analyst}', 'acme')")).await;
    let mut connection = database.options_of(&analyst).connect().await.unwrap();
    for question in questions() {
        let sql = AssertSqlSafe(format!("EXPLAIN {}", question.sql));
        let plan: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
        let plan = plan.join("\n");
        for index in &question.indexes {
            assert!(plan.contains(index.as_str()), "{} is not read by {index}:\n{plan}", question.title);
        }
        let whole = plan.lines().filter(|line| line.contains("Seq Scan") && !line.contains("task_counts"));
        assert_eq!(whole.collect::<Vec<_>>(), Vec::<&str>::new(), "{}:\n{plan}", question.title);
    }
    drop(connection);
    roles.drop().await;
}
