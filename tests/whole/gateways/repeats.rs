//! The same event again and again, and another body under its id, over two gateways and a restart.

use std::time::Instant;

use anyhow::ensure;
use playledger_tests::play::Play;
use playledger_tests::player::Player;
use playledger_tests::tables::Tables;
use playledger_tests::world::{Daemons, PIPELINE, SECOND_GATEWAY};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::PATIENCE;

const REPEATS: usize = 100;
const SENDERS: usize = 5;
/// Five sessions of twenty.
const EVENTS: usize = 100;

/// Sends the events so often, through both gateways in turn, several at a time.
async fn send_again_and_again(player: &Player, world: &Daemons, events: &[Value], times: usize) -> anyhow::Result<()> {
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let urls = [world.gateway.clone(), world.second_gateway.clone()];
        let (player, events) = (player.clone(), events.to_vec());
        senders.spawn(async move {
            for turn in 0..times / SENDERS {
                player.deliver(|_| urls[(sender + turn) % 2].clone(), &events).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    Ok(())
}

/// What every read model shows of five whole sessions of twenty events.
async fn shows_them_once(tables: &Tables) -> anyhow::Result<()> {
    for (sql, wanted) in [
        ("SELECT sum(events)::bigint FROM play.activity_by_minute", 100),
        ("SELECT sum(events)::bigint FROM play.worker_outcomes WHERE outcome = 'applied'", 100),
        ("SELECT count(*) FROM play.sessions WHERE status = 'final' AND complete", 5),
        ("SELECT sum(event_count)::bigint FROM play.sessions", 100),
        ("SELECT count(*) FROM play.session_metrics", 5),
        ("SELECT sum(attempts)::bigint FROM play.task_stats", 90),
        ("SELECT sum(sessions)::bigint FROM play.players", 5),
        ("SELECT sum(events)::bigint FROM play.players", 100),
        ("SELECT sum(sessions)::bigint FROM play.daily_players", 5),
        ("SELECT count(DISTINCT event_id) FROM play.event_log", 100),
    ] {
        tables.wait_for(sql, wanted).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_sent_a_hundred_times_over_two_gateways_and_a_restart_show_once_in_every_read_model()
-> anyhow::Result<()> {
    let mut world = Daemons::start(&[]).await?;
    world.launch(SECOND_GATEWAY)?;
    let (player, tables) = (Player::new(&world.key)?, world.tables().await?);
    let events = Play::default().take(EVENTS);
    send_again_and_again(&player, &world, &events, REPEATS / 2).await?;
    world.kill_and_restart(PIPELINE[0])?;
    send_again_and_again(&player, &world, &events, REPEATS / 2).await?;

    shows_them_once(&tables).await?;
    let records = tables.number("SELECT count(*) FROM play.event_log").await?;
    let book = player.book.lock().clone();
    let (accepted, duplicates) = (book.counted("accepted"), book.counted("duplicates"));
    println!("11: {book}: {accepted} accepted, {duplicates} duplicates; {records} records in the topic");
    assert_eq!(book.answered(202), REPEATS);
    assert_eq!(accepted + duplicates, (REPEATS * EVENTS) as u64);
    // What slipped through both at once the worker has stopped; of a 503 the topic may hold more than was told.
    let all_told = book.attempts.len() == REPEATS;
    assert!(accepted == u64::try_from(records)? || !all_told && accepted < u64::try_from(records)?);
    let repeats = "SELECT coalesce(sum(events), 0)::bigint FROM play.worker_outcomes WHERE outcome = 'repeat'";
    tables.wait_for(repeats, records - 100).await?;
    world.terminate()
}

/// Waits until a gateway knows all of these events, by a dry run.
pub(super) async fn knows(player: &reqwest::Client, key: &str, gateway: &str, events: &[Value]) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let request = player.post(format!("{gateway}/v1/batch?dry_run=true")).bearer_auth(key);
        let told: Value = request.json(&json!({ "events": events })).send().await?.json().await?;
        if told["duplicates"] == events.len() {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{told}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_body_through_the_other_gateway_conflicts_is_set_aside_and_the_first_one_stands() -> anyhow::Result<()>
{
    let mut world = Daemons::start(&[]).await?;
    world.launch(SECOND_GATEWAY)?;
    let (player, tables) = (Player::new(&world.key)?, world.tables().await?);
    let (events, http) = (Play::default().take(EVENTS), reqwest::Client::new());
    player.deliver(|_| world.gateway.clone(), &events).await?;
    knows(&http, &world.key, &world.second_gateway, &events).await?;
    let mut others = events[5..95].to_vec();
    for event in &mut others {
        event["data"]["outcome"] = json!("failure");
    }
    let other_way = player.told(&world.second_gateway, &others).await?;
    assert_eq!((other_way.status(), other_way.count("conflicts")), (Some(422), 90), "{other_way:?}");
    // It knows them from the log, so a restart makes no difference; and what conflicts takes nothing with it.
    world.kill_and_restart(SECOND_GATEWAY)?;
    let mixed = player.told(&world.second_gateway, &[&events[..5], &others[..10]].concat()).await?;
    assert_eq!((mixed.status(), mixed.count("duplicates"), mixed.count("conflicts")), (Some(207), 5, 10), "{mixed:?}");

    shows_them_once(&tables).await?;
    // A request that was told 503 may have left its conflicts there as well.
    tables.wait_for("SELECT (count(*) >= 100)::int::bigint FROM play.quarantine", 1).await?;
    let conflicts = "SELECT count(DISTINCT event_id) FROM play.quarantine WHERE reason = 'conflict'";
    assert_eq!(tables.number(conflicts).await?, 90);
    assert_eq!(tables.number("SELECT count(*) FROM play.quarantine WHERE reason <> 'conflict'").await?, 0);
    let changed = "SELECT count(*) FROM play.event_log WHERE data->>'outcome' = 'failure'";
    assert_eq!(tables.number(changed).await?, 0, "the first body stands");
    assert_eq!(tables.number("SELECT sum(successes)::bigint FROM play.task_stats").await?, 90);
    let book = player.book.lock().clone();
    println!("12: {book}: {} conflicts, all in the quarantine; the first bodies stand", book.counted("conflicts"));
    world.terminate()
}
