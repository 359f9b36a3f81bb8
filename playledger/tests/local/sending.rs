//! `send` where something is in their way: a folder, a pipe.

use std::process::Command;

use crate::stub::{Manner, gateway};
use crate::world::{World, command, finished, line_of};

const EVENTS: &str = "{\"event_id\":\"1\"}\n{\"event_id\":\"2\"}\n{\"event_id\":\"3\"}\n";

/// A command at this gateway.
fn at(world: &World, url: &str, arguments: &[&str]) -> Command {
    let mut command = command(world, arguments);
    command.env("PLAYLEDGER_GATEWAY", url).env("PLAYLEDGER_KEY", "pl_a_b");
    command
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
