//! Puts the questions of docs/queries.md to a large table and prints how each is read and how long it takes.
//!
//! `cargo run --release -p projector --example questions -- 1000000`, on a cluster of its own or where
//! `DATABASE_URL` names a server. They are asked by a role that reads one tenant of ten.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program to look at, not to run on")]

use std::time::Instant;

use projector::store::prepare;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

#[path = "../tests/projector/postgres.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod postgres;
#[path = "../tests/projector/queries.rs"]
#[expect(dead_code, reason = "the tests compare the answers")]
mod queries;

#[tokio::main]
async fn main() {
    let sessions = std::env::args().nth(1).unwrap_or_else(|| "1000000".to_owned());
    let database = postgres::database().await;
    let options: PgConnectOptions = database.url.parse().unwrap();
    prepare(&options, &"play".parse().unwrap()).await.unwrap();
    let mut owner = options.connect().await.unwrap();
    let run = async |connection: &mut sqlx::PgConnection, sql: String| {
        let start = Instant::now();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
        start.elapsed()
    };
    let many = include_str!("../tests/projector/many.sql").replace(":sessions", &sessions);
    let took = run(&mut owner, format!("SET search_path = play_g1; {many}; RESET search_path")).await;
    println!("{sessions} sessions in {took:?}");
    run(&mut owner, "VACUUM ANALYZE".to_owned()).await;

    let role = format!("{}_analyst", options.get_database().unwrap());
    run(&mut owner, format!("CREATE ROLE {role} LOGIN PASSWORD 'x'; SELECT play.grant_reader('{role}', 'acme')")).await;
    let mut analyst = options.clone().username(&role).password("x").connect().await.unwrap();
    let whole = [
        "SELECT * FROM play.daily_players",
        "SELECT task_id, failure_rate FROM play.task_stats",
        "SELECT * FROM play.task_stats",
    ];
    for sql in whole {
        let warm = run(&mut owner, sql.to_owned()).await;
        println!("of all tenants, {sql}: {warm:?}, then {:?}", run(&mut owner, sql.to_owned()).await);
    }
    for question in queries::questions() {
        run(&mut analyst, question.sql.clone()).await;
        let took = run(&mut analyst, question.sql.clone()).await;
        let sql = AssertSqlSafe(format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {}", question.sql));
        let plan: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut analyst).await.unwrap();
        let plan = plan.join("\n    ");
        let used = question.indexes.iter().all(|index| plan.contains(index.as_str()));
        println!(
            "\n{}\n    {took:?}, {}\n    {plan}",
            question.title,
            if used { "as told" } else { "NOT by its indexes" }
        );
    }
    analyst.close().await.unwrap();
    run(&mut owner, format!("SELECT play.revoke_role('{role}'); DROP ROLE {role}")).await;
    owner.close().await.unwrap();
}
