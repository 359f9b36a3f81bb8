use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

const EVENT: &str = r#"{"event_id":"0198c0de-0000-7000-8000-00000000000a","session_id":"8f14e45f-ceea-467a-9575-0000000000ff","seq":41,"event_type":"a.b","timestamp":"2026-01-05T08:12:31.204Z","data":{"x":1,"y":[1,null,"z"]}}"#;

fn same(left: &str, right: &str) -> bool {
    fingerprint(left) == fingerprint(right)
}

#[test]
fn the_same_body_has_the_same_fingerprint() {
    for alike in [
        r#" { "seq" : 41.0 , "event_id":"0198C0DE-0000-7000-8000-00000000000A","data":{"y":[10e-1,null,"\u007a"],"x":1},"session_id":"8F14E45F-CEEA-467A-9575-0000000000FF","timestamp":"2026-01-05T08:12:31.204Z","event_type":"a.b"}"#,
        r#"{"event_id":"0198c0de-0000-7000-8000-00000000000a","session_id":"8f14e45f-ceea-467a-9575-0000000000ff","seq":0.41e2,"event_type":"a.b","timestamp":"2026-01-05T08:12:31.204Z","more":null,"data":{"x":1,"y":[1,null,"z"],"q":null}}"#,
    ] {
        assert!(same(EVENT, alike), "{alike}");
    }
}

#[test]
fn another_body_has_another_fingerprint() {
    for (part, other) in [
        (r#""seq":41"#, r#""seq":42"#),
        (r#""seq":41"#, r#""seq":"41""#),
        (r#""seq":41"#, r#""seq":-41"#),
        (r#""seq":41"#, r#""seq":4.1"#),
        (r#""seq":41"#, r#""seq":410"#),
        (r#""seq":41"#, r#""seq":41.00000000000000000000000000001"#),
        (r#""seq":41"#, r#""sep":41"#),
        ("31.204Z", "31.2040Z"),
        ("31.204Z", "31.204z"),
        ("a.b", "A.b"),
        (r#"[1,null,"z"]"#, r#"[1,"z"]"#),
        (r#"[1,null,"z"]"#, r#"["z",null,1]"#),
        (r#"[1,null,"z"]"#, r#"[[1,null,"z"]]"#),
        (r#""x":1"#, r#""x":true"#),
        (r#""x":1"#, r#""X":1"#),
        (r#""data":{"x":1,"y":[1,null,"z"]}"#, r#""data":{"x":1},"y":[1,null,"z"]"#),
    ] {
        assert!(EVENT.contains(part));
        assert!(!same(EVENT, &EVENT.replace(part, other)), "{other}");
    }
}

#[test]
fn the_case_of_an_id_counts_only_inside_data() {
    assert!(same(r#"{"event_id":"AB"}"#, r#"{"event_id":"ab"}"#));
    assert!(!same(r#"{"data":{"event_id":"AB"}}"#, r#"{"data":{"event_id":"ab"}}"#));
}

#[test]
fn numbers_are_one_by_their_exact_value() {
    for (left, right) in [("0", "-0"), ("0", "0.000e7"), ("100", "1e2"), ("0.5", "5E-1"), ("-2.50", "-25e-1")] {
        assert!(same(left, right), "{left} {right}");
    }
    let far = [
        ("1e-99999999999999999999", "10E-100000000000000000000"),
        ("0.5e-99999999999999999999", "5e-100000000000000000000"),
        ("12.50e99999999999999999999", "125e00099999999999999999998"),
        ("0e99999999999999999999", "0"),
        ("1e-9223372036854775808", "10e-9223372036854775809"),
        ("10e9223372036854775807", "1e9223372036854775808"),
    ];
    for (left, right) in far {
        assert_eq!(number::scaled(left), number::scaled(right), "{left} {right}");
    }
    for (left, right) in far.into_iter().filter(|(left, _)| crate::scan::scan(left.as_bytes()).is_ok()) {
        assert!(same(left, right), "{left} {right}");
        assert!(same(&format!("{{\"a\":{left},\"b\":1}}"), &format!("{{\"b\":1,\"a\":{right}}}")), "{left}");
    }
    for (left, right) in [
        ("1e-99999999999999999999", "1e-99999999999999999998"),
        ("1e-99999999999999999999", "1e99999999999999999999"),
        ("1e-99999999999999999999", "-1e-99999999999999999999"),
        ("1e-99999999999999999999999999999999999999999999999", "1e-99999999999999999999999999999999999999999999998"),
        ("1e-9223372036854775809", "1e9223372036854775807"),
    ] {
        assert_ne!(number::scaled(left), number::scaled(right), "{left} {right}");
        assert!(!same(left, right), "{left} {right}");
    }
    for (left, right) in [("1", "10"), ("1", "-1"), ("12", "1.2"), ("9007199254740993", "9007199254740992")] {
        assert!(!same(left, right), "{left} {right}");
    }
}

#[test]
fn what_is_not_json_still_has_a_fingerprint() {
    for text in ["", "{", "{\"a\"", "[1,", "nul", "\"\\", "é", "-", "1e", "{\"a\":é}", &"[".repeat(100_000)] {
        assert_eq!(fingerprint(text), fingerprint(text));
        assert!(!same(text, "{}"));
    }
}

#[test]
fn the_header_is_read_as_it_is_written() {
    assert_eq!(to_header(0xabc), "1:0000000000000abc");
    assert_eq!(from_header(b"1:0000000000000abc"), Some(0xabc));
    for bad in ["2:0000000000000abc", "1:abc", "0000000000000abc", "1:0000000000000ABC", "1:+000000000000abc", ""] {
        assert_eq!(from_header(bad.as_bytes()), None, "{bad}");
    }
}

/// The fingerprints of version 1: a change here is a change of version.
#[test]
fn version_one_stays_as_it_is() {
    insta::assert_snapshot!(to_header(fingerprint(EVENT)), @"1:60ba079fd2099807");
    let kept: Vec<_> = include_str!("version_1.txt").lines().collect();
    assert!(kept.len() > 100);
    for line in kept {
        let (kept, json) = line.split_once(' ').unwrap();
        assert_eq!(format!("{:016x}", fingerprint(json)), kept, "{json}");
        assert_eq!(format!("{:016x}", reference::fingerprint(json)), kept, "{json}");
    }
}

#[test]
fn what_the_scan_refuses_has_the_fingerprint_of_its_bytes() {
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    for text in [r#"{"a":1,"a":1}"#, "01", "1e999", r#""\ud800""#, &deep] {
        assert_eq!(fingerprint(text), seeded(Kind::Unread, text.as_bytes()), "{text}");
    }
}

#[test]
fn a_scan_tells_the_same_fingerprint_for_each_event_of_a_batch() {
    let others = r#"{"x":1,"event_id":"AB"},[{"event_id":"AB"}] , 7,null"#;
    let body = format!("{{\"sent_at\":null,\"junk\":{EVENT},\"events\":[{EVENT}, {others}]}}");
    let batch = crate::envelope::batch(body.as_bytes()).unwrap();
    let scanned: Vec<_> = batch.events.iter().map(|event| event.scanned.as_ref().unwrap()).collect();
    assert_eq!(scanned.len(), 5);
    for scanned in scanned {
        assert_eq!(scanned.fingerprint, reference::fingerprint(&scanned.text), "{}", scanned.text);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-1.0e9..1.0e9).prop_map(|double: f64| json!(double)),
        "[a-zA-Z\\\\\"é ]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-c]{1,2}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What EVENTS.md takes as equal, spelled out on whole values.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), normal(value))).collect::<Map<_, _>>())
        }
        Value::Array(elements) => elements.iter().map(normal).collect(),
        other => other.clone(),
    }
}

/// The value in other clothes: members turned round, whitespace, escapes, nulls, other forms of numbers.
fn disguised(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!(" {}\t: {}", escaped(name), disguised(value));
            let mut parts: Vec<_> = members.iter().rev().map(member).collect();
            parts.push("\"zz\":null".to_owned());
            format!("{{{}\n}}", parts.join(","))
        }
        Value::Array(elements) => format!("[ {} ]", elements.iter().map(disguised).collect::<Vec<_>>().join(" ,")),
        Value::String(text) => escaped(text),
        Value::Number(number) if number.is_i64() => format!("{number}0.00e-1"),
        other => other.to_string(),
    }
}

fn escaped(text: &str) -> String {
    let units: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    format!("\"{}\"", units.concat())
}

/// A number in any of the forms that JSON has.
fn any_number() -> impl Strategy<Value = String> {
    let whole = prop_oneof!["0", "[1-9][0-9]{0,25}", "[1-9]0{0,20}"];
    let fraction = prop_oneof![Just(String::new()), "\\.[0-9]{1,12}", "\\.0{1,9}[0-9]?0{0,9}"];
    let exponent = prop_oneof![3 => Just(String::new()), 1 => "[eE][+-]?[0-9]{1,2}", 1 => "[eE]-[0-9]{1,15}"];
    ("-?", whole, fraction, exponent)
        .prop_map(|(sign, whole, fraction, exponent)| sign + &whole + &fraction + &exponent)
}

proptest! {
    #[test]
    fn the_scan_keeps_to_the_rules(value in any_json()) {
        for json in [value.to_string(), disguised(&value), json!({"event_id": value, "session_id": "aB"}).to_string()] {
            prop_assert_eq!(fingerprint(&json), reference::fingerprint(&json), "{}", json);
        }
    }

    #[test]
    fn the_scan_keeps_to_the_rules_of_numbers(number in any_number()) {
        prop_assert_eq!(fingerprint(&number), reference::fingerprint(&number), "{}", number);
    }

    #[test]
    fn no_disguise_changes_a_fingerprint(value in any_json()) {
        prop_assert_eq!(fingerprint(&value.to_string()), fingerprint(&disguised(&value)));
    }

    #[test]
    fn two_values_share_a_fingerprint_only_if_they_are_the_same(left in any_json(), right in any_json()) {
        prop_assert_eq!(
            normal(&left) == normal(&right),
            fingerprint(&left.to_string()) == fingerprint(&right.to_string())
        );
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,40}") {
        fingerprint(&text);
    }
}
