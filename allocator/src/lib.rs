//! The allocator of programs that hold many sessions: jemalloc, for librdkafka's blocks, too.
//!
//! A program has it that says `use playledger_allocator as _;`.
//!
//! Sessions come and go in blocks of some hundred bytes, and batches of records in larger ones beside them. glibc's
//! allocator takes a third more of the worker's time for the small ones, and keeps what the large ones have left
//! (docs/performance.md has the figures).
#![expect(unsafe_code, reason = "the name that jemalloc looks for can be given in no other way")]

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How it is set: a thread of its own gives back to the system what has not been used for half a second. Whoever has
/// set `MALLOC_CONF` in the environment has the last word.
#[unsafe(export_name = "malloc_conf")]
static CONF: &[u8; CONF_LEN] = b"background_thread:true,dirty_decay_ms:500,muzzy_decay_ms:0\0";

const CONF_LEN: usize = 59;
