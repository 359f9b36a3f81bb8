//! What goes on while something stands still: a restore, a join, a commit.

use std::sync::atomic::{AtomicBool, Ordering};

use daemon::Health;
use tokio::sync::Notify;

use super::faulty::{Fault, Faulty};
use super::*;

/// A world whose log has this fault.
pub(crate) async fn faulty(fault: Fault) -> (World, Arc<Fault>) {
    let mut world = World::new().await;
    let fault = Arc::new(fault);
    world.log = Arc::new(Faulty { log: Arc::clone(&world.log), fault: Arc::clone(&fault) });
    (world, fault)
}

pub(crate) fn partition_of(session: &[Value]) -> i32 {
    let id = session[0]["session_id"].as_str().unwrap().parse().unwrap();
    topics::partition(topics::session_key(&Tenant::parse("acme").unwrap(), id).as_bytes(), PARTITIONS)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_restored_holds_up_no_other_and_readiness_waits_for_it() {
    let (world, fault) = faulty(Fault::SlowRestore { partition: 0, open: Notify::new() }).await;
    let sessions = sessions(4_000, 40);
    let (waiting, others): (Vec<_>, Vec<_>) = sessions.iter().cloned().partition(|session| partition_of(session) == 0);
    assert!(!waiting.is_empty() && !others.is_empty());
    let worker = world.worker("w1");
    for chunk in sessions.concat().chunks(200) {
        world.append(chunk, worker.0.clock.now_ms()).await;
    }
    let reports = world.until_final(others.len()).await;
    assert_equal(&reports, &others);
    let readiness = worker.0.health.readiness();
    assert!(!readiness.ok && format!("{readiness:?}").contains("restoring state of partitions [0]"), "{readiness:?}");
    let Fault::SlowRestore { open, .. } = &*fault else { unreachable!() };
    open.notify_one();
    let reports = world.until_final(sessions.len()).await;
    assert_equal(&reports, &sessions);
    assert!(worker.0.health.readiness().ok);
    stop(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_waits_to_join_lives_and_ends_when_it_is_told() {
    let (world, _) = faulty(Fault::NoJoin).await;
    let shell = Shell { health: Health::hung_after(Duration::from_secs(5)), ..Shell::detached() };
    let worker = world.worker_in("w1", shell);
    tokio::time::sleep(Duration::from_secs(8)).await;
    let liveness = worker.0.health.liveness();
    assert!(liveness.ok, "{liveness:?}");
    stop(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_runs_out_of_time_gives_up_the_commit_under_way() {
    let fault = Fault::StuckCommit { begun: Notify::new(), given_up: Notify::new(), abandoned: AtomicBool::new(false) };
    let (world, fault) = faulty(fault).await;
    let worker = world.worker("w1");
    world.append(&sessions(5_000, 1).concat(), worker.0.clock.now_ms()).await;
    let Fault::StuckCommit { begun, abandoned, .. } = &*fault else { unreachable!() };
    tokio::time::timeout(PATIENCE, begun.notified()).await.expect("something is committed");
    stop(worker).await;
    assert!(abandoned.load(Ordering::SeqCst));
    assert_eq!(world.reports().await.1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_over_a_commit_ends_the_worker_with_a_sentence() {
    let (world, _) = faulty(Fault::HungCommit).await;
    let (shell, task) = world.worker("w1");
    world.append(&sessions(6_000, 1).concat(), shell.clock.now_ms()).await;
    let ended = tokio::time::timeout(PATIENCE, task).await.expect("it does not join again").unwrap();
    let why = ended.unwrap_err().to_string();
    assert!(why.contains("this process ends"), "{why}");
}
