//! A CloudEvent in HTTP's binary mode: attributes in `ce-` headers, data in the body. Pure.
//!
//! The structured form is made of it and judged like one that came so; it is also what the quarantine keeps.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use schemas::envelope;
use schemas::scan::{self, ScanError, Scanned};

use super::translate;
use crate::problem::Problem;
use crate::submission::{Item, Raw};

/// What the names of an attribute's header begin with.
const PREFIX: &str = "ce-";
/// Headers by which a request is known to be of this mode; one that lacks only some of them is told so.
const MARKS: [&str; 3] = ["ce-specversion", "ce-id", "ce-type"];

/// Whether a request's headers are a CloudEvent's, unless its content type says otherwise.
pub fn is(headers: &HeaderMap) -> bool {
    MARKS.iter().any(|mark| headers.contains_key(*mark))
}

/// Reads the event; an empty body is no data.
///
/// # Errors
/// When the body is no JSON.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Item<'static>, Problem> {
    // For itself, so that no body can end the object that it is put into. What else is wrong with it is found there.
    if !body.is_empty()
        && let Err(error @ ScanError::Malformed { .. }) = scan::scan(body)
    {
        return Err(envelope::RequestError::from(error).into());
    }
    let mut made = String::from("{");
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
        made.push_str(&quoted(attribute));
        made.push(':');
        made.push_str(&written(attribute, value));
        made.push(',');
    }
    // It has just been read as JSON, which is UTF-8.
    match std::str::from_utf8(body) {
        Ok(data) if !data.is_empty() => made.extend(["\"datacontenttype\":\"application/json\",\"data\":", data, "}"]),
        _ => {
            made.pop();
            made.push('}');
        }
    }
    let item = translate(envelope::event(made.as_bytes())?);
    let scanned = item.scanned.map(Scanned::into_owned);
    Ok(Item { raw: Raw::Json(Cow::Owned(made)), scanned })
}

/// An attribute's value as JSON: `seq` an integer where it is one, any other a string.
fn written(attribute: &str, value: &HeaderValue) -> String {
    let bytes = percent_decoded(&unquoted(value.as_bytes()));
    // What is no text becomes something that no rule lets pass, rather than a guess.
    let Ok(text) = String::from_utf8(bytes) else { return "\"\\ud800\"".into() };
    let is_integer = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if attribute == "seq" && is_integer && !text.is_empty() { text } else { quoted(&text) }
}

/// The content of a quoted string, escapes resolved; any other value as it is.
fn unquoted(value: &[u8]) -> Cow<'_, [u8]> {
    let [b'"', inner @ .., b'"'] = value else { return Cow::Borrowed(value) };
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    Cow::Owned(plain)
}

/// One round of percent-decoding; a `%` without two hexadecimal digits stands for itself.
fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut plain, mut rest) = (Vec::with_capacity(value.len()), value);
    while let [first, after @ ..] = rest {
        if let ([high, low, after @ ..], b'%') = (after, first)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            plain.push(high << 4 | low);
            rest = after;
        } else {
            plain.push(*first);
            rest = after;
        }
    }
    plain
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn made(pairs: &[(&str, &[u8])], body: &str) -> Item<'static> {
        let pair = |(name, value): &(&str, &[u8])| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value).unwrap())
        };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            headers.append(name, value);
        }
        assert!(is(&headers));
        read(&headers, body.as_bytes()).unwrap()
    }

    const VERSION: (&str, &[u8]) = ("ce-specversion", b"1.0");

    #[test]
    fn the_structured_form_is_made_and_translated() {
        let item = made(&[VERSION, ("ce-id", b"A"), ("Ce-Seq", b"41"), ("x-other", b"no")], "{ \"task_id\":\"L1\" }");
        let raw =
            r#"{"specversion":"1.0","id":"A","seq":41,"datacontenttype":"application/json","data":{ "task_id":"L1" }}"#;
        assert_eq!(item.raw.json(), raw);
        assert_eq!(item.scanned.unwrap().text, r#"{"event_id":"A","seq":41,"data":{"task_id":"L1"}}"#);
        assert_eq!(made(&[VERSION], "").scanned.unwrap().text, "{}");
    }

    #[test]
    fn values_are_decoded_once_and_quoted_strings_are_understood() {
        for (value, subject) in [
            (&b"Euro%20%E2%82%AC%20%f0%9f%98%80"[..], "Euro \u{20ac} \u{1f600}"),
            (b"%2541 100%", "%41 100%"),
            (b"\"a \\\"b\\\" %41\"", "a \"b\" A"),
            (b"%22x\\", "\"x\\"),
        ] {
            let text = made(&[VERSION, ("ce-subject", value)], "").scanned.unwrap().text;
            assert_eq!(text, serde_json::json!({"player_id": subject}).to_string());
        }
        for seq in ["x", "04", "-1", "", "1.5", "1,\"id\":2"] {
            let text = made(&[VERSION, ("ce-seq", seq.as_bytes())], "").scanned.unwrap().text;
            assert_eq!(text, serde_json::json!({"seq": seq}).to_string(), "judged as a string");
        }
    }

    #[test]
    fn what_no_structured_form_could_hold_is_refused_by_its_attribute() {
        let fault = |pairs: &[(&str, &[u8])], body| made(pairs, body).scanned.unwrap_err().remove(0).pointer;
        assert_eq!(fault(&[("ce-id", b"A")], ""), "/specversion");
        assert_eq!(fault(&[VERSION, ("ce-id", b"A"), ("ce-id", b"B")], ""), "/id");
        assert_eq!(fault(&[VERSION, ("ce-data", b"A")], "{}"), "/data");
        assert_eq!(fault(&[VERSION, ("ce-subject", b"%ff")], ""), "/subject");
        assert_eq!(fault(&[VERSION, ("ce-subject", b"\xff")], ""), "/subject");
        assert_eq!(fault(&[VERSION], "{\"a\":1,\"a\":1}"), "/data/a");
    }

    #[test]
    fn a_body_can_not_end_the_object_that_it_is_put_into() {
        let headers = HeaderMap::from_iter([(HeaderName::from_static("ce-id"), HeaderValue::from_static("A"))]);
        for body in ["{},\"id\":\"B\"", "{", "1 2", " ", "\u{feff}{}"] {
            assert!(read(&headers, body.as_bytes()).is_err(), "{body}");
        }
        assert!(read(&headers, b"\xff").is_err());
    }
}
