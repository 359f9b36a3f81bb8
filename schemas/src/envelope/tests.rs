use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{self, Style};

const GOOD: &str = r#"{"event_id":"0198c0de-0000-7000-8000-00000000000a","session_id":"8f14e45f-ceea-467a-9575-0000000000ff","player_id":"p-1","seq":3,"event_type":"session.heartbeat","timestamp":"2026-01-05T08:12:31.204Z"}"#;

fn refused(body: &str) -> (RequestCode, Vec<(String, String)>) {
    let error = batch(body.as_bytes()).expect_err(body);
    assert!(!error.detail.is_empty());
    let pairs = error.errors.into_iter().map(|error| (error.pointer, error.code.into_owned()));
    (error.code, pairs.collect())
}

fn malformed(pointer: &str, code: &str) -> (RequestCode, Vec<(String, String)>) {
    (RequestCode::MalformedBody, vec![(pointer.to_owned(), code.to_owned())])
}

#[test]
fn a_batch_is_read_with_what_surrounds_it() {
    let body = format!(
        r#" {{"batch_id":"0198C0DE-0000-7000-8000-00000000000B","sent_at":"2026-01-05T08:12:32Z","app_version":"1.4 \u00e9",
            "game_id":"demo","unknown":{{"seq":[1]}},"\u0065vents":[ {GOOD} , {GOOD}]}} "#
    );
    let batch = batch(body.as_bytes()).unwrap();
    assert_eq!(batch.batch_id.unwrap().to_string(), "0198c0de-0000-7000-8000-00000000000b");
    assert_eq!(batch.sent_at.unwrap().to_string(), "2026-01-05T08:12:32.000Z");
    assert_eq!((batch.app_version.as_deref(), batch.game_id.as_deref()), (Some("1.4 é"), Some("demo")));
    assert_eq!(batch.events.len(), 2);
    for event in &batch.events {
        assert!(matches!(&event.scanned, Ok(scanned) if matches!(scanned.text, Cow::Borrowed(GOOD))));
        assert_eq!(event.judge().unwrap().seq, Some(3));
    }
    let nulls = format!(r#"{{"events":[{GOOD}],"batch_id":null,"sent_at":null,"app_version":null,"game_id":null}}"#);
    let batch = super::batch(nulls.as_bytes()).unwrap();
    assert!(batch.batch_id.is_none() && batch.sent_at.is_none() && batch.app_version.is_none());
}

#[test]
fn whitespace_between_an_events_tokens_goes_and_the_raw_bytes_stay() {
    let spaced = GOOD.replace(',', " ,\n ");
    let body = format!("{{\"events\":[\t{spaced}\n]}}");
    let batch = batch(body.as_bytes()).unwrap();
    assert_eq!(batch.events[0].raw, spaced);
    assert_eq!(batch.events[0].scanned.as_ref().unwrap().text, GOOD);
}

#[test]
fn one_bad_event_leaves_the_others_alone() {
    let doubled = GOOD.replace("\"seq\":3", "\"seq\":3,\"data\":{\"x\":{\"k\":1,\"\\u006b\":2}}");
    let giant = GOOD.replace("\"seq\":3", "\"seq\":3,\"data\":{\"list\":[1,1e400]}");
    let half = GOOD.replace("p-1", "\\ud800");
    let many: Vec<_> = (0..2_000).map(|name| format!("\"k{name}\":0")).collect();
    let many = GOOD.replace("\"seq\":3", &format!("\"seq\":3,\"data\":{{{}}}", many.join(",")));
    let body = format!(r#"{{"events":[{GOOD},{doubled},{giant},7,{half},{many},{GOOD}]}}"#);
    let batch = batch(body.as_bytes()).unwrap();
    let judged: Vec<_> = batch.events.iter().map(RawEvent::judge).collect();
    assert!(judged[0].is_ok() && judged[6].is_ok());
    let faults = judged[1..6].iter().map(|judged| {
        let errors = judged.as_ref().unwrap_err();
        assert_eq!(errors.len(), 1);
        (errors[0].pointer.as_str(), &*errors[0].code)
    });
    let expected = [
        ("/data/x/k", "doubled_key"),
        ("/data/list/1", "range"),
        ("", "type"),
        ("/player_id", "encoding"),
        ("/data/k1019", "too_many_names"),
    ];
    assert_eq!(faults.collect::<Vec<_>>(), expected);
    for refused in [1, 2, 4, 5] {
        let rough = batch.events[refused].rough();
        assert_eq!((rough.seq, rough.session_id.is_some(), rough.event_id.is_some()), (Some(3), true, true));
    }
    assert_eq!(batch.events[3].rough(), Rough::default());
}

#[test]
fn a_seq_that_stands_twice_leaves_no_hole() {
    let body = format!(r#"{{"events":[{}]}}"#, GOOD.replace("\"seq\":3", "\"seq\":3,\"seq\":4"));
    let batch = batch(body.as_bytes()).unwrap();
    assert_eq!(batch.events[0].judge().unwrap_err()[0].pointer, "/seq");
    let rough = batch.events[0].rough();
    assert_eq!((rough.seq, rough.event_id.is_some()), (None, true));
}

#[test]
fn what_surrounds_the_events_has_its_rules() {
    let around = |member: &str| format!("{{{member},\"events\":[{GOOD}]}}");
    for (member, pointer, code) in [
        (r#""batch_id":"x""#, "/batch_id", "format"),
        (r#""batch_id":7"#, "/batch_id", "type"),
        (r#""batch_id":"00000000-0000-0000-0000-000000000000""#, "/batch_id", "format"),
        (r#""sent_at":"2026-01-05""#, "/sent_at", "format"),
        (r#""sent_at":{}"#, "/sent_at", "type"),
        (r#""app_version":1.4"#, "/app_version", "type"),
        (&format!("\"app_version\":\"{}\"", "é".repeat(41)), "/app_version", "length"),
        (r#""game_id":"a/b""#, "/game_id", "pattern"),
        (r#""game_id":"demo@test""#, "/game_id", "pattern"),
        (&format!("\"game_id\":\"{}\"", "a".repeat(65)), "/game_id", "pattern"),
        (r#""sent_at":"2026-01-05T08:12:32Z","sent_at":"2026-01-05T08:12:32Z""#, "/sent_at", "doubled_key"),
        (r#""game_id":"\ud800""#, "/game_id", "encoding"),
        (r#""unknown":[1e400]"#, "/unknown/0", "range"),
        (r#""events":[]"#, "/events", "doubled_key"),
    ] {
        assert_eq!(refused(&around(member)), malformed(pointer, code), "{member}");
    }
    assert!(batch(around(&format!("\"app_version\":\"{}\"", "é".repeat(40))).as_bytes()).is_ok());
    let (code, errors) = refused(&around(r#""sent_at":1,"batch_id":2"#));
    assert_eq!((code, errors.len()), (RequestCode::MalformedBody, 2));
}

#[test]
fn a_batch_holds_one_to_a_thousand_events() {
    let of = |count: usize| format!("{{\"events\":[{}]}}", vec![GOOD; count].join(","));
    assert_eq!(batch(of(1_000).as_bytes()).unwrap().events.len(), 1_000);
    assert_eq!(refused(&of(1_001)).0, RequestCode::TooLarge);
    assert_eq!(refused(&of(0)), malformed("/events", "length"));
    for body in ["{}", r#"{"events":null}"#, r#"{"events":{}}"#, r#"{"events":7}"#] {
        assert_eq!(refused(body), malformed("/events", "required"), "{body}");
    }
    for body in ["[]", "7", "null", "\"x\""] {
        assert_eq!(refused(body), malformed("", "type"), "{body}");
    }
    assert_eq!(list(format!("[{GOOD}]").as_bytes()).unwrap().len(), 1);
    for body in ["[]", "{}"] {
        assert_eq!(list(body.as_bytes()).unwrap_err().code, RequestCode::MalformedBody);
    }
    assert_eq!(list(format!("[{}]", vec!["1"; 1_001].join(",")).as_bytes()).unwrap_err().code, RequestCode::TooLarge);
}

#[test]
fn what_is_no_json_is_refused_as_a_whole_with_its_place() {
    let broken = format!("{{\"events\":[{GOOD},\n{{\"seq\":NaN}}]}}");
    let error = batch(broken.as_bytes()).unwrap_err();
    assert_eq!((error.code, error.errors.len()), (RequestCode::MalformedJson, 0));
    assert!(error.detail.starts_with("line 2, column 8: "), "{}", error.detail);
    let deep = format!("{{\"events\":[{{\"data\":{}", "[".repeat(10_000));
    for body in ["", "{\"events\":[", "{\"events\":[]}}", "\u{feff}{}", &deep] {
        assert_eq!(batch(body.as_bytes()).unwrap_err().code, RequestCode::MalformedJson, "{body}");
    }
    for body in [&b""[..], b"{", b"{} {}", b"\xff\xfe{\0}\0"] {
        assert_eq!(event(body).unwrap_err().code, RequestCode::MalformedJson);
    }
    for body in ["[]", "7", "null"] {
        assert_eq!(event(body.as_bytes()).unwrap_err().code, RequestCode::MalformedBody);
    }
    assert_eq!(event(b"{\"a\":1,\"a\":1}").unwrap().judge().unwrap_err()[0].code, "doubled_key");
}

proptest! {
    #[test]
    fn told_sessions_come_through_whole(seed: u64) {
        let events: Vec<Value> = testing::session(seed, Style::CLIENT).into_iter().take(1_000).collect();
        let body = serde_json::to_string_pretty(&json!({"events": events})).unwrap();
        let batch = batch(body.as_bytes()).unwrap();
        prop_assert_eq!(batch.events.len(), events.len());
        for (raw, event) in batch.events.iter().zip(&events) {
            let text = event.to_string();
            prop_assert_eq!(&raw.scanned.as_ref().unwrap().text, text.as_str());
            prop_assert!(raw.judge().is_ok());
            let rough = raw.rough();
            prop_assert_eq!(rough.seq, event["seq"].as_u64());
        }
    }

    #[test]
    fn no_body_is_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..80), cut in 0..400_usize) {
        let mut body = format!("{{\"events\":[{GOOD},{GOOD}]}}").into_bytes();
        let at = cut.min(body.len());
        body.splice(at..at, bytes);
        if let Ok(batch) = batch(&body) {
            for event in batch.events {
                if let Ok(sound) = event.judge() {
                    prop_assert_eq!(event.rough().event_id, Some(sound.event_id));
                }
            }
        }
    }
}
