//! Any bytes, of any type and encoding, on every call that takes a body: an answer, and never a failure of ours.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

use crate::told::event;
use crate::world::World;

const PATHS: [&str; 3] = ["/v1/events", "/v1/batch", "/v1/sessions/8f14e45f-ceea-467f-a9d7-6d1f0e9f1a10/close"];
const TYPES: [&str; 9] = [
    "",
    "application/json",
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/json; charset=utf-16",
    "text/plain",
    "application/vnd.x+json",
    ";=;\"",
];
const ENCODINGS: [&str; 7] = ["", "", "", "gzip", "deflate", "br", "zstd"];

#[derive(Clone, Debug)]
struct Sent {
    path: &'static str,
    media: &'static str,
    encoding: &'static str,
    attributes: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

/// Bytes of any kind; more often a body that is nearly sound.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let sound = (0..4, 1..4_usize).prop_map(|(form, count)| {
        let events: Vec<_> = (0..count).map(|_| event()).collect();
        let cloud = json!({"specversion": "1.0", "id": "x", "type": "task.started", "data": {"task_id": "L1"}});
        match form {
            0 => event().to_string(),
            1 => json!({ "events": events }).to_string(),
            2 => events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"),
            _ => json!([cloud, cloud]).to_string(),
        }
        .into_bytes()
    });
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..6),
        select(vec!["\n", "[", "{\"a\":", "\\ud800", "\"", "1e999", "\r\n\r\n", "\0", ",", "}"])
            .prop_map(|text| text.as_bytes().to_vec()),
        (1..3_000_usize, select(vec!["[", "{\"a\":", "9", "\n"]))
            .prop_map(|(times, text)| text.repeat(times).into_bytes()),
    ];
    let torn = (sound.clone(), any::<Index>(), any::<Index>(), piece).prop_map(|(mut body, from, to, piece)| {
        let (from, to) = (from.index(body.len() + 1), to.index(body.len() + 1));
        body.splice(from.min(to)..from.max(to), piece);
        body
    });
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..300), 1 => sound, 4 => torn]
}

fn sent() -> impl Strategy<Value = Sent> {
    let name = select(vec!["ce-specversion", "ce-id", "ce-type", "ce-seq", "ce-data", "ce-x_y", "ce-"]);
    // What a header may hold.
    let value = prop::collection::vec(prop_oneof![0x20..0x7f_u8, Just(b'%'), Just(b'"'), 0x80..=0xff_u8], 0..12);
    let attributes = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec((name, value), 1..5)];
    (select(PATHS.to_vec()), select(TYPES.to_vec()), select(ENCODINGS.to_vec()), attributes, body())
        .prop_map(|(path, media, encoding, attributes, body)| Sent { path, media, encoding, attributes, body })
}

#[test]
fn any_bytes_of_any_type_have_an_answer() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let config = Config { cases: 2_000, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&sent(), |sent| {
        let mut request = world.request(Method::POST, &format!("{}?dry_run=true&results=all", sent.path));
        request = request.bearer_auth(&world.key);
        if !sent.media.is_empty() {
            request = request.header("content-type", sent.media);
        }
        if !sent.encoding.is_empty() {
            request = request.header("content-encoding", sent.encoding);
        }
        for (name, value) in &sent.attributes {
            request = request.header(*name, value.as_slice());
        }
        let told = runtime.block_on(world.send(request.body(sent.body)));
        prop_assert!(matches!(told.status, 202 | 207 | 400 | 403 | 413 | 415 | 422), "{} {}", told.status, told.body);
        if told.status < 400 || told.status == 422 {
            let judged: u64 = told.counts().iter().sum();
            prop_assert_eq!(told.body["results"].as_array().map(Vec::len), usize::try_from(judged).ok());
        } else {
            prop_assert!(told.body["detail"].is_string(), "{}", told.body);
        }
        Ok(())
    });
    outcome.unwrap();
    runtime.block_on(world.assert_untouched());
}
