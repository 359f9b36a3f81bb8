//! Any request body, through decoding, splitting and judging.
#![no_main]

#[path = "../../ingest-gateway/tests/corpus/bodies.rs"]
mod bodies;

use std::path::Path;
use std::sync::LazyLock;

use ingest_gateway::types::Types;

static TYPES: LazyLock<Types> =
    LazyLock::new(|| Types::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")).expect("a sound schema"));

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    bodies::check(input, &TYPES);
});
