//! Writers that are killed: real processes, made of this very test program.

use std::process::Stdio;
use std::time::Duration;

use eventlog::{AppendOptions, Commit, CommitError, EventLog, GroupEvent, Membership, TopicPartition};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::subject;
use super::world::{World, numbered, numbers, within};

/// Tells a child what to do; without it the child's test does nothing.
const TASK: &str = "PLAYLEDGER_CONFORMANCE_TASK";
/// Records of one commit of the child.
const COMMIT: u32 = 50;

pub async fn acknowledged_records_survive_the_writers_death(world: &World) {
    let partition = TopicPartition::new(world.topic(1).await, 0);
    let mut kept = Vec::new();
    for round in 0..3_u32 {
        let first = round * 1_000_000;
        let (mut child, mut lines) = spawn(world, &format!("append {} {first}", partition.topic));
        let enough = 200 + kept.len() * 2;
        while kept.len() < enough {
            kept.push(next_line(&mut lines).await.parse::<u32>().unwrap());
        }
        kill(&mut child).await;
        // What it had said before it died was true, too.
        while let Ok(Some(line)) = lines.next_line().await {
            kept.extend(line.strip_prefix('>').and_then(|number| number.parse::<u32>().ok()));
        }
    }
    let read = numbers(&world.read_all(&partition).await);
    assert!(read.is_sorted(), "in the order in which they were handed over");
    for number in kept {
        assert!(read.binary_search(&number).is_ok(), "{number} was acknowledged and is gone");
    }
}

pub async fn a_commit_is_seen_whole_or_not_at_all_though_the_writer_dies(world: &World) {
    let input = TopicPartition::new(world.topic(1).await, 0);
    let output = world.topic(2).await;
    world.fill(&input, 0..2_000).await;
    let group = world.name("group");
    for round in 0..3 {
        let (mut child, mut lines) = spawn(world, &format!("commit {} {output} {group}", input.topic));
        for _ in 0..(5 + round * 7) {
            next_line(&mut lines).await;
        }
        kill(&mut child).await;
        // Its successor under the same name ends what it has left open, at once.
        let (member, share) = world.join(World::member(&group, "child", &input.topic)).await;
        let next = share[0].committed.unwrap();
        for partition in 0..2 {
            let seen = numbers(&world.read_all(&TopicPartition::new(output.as_str(), partition)).await);
            let whole = u32::try_from(next).unwrap() * COMMIT;
            assert_eq!(seen, (0..whole).collect::<Vec<_>>(), "partition {partition} in round {round}");
        }
        within(20, member.leave()).await.unwrap();
    }
}

/// Only on Kafka: the members of a group on the embedded log live in one process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_was_frozen_past_its_session_is_refused() {
    let world = &World::new(subject::kafka()).await;
    let input = TopicPartition::new(world.topic(1).await, 0);
    let output = world.topic(2).await;
    world.fill(&input, 0..10_000).await;
    let group = world.name("group");
    let (mut child, mut lines) = spawn(world, &format!("commit {} {output} {group}", input.topic));
    for _ in 0..20 {
        next_line(&mut lines).await;
    }
    signal(&child, Signal::SIGSTOP);
    // Another gets the partition once the group has missed the frozen one.
    let mut heir = world.log.join(World::member(&group, "heir", &input.topic)).await.unwrap();
    let mut next = within(60, first_share(&mut *heir)).await;
    let commit = async |next: &mut i64| {
        *next += 1;
        // While the other one joins again the generation changes: such a commit is aborted whole.
        while let Err(aborted) = heir.committer().commit(numbered_commit(&input, &output, *next)).await {
            assert!(matches!(aborted, CommitError::Aborted(_)), "{aborted:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    for _ in 0..10 {
        within(60, commit(&mut next)).await;
    }
    signal(&child, Signal::SIGCONT);
    // The child's commit fails, and with it the child.
    assert!(!within(60, child.wait()).await.unwrap().success());
    for _ in 0..10 {
        within(60, commit(&mut next)).await;
    }
    for partition in 0..2 {
        let seen = numbers(&world.read_all(&TopicPartition::new(output.as_str(), partition)).await);
        let whole = u32::try_from(next).unwrap() * COMMIT;
        assert_eq!(seen, (0..whole).collect::<Vec<_>>(), "partition {partition}");
    }
}

/// The child. In the parent's own run of the tests it has no task.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let words: Vec<&str> = task.split(' ').collect();
    match words[..] {
        [address, "append", topic, first] => {
            append(&*subject::from_address(address).await, topic, first.parse().unwrap()).await;
        }
        [address, "commit", input, output, group] => {
            let input = TopicPartition::new(input, 0);
            commit_for_ever(&*subject::from_address(address).await, &input, output, group).await;
        }
        _ => panic!("no such task: {task}"),
    }
}

/// Appends numbered records for ever and says which are kept.
async fn append(log: &dyn EventLog, topic: &str, first: u32) {
    let options = AppendOptions { linger: Duration::from_millis(1), ..AppendOptions::default() };
    let appender = log.appender(options).await.unwrap();
    let partition = TopicPartition::new(topic, 0);
    let (requests, mut pending) = tokio::sync::mpsc::channel(100);
    tokio::spawn(async move {
        for number in first.. {
            let request = appender.append(vec![numbered(&partition, number)]).unwrap();
            if requests.send((number, request)).await.is_err() {
                return;
            }
        }
    });
    while let Some((number, request)) = pending.recv().await {
        request.kept().await.unwrap();
        println!(">{number}");
    }
}

/// Commits numbered outputs to two partitions, one input record a commit, for ever.
async fn commit_for_ever(log: &dyn EventLog, input: &TopicPartition, output: &str, group: &str) {
    let mut member = log.join(World::member(group, "child", &input.topic)).await.unwrap();
    let mut next = first_share(&mut *member).await;
    let committer = member.committer();
    loop {
        next += 1;
        if let Err(refused) = committer.commit(numbered_commit(input, output, next)).await {
            // What is expected of one that was frozen; elsewhere the parent misses the next line.
            eprintln!("the child's commit was refused: {refused}");
            std::process::exit(1);
        }
        println!(">{next}");
    }
}

/// Where to go on with the only partition, once it is this member's.
async fn first_share(member: &mut dyn Membership) -> i64 {
    loop {
        if let GroupEvent::Assigned(share) = member.next().await.unwrap()
            && let Some(assignment) = share.first()
        {
            return assignment.committed.unwrap_or(0);
        }
    }
}

/// The commit that ends at `next`: its numbers follow those of the one before.
fn numbered_commit(input: &TopicPartition, output: &str, next: i64) -> Commit {
    let end = u32::try_from(next).unwrap() * COMMIT;
    let outputs = (end - COMMIT..end)
        .flat_map(|number| (0..2).map(move |p| numbered(&TopicPartition::new(output, p), number)))
        .collect();
    Commit { outputs, offsets: vec![(input.clone(), next)] }
}

fn spawn(world: &World, task: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env(TASK, format!("{} {task}", world.subject.address()))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

/// The child's next line of ours, without its mark.
async fn next_line(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    within(60, async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the child ended by itself");
            if let Some(line) = line.strip_prefix('>') {
                return line.to_owned();
            }
        }
    })
    .await
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    nix::sys::signal::kill(Pid::from_raw(pid), signal).unwrap();
}

/// As `kill -9` does.
async fn kill(child: &mut Child) {
    child.start_kill().unwrap();
    child.wait().await.unwrap();
}
