//! A body of NDJSON: one event a line, each judged for itself; a broken line is its own fault alone.

use memchr::memchr_iter;

use super::{RawEvent, RequestError, count_error};
use crate::field_error::{FieldCode, FieldError};
use crate::scan::{Read, ScanError, Scanner};

/// A line that is no JSON.
#[derive(Debug)]
pub struct BrokenLine<'a> {
    /// Its bytes, without the end of the line; what the quarantine keeps.
    pub raw: &'a [u8],
    /// Where in the body, and what is wrong.
    pub fault: FieldError,
}

/// Reads a body of lines, each a JSON value; lines of nothing but whitespace do not count. A line ends with
/// LF or CRLF, the last one also with the body.
///
/// # Errors
/// When it is no text at all, or the number of its lines is out of bounds; a broken line is none.
pub fn lines(body: &[u8]) -> Result<Vec<Result<RawEvent<'_>, BrokenLine<'_>>>, RequestError> {
    if let [0xef, 0xbb, 0xbf, ..] | [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, _, ..] | [_, 0, ..] = body {
        // A mark or another encoding is the whole body's, not the first line's.
        Scanner::new(body)?;
    }
    let (mut events, mut count, mut from) = (Vec::new(), 0, 0);
    let ends = memchr_iter(b'\n', body).chain([body.len()]);
    for (number, to) in (1..).zip(ends) {
        let line = &body[from..to];
        from = to + 1;
        if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            continue;
        }
        count += 1;
        if count <= super::MAX_EVENTS {
            events.push(event(line.strip_suffix(b"\r").unwrap_or(line), number));
        }
    }
    match count_error("", Some(count)) {
        Some(error) => Err(error),
        None => Ok(events),
    }
}

fn event(raw: &[u8], number: usize) -> Result<RawEvent<'_>, BrokenLine<'_>> {
    let read = || -> Read<RawEvent<'_>> {
        let mut scanner = Scanner::new(raw)?;
        let piece = scanner.piece()?;
        scanner.end()?;
        Ok(piece.into())
    };
    read().map_err(|error| {
        let (place, problem) = match &*error {
            ScanError::Malformed { column, problem, .. } => (format!(", column {column}"), (*problem).to_owned()),
            ScanError::Fault(fault) => (String::new(), fault.message.clone()),
        };
        BrokenLine {
            raw,
            fault: FieldError::new("", FieldCode::MalformedJson, format!("line {number}{place}: {problem}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{MAX_EVENTS, RequestCode};
    use super::*;

    fn told(body: &[u8]) -> Vec<String> {
        let line = |line: Result<RawEvent<'_>, BrokenLine<'_>>| match line {
            Ok(event) => {
                event.scanned.map_or_else(|fault| format!("unfit {}", fault.pointer), |json| json.text.into_owned())
            }
            Err(broken) => format!("broken {} {}", String::from_utf8_lossy(broken.raw), broken.fault.message),
        };
        lines(body).unwrap().into_iter().map(line).collect()
    }

    #[test]
    fn each_line_is_an_event_and_empty_ones_are_none() {
        assert_eq!(told(b"{\"a\" : 1}\r\n\n \t\r\n5\n[]"), ["{\"a\":1}", "5", "[]"]);
        assert_eq!(told(b"{}\n"), ["{}"]);
        assert_eq!(lines(b"{\"a\" : 1} \r\n").unwrap()[0].as_ref().unwrap().raw, "{\"a\" : 1}");
    }

    #[test]
    fn a_bad_line_is_its_own_fault() {
        let deep = "[".repeat(40);
        let body = format!("{{}}\n\n{{\"a\":\n{{\"a\":1,\"a\":2}}\n{{}} {{}}\n{deep}\n{{}}");
        let told = told(body.as_bytes());
        assert_eq!((told.len(), &told[0], &told[2], &told[5]), (6, &"{}".into(), &"unfit /a".into(), &"{}".into()));
        assert!(told[1].starts_with("broken {\"a\": line 3, column 6: "), "{}", told[1]);
        assert!(told[3].contains("line 5, column 4: "), "{}", told[3]);
        assert!(told[4].contains("32 objects"), "{}", told[4]);
        assert_eq!(lines(b"{}\n\xff\xfe\n{}").unwrap()[1].as_ref().unwrap_err().raw, b"\xff\xfe");
    }

    #[test]
    fn what_is_no_text_or_out_of_bounds_is_refused_as_a_whole() {
        let code = |body: &[u8]| lines(body).unwrap_err().code;
        for body in [&b"\xef\xbb\xbf{}\n"[..], b"\xff\xfe{\0}\0", b"\0{\0}", b"{\0}\0\n\0"] {
            assert_eq!(code(body), RequestCode::MalformedJson, "{body:?}");
        }
        assert_eq!(code(b""), RequestCode::MalformedBody);
        assert_eq!(code(b"\r\n \n"), RequestCode::MalformedBody);
        assert_eq!(code("{}\n".repeat(MAX_EVENTS + 1).as_bytes()), RequestCode::TooLarge);
        assert_eq!(told("{}\n\n".repeat(MAX_EVENTS).as_bytes()).len(), MAX_EVENTS);
    }

    proptest! {
        #[test]
        fn any_bytes_are_lines_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(events) = lines(&body) {
                let filled = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
                prop_assert!(events.len() >= filled);
            }
        }
    }
}
