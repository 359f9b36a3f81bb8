//! What must hold of any request that brings events, from its decoded head to the verdict on each event. The fuzz
//! target `body` looks for one of which it does not; the test `corpus` replays those that were kept.
//!
//! A request is written so: a line with the call (`event`, `batch`, or `close SESSION`), lines of headers (`name: value`;
//! a name that begins with `?` stands in the query), an empty line, the body's bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use ingest_gateway::credentials::{Credential, Scope};
use ingest_gateway::decode::{DecodeError, decode};
use ingest_gateway::intake::{self, Call, Form, MAX_BYTES};
use ingest_gateway::judge::{Context, Refused, Sound, judge};
use ingest_gateway::problem::{Code, Problem};
use ingest_gateway::submission::{Item, Query, Raw};
use ingest_gateway::types::Types;
use schemas::record::quarantine::Reason;
use schemas::record::stamp::Origin;
use schemas::{Game, Tenant, Timestamp, body, envelope, parse};
use serde_json::value::RawValue;

/// Half past eight on 5 January 2026: near the times of the examples.
const NOW_MS: i64 = 1_767_601_800_000;

/// What became of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Code of the problem, where the whole request was refused.
    pub(crate) problem: Option<&'static str>,
    /// Events that break no rule.
    pub(crate) sound: usize,
    /// Events that do.
    pub(crate) refused: usize,
}

struct Request<'a> {
    call: Call,
    headers: HeaderMap,
    query: Query,
    publishable: bool,
    body: &'a [u8],
}

/// Takes a request in and holds what comes of it to what must hold.
pub(crate) fn check(input: &[u8], types: &Types) -> Outcome {
    let request = read(input);
    match taken(&request, types) {
        Ok((sound, refused)) => Outcome { sound, refused, ..Outcome::default() },
        Err(problem) => {
            let status = problem.code.status().as_u16();
            assert!((400..500).contains(&status), "{problem:?}");
            assert!(!problem.detail.is_empty());
            Outcome { problem: Some(problem.code.as_str()), ..Outcome::default() }
        }
    }
}

fn taken(request: &Request<'_>, types: &Types) -> Result<(usize, usize), Problem> {
    let credential = credential(request.publishable);
    let form = Form::of(&request.call, &request.headers, &credential)?;
    let encoding = intake::encoding(&request.headers)?;
    let decoded = decode(encoding, Bytes::copy_from_slice(request.body), MAX_BYTES).now_or_never();
    let decoded =
        decoded.expect("all of it is in memory: there is nothing to wait for").map_err(|error| match error {
            DecodeError::TooLarge => Problem::new(Code::TooLarge, "more comes out than may"),
            DecodeError::Malformed(words) => Problem::new(Code::MalformedBody, words),
        })?;
    assert!(decoded.len() <= MAX_BYTES);
    let (submission, game) =
        intake::submission(&request.call, form, &request.headers, &decoded, &request.query, &credential)?;
    let count = submission.events.len();
    assert!((1..=envelope::MAX_EVENTS).contains(&count), "{count}");
    assert!(credential.games.contains(&game));
    assert!(
        held(&submission.events) <= bound(request, &decoded, count),
        "{} of {}",
        held(&submission.events),
        decoded.len()
    );

    let context = Context {
        credential: &credential,
        game: &game,
        received_at: Timestamp::from_ms(NOW_MS),
        sent_at: submission.sent_at,
        origin: submission.origin,
        types,
    };
    let (mut sound, mut refused) = (0, 0);
    for item in &submission.events {
        match judge(item, context) {
            Ok(event) => {
                sound += 1;
                holds_of_sound(&event, context);
            }
            Err(event) => {
                refused += 1;
                holds_of_refused(item, &event);
            }
        }
    }
    assert_eq!(sound + refused, count, "each event has one outcome");
    Ok((sound, refused))
}

/// Bytes that events take beside the body.
fn held(events: &[Item<'_>]) -> usize {
    let text = |item: &Item<'_>| item.scanned.as_ref().map_or(0, |scanned| scanned.text.len());
    events.iter().map(|item| item.raw.bytes().len() + text(item)).sum()
}

/// An event is there as it came and as it is judged; translated, it is given names of ours, and what stood in
/// headers is escaped.
fn bound(request: &Request<'_>, decoded: &[u8], count: usize) -> usize {
    let headers: usize = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    3 * decoded.len() + 16 * headers + 512 * count
}

fn holds_of_refused(item: &Item<'_>, refused: &Refused) {
    assert!((1..=20).contains(&refused.errors.len()), "{refused:?}");
    for error in &refused.errors {
        assert!(!error.code.is_empty() && !error.message.is_empty(), "{error:?}");
        assert!(error.pointer.is_empty() || error.pointer.starts_with('/'), "{error:?}");
    }
    assert!(refused.hole.is_none() || refused.reason == Reason::Invalid, "{refused:?}");
    assert!(!item.raw.bytes().is_empty() || matches!(item.raw, Raw::Json(_)), "what is set aside is there");
}

/// What is written into the log can be read there, and is the same body however it is written.
fn holds_of_sound(sound: &Sound<'_>, context: Context<'_>) {
    let event = parse::stamped(&sound.text, context.origin).expect("what is sound can be read behind the log");
    assert_eq!((event.event_id, event.session_id), (sound.event_id, sound.session_id));
    assert_eq!(body::fingerprint(&sound.text), sound.body);
    assert_eq!(body::from_header(body::to_header(sound.body).as_bytes()), Some(sound.body));

    let again = rewritten(&sound.text, Manner::Reordered);
    let raw = envelope::event(again.as_bytes()).expect("an event written otherwise is one still");
    let item = Item::from(raw);
    // What was a CloudEvent is one of ours by now.
    let origin = context.origin.filter(|origin| *origin == Origin::Close);
    let judged = judge(&item, Context { origin, ..context });
    let judged = judged.unwrap_or_else(|refused| panic!("{refused:?}\n{}\n{again}", sound.text));
    assert_eq!(
        (judged.event_id, judged.session_id, judged.body),
        (sound.event_id, sound.session_id, sound.body),
        "{again}"
    );
    assert_eq!(judged.player, sound.player);
    let others = rewritten(&sound.text, Manner::SameValues);
    assert_eq!(body::fingerprint(&others), sound.body, "{}\n{others}", sound.text);
}

/// How JSON is written again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Members in another order, whitespace between tokens, escapes otherwise.
    Reordered,
    /// Also without members that are null, and with whole numbers as `1.0`: the same body, not always the same type.
    SameValues,
}

fn rewritten(json: &str, manner: Manner) -> String {
    let within = |value: &RawValue| rewritten(value.get(), manner);
    match json.as_bytes().first() {
        Some(b'{') => {
            // A name of half a character can't be written otherwise.
            let Ok(members) = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(json) else {
                return json.to_owned();
            };
            let kept = members.iter().rev().filter(|(_, value)| manner == Manner::Reordered || value.get() != "null");
            let members: Vec<_> = kept.map(|(name, value)| format!("{} :\t{}", quoted(name), within(value))).collect();
            format!("{{ {}\n}}", members.join(" , "))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json).expect("what is sound is JSON");
            format!("[ {}\r\n]", items.into_iter().map(within).collect::<Vec<_>>().join(" ,"))
        }
        Some(b'"') => serde_json::from_str::<Cow<'_, str>>(json).map_or_else(|_| json.to_owned(), |text| quoted(&text)),
        Some(b'0'..=b'9' | b'-') if manner == Manner::SameValues && !json.contains(['.', 'e', 'E']) => {
            format!("{json}.0")
        }
        _ => json.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written")
}

fn credential(publishable: bool) -> Credential {
    Credential {
        id: "1f0c5a9be27d".to_owned(),
        tenant: Tenant::parse("acme").expect("a tenant's name"),
        games: vec![Game::parse("runner").expect("a game's name")],
        environment: "live".to_owned(),
        scopes: if publishable { vec![Scope::Ingest] } else { vec![Scope::Ingest, Scope::Evidence] },
        tier: "standard".to_owned(),
        publishable,
        issuer: None,
        player: None,
        created_at: None,
        expires_at: None,
        revoked_at: None,
    }
}

fn read(input: &[u8]) -> Request<'_> {
    let end = input.windows(2).position(|bytes| bytes == b"\n\n");
    let (head, body) = end.map_or((&b""[..], input), |end| (&input[..end], &input[end + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let call = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let call = match call.split_once(' ') {
        Some(("close", session)) => Call::Close(session.to_owned()),
        _ if call == "event" => Call::Event,
        _ => Call::Batch,
    };
    let mut request = Request { call, headers: HeaderMap::new(), query: Query::default(), publishable: false, body };
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let text = || Some(String::from_utf8_lossy(value).into_owned());
        match name {
            b"?sent_at" => request.query.sent_at = text(),
            b"?app_version" => request.query.app_version = text(),
            b"?game_id" => request.query.game_id = text(),
            b"publishable" => request.publishable = true,
            name => {
                if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                    // Beyond that hyper takes no head.
                    if request.headers.len() < 100 {
                        request.headers.append(name, value);
                    }
                }
            }
        }
    }
    request
}
