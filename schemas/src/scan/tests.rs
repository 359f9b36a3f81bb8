use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn compact(bytes: &[u8]) -> Result<Cow<'_, str>, ScanError> {
    scan(bytes).map(|scanned| scanned.text)
}

fn fault(json: &str) -> FieldError {
    match compact(json.as_bytes()) {
        Err(ScanError::Fault(fault)) => fault,
        other => panic!("{json}: {other:?}"),
    }
}

fn malformed(bytes: &[u8]) -> (usize, usize, &'static str) {
    match compact(bytes) {
        Err(ScanError::Malformed { line, column, problem, .. }) => (line, column, problem),
        other => panic!("{bytes:?}: {other:?}"),
    }
}

#[test]
fn whitespace_between_tokens_goes_and_all_else_stays() {
    let spaced = " {\n\t\"a b\" : [ 1.50 , \"\\u0041 \\\" \\\\\" , { } ,true ] ,\r\"\": null } ";
    assert_eq!(compact(spaced.as_bytes()).unwrap(), r#"{"a b":[1.50,"\u0041 \" \\",{},true],"":null}"#);
    assert!(matches!(compact(br#"{"a":"b c"}"#), Ok(Cow::Borrowed(r#"{"a":"b c"}"#))));
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    assert_eq!(malformed(b"{\"a\":1,\n \"\xc3\xa9\":}").0, 2);
    assert_eq!(malformed(b"{\"a\":1,\n \"\xc3\xa9\":}").1, 6);
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1}}",
        "1 2",
        "NaN",
        "-NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "True",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "0x10",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "\"\u{1}\"",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "//",
        "\"\\",
        "\"\\ud800\\u12\"",
    ] {
        malformed(text.as_bytes());
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
    }
}

#[test]
fn other_encodings_are_refused_by_name() {
    assert!(malformed(b"\xef\xbb\xbf{}").2.contains("byte order mark"));
    for utf16 in [&b"\xff\xfe{\0}\0"[..], b"\xfe\xff\0{\0}", b"{\0}\0", b"\0{\0}"] {
        assert!(malformed(utf16).2.contains("UTF-16"), "{utf16:?}");
    }
    let (line, column, problem) = malformed(b"{\"a\":\n\"\xc3\"}");
    assert_eq!((line, column), (2, 2));
    assert!(problem.contains("not UTF-8"));
}

#[test]
fn depth_is_bounded_before_the_stack_is() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(compact(nested(MAX_DEPTH).as_bytes()).is_ok());
    for depth in [MAX_DEPTH + 1, 10_000, 1_000_000] {
        assert!(malformed(nested(depth).as_bytes()).2.contains("within each other"));
    }
    assert!(malformed("{\"a\":".repeat(1_000_000).as_bytes()).2.contains("within each other"));
}

#[test]
fn a_name_that_stands_twice_is_found_whatever_its_escapes() {
    for (json, pointer) in [
        (r#"{"a":1,"a":1}"#, "/a"),
        (r#"{"a":1,"b":{"x/y~":[0,{"k":1,"\u006b":2}]}}"#, "/b/x~1y~0/1/k"),
        (r#"{"a":{"b":1},"b":1,"a":1}"#, "/a"),
        (r#"{"":1,"":2}"#, "/"),
    ] {
        let fault = fault(json);
        assert_eq!((fault.pointer.as_str(), &*fault.code), (pointer, "doubled_key"), "{json}");
    }
    assert!(compact(br#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}],"A":1}"#).is_ok());
}

#[test]
fn a_name_that_stands_twice_among_many_is_found() {
    let object = |names: &[usize]| {
        let members: Vec<_> = names.iter().map(|name| format!("\"k{name}\":{{}}")).collect();
        format!("{{\"in\":{{{}}}}}", members.join(","))
    };
    let names: Vec<_> = (0..500).collect();
    assert!(compact(object(&names).as_bytes()).is_ok());
    for (first, second) in [(0, 499), (15, 16), (16, 17), (3, 200)] {
        let mut doubled = names.clone();
        doubled[second] = first;
        assert_eq!(fault(&object(&doubled)).pointer, format!("/in/k{first}"));
    }
}

/// Names that differ only in the middle are told apart by themselves, not by their tags.
#[test]
fn names_that_look_alike_are_told_apart() {
    let member = |name: usize| format!("\"aaaaaaaa{name:04}bbbbbbbb\":0");
    let mut members: Vec<_> = (0..600).map(member).collect();
    assert!(compact(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
    members.push(member(77));
    assert_eq!(fault(&format!("{{{}}}", members.join(","))).pointer, "/aaaaaaaa0077bbbbbbbb");
}

#[test]
fn names_are_bounded() {
    let members = |count: usize| (0..count).map(|name| format!("\"{name}\":0")).collect::<Vec<_>>().join(",");
    assert!(compact(format!("{{{}}}", members(MAX_KEYS)).as_bytes()).is_ok());
    assert_eq!(fault(&format!("{{{}}}", members(MAX_KEYS + 1))).code, "too_many_names");
    assert_eq!(fault(&format!("{{{}}}", members(100_000))).code, "too_many_names");
}

#[test]
fn numbers_are_bounded() {
    for sound in ["0", "-0", "1e308", "-1.5E-400", "123456789012345678901234567890", "0.1e-5"] {
        assert_eq!(compact(sound.as_bytes()).unwrap(), sound);
    }
    for giant in ["1e400", "-1e309", "1e99999999999999999999", &"9".repeat(65), &format!("0.{}", "1".repeat(70))] {
        let json = format!("{{\"a\":[{giant}]}}");
        let fault = fault(&json);
        assert_eq!((fault.pointer.as_str(), &*fault.code), ("/a/0", "range"), "{giant}");
    }
}

#[test]
fn half_characters_and_nul_are_faults_where_they_stand() {
    for (json, pointer) in [
        (r#"{"a":"\ud800"}"#, "/a"),
        (r#"{"a":"\udc00x"}"#, "/a"),
        (r#"{"a":"\ud800\u0041"}"#, "/a"),
        (r#"{"a":["x","\u0000"]}"#, "/a/1"),
    ] {
        let fault = fault(json);
        assert_eq!((fault.pointer.as_str(), &*fault.code), (pointer, "encoding"), "{json}");
    }
    assert_eq!(fault(r#"{"ok":1,"\ud800":2}"#).code, "encoding");
    assert!(compact(r#"{"a":"\ud83d\ude00 😀"}"#.as_bytes()).is_ok());
}

#[test]
fn a_pointer_is_cut_where_names_are_too_long() {
    for (name, kept) in [("n", "n"), ("é", "é"), ("~", "~0"), ("/", "~1")] {
        for around in ["a", "ab"] {
            let fault = fault(&format!("{{\"{around}\":{{\"{}\":[1e400]}}}}", name.repeat(1_000)));
            let shown = fault.pointer.strip_prefix(&format!("/{around}/")).unwrap().strip_suffix('…').unwrap();
            assert_eq!(shown.replace(kept, ""), "", "nothing is cut through: {shown}");
            assert!((200..=256).contains(&fault.pointer.chars().count()), "{shown}");
        }
    }
    let deep = format!("{}1e400{}", "{\"nnnnnnnnnnnnnnnnnnnn\":".repeat(30), "}".repeat(30));
    assert_eq!(fault(&deep).pointer.chars().count(), 256);
    let whole = "n".repeat(253);
    assert_eq!(fault(&format!("{{\"{whole}\":[1e400]}}")).pointer, format!("/{whole}/0"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |double| double.is_finite()).prop_map(Value::from),
        "[^\0]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 24, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[^\0]{0,5}", inner, 0..24)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_comes_out_compact_and_unchanged(value in any_json()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let text = value.to_string();
        prop_assert_eq!(compact(pretty.as_bytes()).unwrap(), text.as_str());
        prop_assert_eq!(compact(text.as_bytes()).unwrap(), text.as_str());
    }

    /// Whatever is taken is JSON to others as well, and whatever is refused as malformed is not.
    #[test]
    fn broken_json_is_judged_as_others_judge_it(value in any_json(), cut in 0.0..1.0_f64, byte: u8, kind in 0..3_u8) {
        let mut bytes = value.to_string().into_bytes();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place")]
        let at = (cut * bytes.len() as f64) as usize;
        match kind {
            0 => bytes.truncate(at),
            1 => bytes[at] = byte,
            _ => bytes.insert(at, byte),
        }
        match compact(&bytes) {
            Ok(text) => {
                let back: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(back, serde_json::from_slice::<Value>(&bytes).unwrap());
            }
            Err(ScanError::Malformed { .. }) => prop_assert!(serde_json::from_slice::<Value>(&bytes).is_err()),
            Err(ScanError::Fault(_)) => {}
        }
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if compact(&bytes).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&bytes).is_ok());
        }
    }
}
