use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::FieldError;
use crate::record::ReadError;

/// All that there is to know of a record, as a worker learns it.
fn told<'a>(value: &'a [u8], read: impl FnOnce() -> Result<Stamp<'a>, ReadError>) -> Result<String, String> {
    let form = |error: ReadError| error.to_string();
    let mut stamp = read().map_err(form)?;
    let mut event = stamp.event.map(|raw| crate::parse::stamped(raw.get(), stamp.origin));
    if matches!(event, Some(Err(_))) {
        stamp = Stamp::parse(value).map_err(form)?;
        event = stamp.event.map(|raw| crate::parse::stamped(raw.get(), stamp.origin));
    }
    let event: Option<Result<_, Vec<FieldError>>> = event;
    Ok(format!("{stamp:?} {event:?}"))
}

fn agrees(value: &[u8]) -> Result<String, String> {
    let skimmed = told(value, || Stamp::skim(value, &mut Names::default()));
    assert_eq!(skimmed, told(value, || Stamp::parse(value)), "{}", String::from_utf8_lossy(value));
    skimmed
}

const EVENT: &str = r#"{"event_id":"0198c0de-0000-7000-8000-000000000002","session_id":"0198c0de-0000-7000-8000-000000000003","player_id":"p-1","seq":1,"event_type":"session.heartbeat","timestamp":"2026-01-05T08:12:31.204Z"}"#;

/// A record with these members before the event, and what follows on it.
fn record(members: &str, event: &str, after: &str) -> String {
    format!(
        r#"{{"v":1,"tenant":"acme","game":"quest","received_at":"2026-01-05T08:12:31.900Z"{members},"request_id":"req_1","key_id":"k","gateway":"g","event":{event}{after}}}"#
    )
}

#[test]
fn what_a_gateway_writes_is_skimmed_and_reads_the_same() {
    for members in ["", r#","sent_at":"2026-01-05T08:12:31.800Z""#, r#","app_version":"1.4.2""#] {
        let text = record(members, EVENT, "");
        assert!(skim(text.as_bytes(), &mut Names::default()).is_some(), "{text}");
        assert!(agrees(text.as_bytes()).is_ok_and(|told| told.contains("session.heartbeat")), "{text}");
    }
}

#[test]
fn whatever_else_there_is_reads_the_same() {
    let hole = r#","hole":{"session_id":"0198c0de-0000-7000-8000-000000000003","seq":1,"reason":"invalid"}"#;
    for (members, event, after) in [
        ("", EVENT, hole),
        ("", EVENT, r#","event":{}"#),
        ("", EVENT, r#","tenant":"other""#),
        ("", EVENT, " "),
        ("", EVENT, r#","later":{"a":"b"}"#),
        ("", &format!(" {EVENT}"), ""),
        ("", "{}", ""),
        ("", "{", ""),
        ("", "}", ""),
        ("", "null", ""),
        ("", "[1]", ""),
        ("", r#"{"a":"\ud800"}"#, ""),
        (r#","sent_at":null"#, EVENT, ""),
        (r#","sent_at":"yesterday""#, EVENT, ""),
        (r#","app_version":"tab\there""#, EVENT, ""),
        (",\"app_version\":\"tab\there\"", EVENT, ""),
        (r#","app_version":"1","app_version":"2""#, EVENT, ""),
        (r#","app_version":"1","sent_at":"2026-01-05T08:12:31.800Z""#, EVENT, ""),
    ] {
        let _ = agrees(record(members, event, after).as_bytes());
    }
    let close = record("", EVENT, "").replace(r#","event":"#, r#","origin":"close","event":"#);
    assert!(agrees(close.as_bytes()).is_ok_and(|told| told.contains("Close")));
    let _ = agrees(close.replace("close", "elsewhere").as_bytes());
    for (of, by) in [("acme", "Acme"), ("quest", ""), (r#""v":1"#, r#""v":2"#), (r#""v":1"#, r#""v":01"#)] {
        assert!(agrees(record("", EVENT, "").replacen(of, by, 1).as_bytes()).is_err());
    }
}

proptest! {
    #[test]
    fn a_record_with_any_byte_changed_reads_the_same(
        at in any::<Index>(), byte in any::<u8>(), cut in any::<bool>(), many in 0_usize..4,
    ) {
        let members = r#","sent_at":"2026-01-05T08:12:31.800Z","app_version":"1.4.2""#;
        let mut bytes = record(members, EVENT, "").into_bytes();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if cut {
            bytes.drain(place..(place + many).min(bytes.len()));
        }
        let _ = agrees(&bytes);
    }

    #[test]
    fn any_texts_read_the_same(version in ".{0,12}", request in ".{0,12}", player in ".{0,12}") {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let text = record(&format!(",\"app_version\":{}", quoted(&version)), EVENT, "");
        let text = text.replace("\"req_1\"", &quoted(&request)).replace("\"p-1\"", &quoted(&player));
        let _ = agrees(text.as_bytes());
    }
}
