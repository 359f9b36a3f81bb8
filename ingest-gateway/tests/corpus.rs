//! Requests that were kept, each once more: the seeds of the fuzz target `body`, and what it found.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "corpus/bodies.rs"]
mod bodies;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bodies::{Outcome, check};
use ingest_gateway::types::Types;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn types() -> Types {
    Types::read(&fuzz().join("schemas")).unwrap()
}

/// The requests of a folder, by name.
fn kept(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(fuzz().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.filter(|path| !name(path).starts_with('.')).map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
}

#[test]
fn every_kept_request_holds_what_must_hold_and_a_seed_is_what_its_name_says() {
    let types = types();
    let seeds = kept("seeds/body");
    assert!((50..200).contains(&seeds.len()), "{}", seeds.len());
    let mut others = Vec::new();
    for (name, request) in &seeds {
        let outcome = check(request, &types);
        let expected = name.split('-').next().unwrap();
        let found = match &outcome {
            Outcome { problem: Some(code), .. } => code,
            Outcome { refused: 0, .. } => "sound",
            Outcome { sound: 0, .. } => "refused",
            _ => "mixed",
        };
        if found != expected {
            others.push((name, outcome));
        }
    }
    assert!(others.is_empty(), "{others:#?}");
    for (name, request) in kept("regressions/body") {
        println!("{name}");
        check(&request, &types);
    }
}

/// A seed with pieces of others put into it, repeated or taken out.
#[test]
fn what_is_made_of_the_seeds_pieces_holds_what_must_hold() {
    let types = types();
    let seeds: Vec<_> = kept("seeds/body").into_values().collect();
    let cut = (select(seeds.clone()), any::<Index>(), any::<Index>(), any::<Index>(), any::<Index>(), 1..40_usize);
    let config = Config { cases: 4_000, failure_persistence: None, ..Config::default() };
    let edits = (select(seeds), prop::collection::vec(cut, 1..4));
    let outcome = TestRunner::new(config).run(&edits, |(mut request, cuts)| {
        for (other, from, to, at, until, times) in cuts {
            let (from, to) = (from.index(other.len() + 1), to.index(other.len() + 1));
            let (at, until) = (at.index(request.len() + 1), until.index(request.len() + 1));
            let piece = other[from.min(to)..from.max(to)].repeat(times);
            request.splice(at.min(until)..at.max(until), piece);
        }
        check(&request, &types);
        Ok(())
    });
    outcome.unwrap();
}
