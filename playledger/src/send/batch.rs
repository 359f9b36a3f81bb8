//! A batch of lines: what fits into one request, and the lines behind its answer. Pure.

use serde::Serialize;
use serde_json::value::RawValue;

use super::counts::Counts;
use crate::gateway::{Judgement, Problem};

/// A request stays below the gateway's bound of 2 MB by this much for the words around the events.
const LARGEST_BODY: usize = (2 << 20) - (8 << 10);

/// An event of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Its line, from 1.
    pub line: u64,
    /// Its JSON.
    pub json: String,
}

/// What was not accepted: one line of output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct NotAccepted {
    /// The line of the input, from 1.
    pub line: u64,
    /// `rejected`, `conflict` or `unreadable`.
    pub status: String,
    /// The kind of fault.
    pub code: String,
    /// The fault in words.
    pub reason: String,
    /// The event's id, where it has a sound one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The faults by field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<schemas::FieldError>,
}

/// Reads a line: none where it is blank.
///
/// # Errors
/// What is wrong with a line that is no JSON object.
pub(super) fn read(line: u64, bytes: &[u8]) -> Result<Option<Event>, Box<NotAccepted>> {
    let bytes = if line == 1 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) } else { bytes };
    let unreadable = |code: &str, reason: String| Box::new(unreadable(line, code, reason));
    let text = std::str::from_utf8(bytes).map_err(|_| unreadable("bad_encoding", "the line is not UTF-8".into()))?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let raw: &RawValue = serde_json::from_str(text)
        .map_err(|error| unreadable("malformed_json", format!("the line is not JSON: {error}")))?;
    if !raw.get().starts_with('{') {
        return Err(unreadable("not_an_object", "the line is JSON but no object".into()));
    }
    Ok(Some(Event { line, json: raw.get().to_owned() }))
}

/// A line that is too long to be an event.
pub(super) fn too_long(line: u64) -> NotAccepted {
    unreadable(line, "too_large", "the line is longer than any event may be".to_owned())
}

fn unreadable(line: u64, code: &str, reason: String) -> NotAccepted {
    NotAccepted {
        line,
        status: "unreadable".to_owned(),
        code: code.to_owned(),
        reason,
        event_id: None,
        errors: Vec::new(),
    }
}

/// Whether an event still fits into a request that holds so many bytes of events.
pub(super) fn fits(held: usize, event: &Event) -> bool {
    held + event.json.len() < LARGEST_BODY
}

/// The request that carries events.
pub(super) fn body(events: &[Event], game: Option<&str>) -> String {
    let mut body = String::with_capacity(events.iter().map(|event| event.json.len() + 1).sum::<usize>() + 64);
    body.push('{');
    if let Some(game) = game {
        body.push_str("\"game_id\":");
        body.push_str(&serde_json::Value::from(game).to_string());
        body.push(',');
    }
    body.push_str("\"events\":[");
    for (place, event) in events.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        body.push_str(&event.json);
    }
    body.push_str("]}");
    body
}

/// Counts a judgement and names what was not accepted by its line.
pub(super) fn judged(events: &[Event], judgement: Judgement, counts: &mut Counts) -> Vec<NotAccepted> {
    counts.accepted += judgement.accepted;
    counts.duplicates += judgement.duplicates;
    counts.conflicts += judgement.conflicts;
    counts.rejected += judgement.rejected;
    let refused = judgement.results.into_iter().filter(|verdict| matches!(&*verdict.status, "rejected" | "conflict"));
    refused
        .filter_map(|verdict| {
            let event = events.get(verdict.index)?;
            let faults: Vec<_> =
                verdict.errors.iter().map(|error| format!("{}: {}", error.pointer, error.message)).collect();
            let code = verdict.code.unwrap_or_else(|| verdict.status.clone());
            let reason = match (faults.is_empty(), &*verdict.status) {
                (false, _) => faults.join("; "),
                (true, "conflict") => "the gateway knows this event_id with another body".to_owned(),
                (true, _) => code.clone(),
            };
            Some(NotAccepted {
                line: event.line,
                status: verdict.status,
                code,
                reason,
                event_id: verdict.event_id,
                errors: verdict.errors,
            })
        })
        .collect()
}

/// A single event that was refused as a whole request.
pub(super) fn refused(event: &Event, problem: &Problem, counts: &mut Counts) -> NotAccepted {
    counts.rejected += 1;
    NotAccepted {
        line: event.line,
        status: "rejected".to_owned(),
        code: problem.code.clone(),
        reason: problem.detail.clone(),
        event_id: None,
        errors: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Verdict;

    #[test]
    fn lines_that_are_no_event_are_named() {
        assert_eq!(read(3, b"  \r").unwrap(), None);
        assert_eq!(read(1, b"\xef\xbb\xbf{\"a\":1}\r").unwrap().unwrap().json, "{\"a\":1}");
        assert_eq!(read(4, b"{\"a\":").unwrap_err().code, "malformed_json");
        assert_eq!(read(4, b"[1]").unwrap_err().code, "not_an_object");
        assert_eq!(read(4, b"{\"a\":\"\xff\"}").unwrap_err().code, "bad_encoding");
        // A doubled key is for the gateway to judge, by its own words.
        assert!(read(4, b"{\"a\":1,\"a\":2}").unwrap().is_some());
    }

    #[test]
    fn the_clients_bytes_go_into_the_request_as_they_are() {
        let events = [Event { line: 1, json: "{\"n\":1.0}".into() }, Event { line: 2, json: "{}".into() }];
        assert_eq!(body(&events, None), "{\"events\":[{\"n\":1.0},{}]}");
        assert_eq!(body(&events[1..], Some("demo")), "{\"game_id\":\"demo\",\"events\":[{}]}");
    }

    #[test]
    fn a_verdict_is_told_with_its_line() {
        let events: Vec<_> = [7, 9].map(|line| Event { line, json: "{}".into() }).into();
        let verdict = |index, status: &str| Verdict {
            index,
            event_id: None,
            status: status.to_owned(),
            code: None,
            errors: vec![],
        };
        let mut counts = Counts::default();
        let judgement = Judgement {
            duplicates: 1,
            conflicts: 1,
            results: vec![verdict(0, "duplicate"), verdict(1, "conflict")],
            ..Judgement::default()
        };
        let told = judged(&events, judgement, &mut counts);
        assert_eq!(told.iter().map(|not| not.line).collect::<Vec<_>>(), [9]);
        assert_eq!((counts.duplicates, counts.conflicts), (1, 1));
        assert!(!counts.is_clean());
    }
}
