//! Every form of record is kept as a file from its first release on.

use serde::Serialize;
use serde_json::Value;

use super::quarantine::{Headers, Origin, Reason};
use super::stamp::Stamp;
use super::*;
use crate::canonical;
use crate::report::{Facts, Report};

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../../golden/", $name, ".json")).trim_end()
    };
}

/// Reads a golden file, writes it again, and tries it with a member and a version that this release doesn't know.
fn holds<'a, T: Record<'a> + Serialize>(golden: &'a str) {
    let record: T = read(golden.as_bytes()).unwrap_or_else(|error| panic!("{golden}: {error}"));
    assert_eq!(serde_json::to_string(&record).unwrap(), golden);
}

fn evolves(golden: &str, parse: impl Fn(&[u8]) -> Result<String, ReadError>) {
    let later = golden.replacen('{', "{\"of_a_later_release\":{\"x\":[1]},", 1);
    assert_eq!(parse(later.as_bytes()).unwrap(), golden);
    let newer = golden.replacen("\"v\":1", "\"v\":2", 1);
    assert!(matches!(parse(newer.as_bytes()), Err(ReadError::Newer(2))), "{newer}");
    let message = parse(newer.as_bytes()).unwrap_err().to_string();
    assert!(message.contains("version 2") && message.contains("upgrade"), "{message}");
    assert!(matches!(parse(b"{\"v\":9}"), Err(ReadError::Newer(9))));
    assert!(matches!(parse(b"{\"v\":1}"), Err(ReadError::Malformed(_))));
    for poison in [&b""[..], b"\xff", b"[]", b"null", b"{\"v\":-1}", &golden.as_bytes()[..golden.len() - 1]] {
        assert!(matches!(parse(poison), Err(ReadError::Malformed(_))), "{poison:?}");
    }
}

fn written<T: Serialize>(record: Result<T, ReadError>) -> Result<String, ReadError> {
    record.map(|record| serde_json::to_string(&record).unwrap())
}

#[test]
fn stamps_stay_as_they_are() {
    for golden in [golden!("stamp-event"), golden!("stamp-hole"), golden!("stamp-close"), golden!("stamp-redriven")] {
        holds::<Stamp<'_>>(golden);
        evolves(golden, |value| written(Stamp::parse(value)));
    }
}

#[test]
fn a_stamp_holds_an_event_or_a_hole() {
    let event = golden!("stamp-event");
    let hole = r#""hole":{"session_id":"8f14e45f-ceea-467a-9575-0000000000ff","seq":4,"reason":"invalid"}}"#;
    let both = format!("{},{hole}", event.trim_end_matches('}').to_owned() + "}}");
    let none = r#"{"v":1,"tenant":"a","game":"g","received_at":"2026-01-05T08:12:31Z","request_id":"r","key_id":"k","gateway":"w"}"#;
    for bad in [both.as_str(), none] {
        assert!(matches!(Stamp::parse(bad.as_bytes()), Err(ReadError::Shape(_))), "{bad}");
    }
}

#[test]
fn the_event_in_a_stamp_keeps_the_clients_bytes() {
    let stamp = Stamp::parse(golden!("stamp-event").as_bytes()).unwrap();
    let event = stamp.event.unwrap().get();
    assert!(event.contains(r#""task_id":"\u004c07""#) && event.contains("1.50"), "{event}");
}

#[test]
fn the_other_records_stay_as_they_are() {
    macro_rules! each {
        ($($record:ty: $($name:literal),*);*) => {$($(
            holds::<$record>(golden!($name));
            evolves(golden!($name), |value| written(<$record>::parse(value)));
        )*)*};
    }
    each!(
        Report: "report", "report-evidence";
        live::Live: "live";
        activity::Activity: "activity";
        outcome::OutcomeRecord: "outcome-counts", "outcome-started", "outcome-alive", "outcome-stopped"
    );
}

#[test]
fn facts_stay_the_same_to_the_byte() {
    let golden = golden!("facts");
    let facts: Facts = serde_json::from_str(golden).unwrap();
    assert_eq!(String::from_utf8(canonical::to_vec(&facts).unwrap()).unwrap(), golden);
    let report = Report::parse(golden!("report").as_bytes()).unwrap();
    assert_eq!(report.facts, facts);
    assert_eq!(report.facts_sha256, canonical::sha256_hex(golden.as_bytes()));
}

/// Of these a report has many: in another order all of them would be moved, in each report.
#[test]
fn what_a_report_repeats_is_declared_in_canonical_order() {
    let facts: Facts = serde_json::from_str(golden!("facts")).unwrap();
    assert!(!facts.tasks.is_empty() && !facts.evidence.is_empty());
    assert_eq!(serde_json::to_vec(&facts.tasks).unwrap(), canonical::to_vec(&facts.tasks).unwrap());
    // Numbers with a fraction are written differently, so only their names are compared.
    let names = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        text.split('"').filter(|part| part.bytes().all(|byte| byte.is_ascii_lowercase())).map(str::to_owned).collect()
    };
    let canonical: Vec<String> = names(canonical::to_vec(&facts.evidence).unwrap());
    assert_eq!(names(serde_json::to_vec(&facts.evidence).unwrap()), canonical);
}

fn rewritten(headers: &Headers) -> Value {
    let text = |value: &[u8]| Value::from(std::str::from_utf8(value).unwrap());
    headers.pairs().into_iter().map(|(name, value)| (name.to_owned(), text(&value))).collect()
}

/// What a redrive needs of an event that never reached play.events; records of before had none of it.
#[test]
fn the_headers_of_what_a_gateway_refused_stay_as_they_are() {
    let golden: Value = serde_json::from_str(golden!("quarantine-headers-gateway")).unwrap();
    let get = |name: &str| golden.get(name).and_then(Value::as_str).map(str::as_bytes);
    let headers = Headers::parse(get).unwrap();
    assert_eq!(rewritten(&headers), golden);
    assert_eq!(headers.came_as, Some(stamp::Origin::Close));
    assert_eq!(headers.session_id.unwrap().to_string(), "8f14e45f-ceea-467a-9575-0000000000ff");
    let of_another_form = |name: &str| if name == "origin" { Some(&b"carrier pigeon"[..]) } else { get(name) };
    assert!(matches!(Headers::parse(of_another_form), Err(ReadError::Shape(_))), "nobody could read its bytes");
}

#[test]
fn the_headers_of_the_quarantine_stay_as_they_are() {
    let golden: Value = serde_json::from_str(golden!("quarantine-headers")).unwrap();
    let get = |name: &str| golden.get(name).and_then(Value::as_str).map(str::as_bytes);
    let headers = Headers::parse(get).unwrap();
    assert_eq!(rewritten(&headers), golden);
    assert_eq!(headers.reason, Reason::Invalid);
    assert_eq!(headers.errors[0].pointer, "/data/outcome");
    let origin = Origin { topic: "play.events".to_owned(), partition: 3, offset: 4_711 };
    assert_eq!(headers.origin, Some(origin));

    let newer = |name: &str| if name == "v" { Some(&b"2"[..]) } else { get(name) };
    assert!(matches!(Headers::parse(newer), Err(ReadError::Newer(2))));
    for missing in ["v", "reason", "received_at", "origin_partition", "origin_offset"] {
        let without = |name: &str| if name == missing { None } else { get(name) };
        assert!(matches!(Headers::parse(without), Err(ReadError::Shape(_))), "{missing}");
    }
    let bare = |name: &str| if name.starts_with("origin") || name == "errors" { None } else { get(name) };
    let bare = Headers::parse(bare).unwrap();
    assert!(bare.pairs().iter().all(|(name, _)| *name != header::ERRORS && !name.starts_with("origin")));
    assert_eq!((bare.origin, bare.errors), (None, Vec::new()));
}

#[test]
fn every_reason_is_read_as_it_is_written() {
    for reason in Reason::ALL {
        assert_eq!(Reason::named(reason.as_str()), Some(*reason));
    }
    assert_eq!(Reason::named("game_mismatch"), Some(Reason::GameMismatch));
    assert_eq!(Reason::named("other"), None);
}
