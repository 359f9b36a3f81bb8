//! `send` and `simulate` where something is in their way: a folder, a pipe, a gateway.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get is its failure")]

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::stub::{Manner, gateway};
use crate::world::{Finished, World, command, finished, line_of};

/// Far more than a command that does not hang takes.
const LIMIT: Duration = Duration::from_secs(30);

const EVENTS: &str = "{\"event_id\":\"1\"}\n{\"event_id\":\"2\"}\n{\"event_id\":\"3\"}\n";

/// A command at this gateway.
fn at(world: &World, url: &str, arguments: &[&str]) -> Command {
    let mut command = command(world, arguments);
    command.env("PLAYLEDGER_GATEWAY", url).env("PLAYLEDGER_KEY", "pl_a_b");
    command
}

/// A command that has to end by itself in time; it is killed where it does not.
fn ends(mut child: Child) -> Finished {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("it does not end: {}", finished(child).err);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    finished(child)
}

fn interrupt(child: &Child) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
}

#[test]
fn a_file_whose_progress_cant_be_kept_is_sent_all_the_same() {
    let world = World::new();
    let file = world.path("events.ndjson");
    std::fs::write(&file, EVENTS).unwrap();
    // Stands in the way of the progress, for root too, whom no mode of a folder stops.
    std::fs::create_dir(world.path("events.ndjson.playledger-progress.tmp")).unwrap();
    let url = gateway(Manner::Accepts);
    let sent = finished(at(&world, &url, &["send", file.to_str().unwrap(), "--batch", "1"]));
    assert_eq!(sent.status, Some(0), "{}", sent.err);
    assert!(sent.err.contains("3 accepted"), "{}", sent.err);
    assert_eq!(sent.err.matches("progress").count(), 1, "said once: {}", sent.err);
    assert!(!sent.err.contains("--data"), "{}", sent.err);
}

#[test]
fn a_run_that_is_cut_short_promises_to_go_on_only_where_it_will() {
    let world = World::new();
    let url = gateway(Manner::Silent);
    let file = world.path("events.ndjson");
    std::fs::write(&file, EVENTS).unwrap();
    let cut = finished(at(&world, &url, &["send", file.to_str().unwrap(), "--patience", "300ms"]));
    assert_eq!(cut.status, Some(1), "{}", cut.err);
    assert!(cut.err.contains("line 1") && cut.err.contains("the same command goes on there"), "{}", cut.err);
    let cut = finished(line_of(at(&world, &url, &["send", "-", "--patience", "300ms"]), EVENTS));
    assert_eq!(cut.status, Some(1), "{}", cut.err);
    assert!(cut.err.contains("send all of it again"), "{}", cut.err);
}

#[test]
fn a_pipe_with_a_name_is_sent_like_standard_input() {
    let world = World::new();
    let url = gateway(Manner::Accepts);
    // As `send <(zcat events.gz)` names one.
    let sent = finished(line_of(at(&world, &url, &["send", "/dev/stdin"]), EVENTS));
    assert_eq!(sent.status, Some(0), "{}", sent.err);
    assert!(sent.err.contains("3 accepted") && !sent.err.contains("progress"), "{}", sent.err);
}

#[test]
fn a_refusal_ends_send_though_its_pipe_stays_open() {
    let world = World::new();
    let url = gateway(Manner::Refuses);
    let mut child = at(&world, &url, &["send", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(EVENTS.as_bytes()).unwrap();
    let ended = ends(child);
    drop(pipe);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(ended.err.contains("not of this key"), "{}", ended.err);
}

#[test]
fn an_interrupt_ends_send_though_its_pipe_says_nothing() {
    let world = World::new();
    let url = gateway(Manner::Accepts);
    let mut child = at(&world, &url, &["send", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(b"{\"event_id\":\"1\"}\nno event\n").unwrap();
    // The line that is no event is told when it has been read.
    let mut told = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut told, &mut String::new()).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    interrupt(&child);
    let ended = ends(child);
    drop(pipe);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(ended.err.contains("ended before line 3"), "{}", ended.err);
}

#[test]
fn simulate_ends_in_time_though_the_gateway_answers_nothing() {
    let world = World::new();
    let url = gateway(Manner::Silent);
    let play = ["simulate", "--players", "50", "--rate", "2000", "--seed", "3"];
    let mut timed = at(&world, &url, &[&play[..], &["--for", "2s"]].concat()).spawn().unwrap();
    let endless = at(&world, &url, &play).spawn().unwrap();
    // By then more wants to be sent than may be under way.
    std::thread::sleep(Duration::from_secs(2));
    assert!(timed.try_wait().unwrap().is_none());
    interrupt(&endless);
    for ended in [ends(timed), ends(endless)] {
        assert_eq!(ended.status, Some(1), "{}", ended.err);
        assert!(!ended.err.contains(" 0 unanswered"), "{}", ended.err);
    }
}
