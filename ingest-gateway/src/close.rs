//! The close call: a session.closed that a client need not make up itself. Pure.

use std::borrow::Cow;

use schemas::record::stamp::Origin;
use schemas::scan::Scanned;
use schemas::{FieldCode, Timestamp, envelope, parse};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::problem::Problem;
use crate::submission::{Item, Query, Raw, Submission};

/// Namespace of the ids that close calls give their events.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_0c52_9be4_4a7e_8d3b_52a1_c94e_07f6);

/// The id of the event that a close call writes: the same for a session however often it is closed.
pub fn event_id(session_id: Uuid) -> Uuid {
    Uuid::new_v5(&NAMESPACE, session_id.as_bytes())
}

/// The pointer to the body's field that a field of the event was made from.
pub fn pointer(field: &str) -> String {
    if field == "/data/reason" || field == "/data" { "/reason".to_owned() } else { field.to_owned() }
}

/// What the body of a close call says; unknown members are ignored, and null is as if it were absent.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    player_id: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(borrow)]
    seq: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    sent_at: Option<&'a RawValue>,
}

/// The event that a close call of `session` brings; what its body does not say is in the query.
///
/// # Errors
/// When the session is no UUID, or the body is not of the form.
pub fn submission<'a>(session: &str, body: &'a [u8], query: &'a Query) -> Result<Submission<'a>, Problem> {
    let session_id =
        parse::uuid(session).ok_or_else(|| Problem::field("/session_id", FieldCode::Format, parse::UUID_RULE))?;
    let event = envelope::event(body)?;
    let text = event.scanned.map_err(Problem::of_field)?.text;
    let form = "a close call's body is an object: {\"player_id\":…,\"reason\":…}";
    let body: Body<'_> = serde_json::from_str(&text).map_err(|_| Problem::field("", FieldCode::Type, form))?;
    let sent_at = body.sent_at.map(|json| {
        let read = serde_json::from_str::<String>(json.get()).ok().and_then(|text| Timestamp::parse(&text));
        read.ok_or_else(|| Problem::field("/sent_at", FieldCode::Format, Timestamp::RULE))
    });
    let sent_at = sent_at.transpose()?;
    let mut members = vec![format!("\"event_id\":\"{}\",\"session_id\":\"{session_id}\"", event_id(session_id))];
    let mut member = |name: &str, value: Option<&RawValue>| {
        members.extend(value.map(|value| format!("\"{name}\":{}", value.get())));
    };
    member("player_id", body.player_id);
    member("seq", body.seq);
    member("timestamp", body.timestamp);
    let reason = body.reason.map_or_else(String::new, |value| format!("\"reason\":{}", value.get()));
    members.push(format!("\"event_type\":\"session.closed\",\"data\":{{{reason}}}"));
    let made = format!("{{{}}}", members.join(","));
    let said = Submission::surroundings(query)?;
    Ok(Submission {
        sent_at: sent_at.or(said.sent_at),
        events: vec![Item { raw: Raw::Json(Cow::Borrowed(event.raw)), scanned: Ok(Scanned::made(made)) }],
        origin: Some(Origin::Close),
        closes: Some(session_id),
        ..said
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "8F14E45F-CEEA-4E7A-9F0B-1D2C3B4A5968";

    fn text(body: &str) -> String {
        submission(SESSION, body.as_bytes(), &Query::default())
            .unwrap()
            .events
            .remove(0)
            .scanned
            .unwrap()
            .text
            .into_owned()
    }

    #[test]
    fn the_event_is_made_of_what_the_body_says_and_no_more() {
        let plain =
            text(r#"{ "player_id": "p-1", "reason": "completed", "timestamp": null, "seq": null, "sent_at": null }"#);
        let event = parse::stamped(&plain, Some(Origin::Close)).unwrap();
        assert_eq!(event.event_id, event_id(parse::uuid(SESSION).unwrap()));
        assert!(event.is_close() && event.timestamp.is_none() && event.seq.is_none());
        let full = text(r#"{"player_id":"p","reason":"error","seq":9,"timestamp":"2026-01-05T08:12:31.204Z"}"#);
        let event = parse::stamped(&full, Some(Origin::Close)).unwrap();
        assert_eq!((event.seq, event.timestamp.map(Timestamp::ms)), (Some(9), Some(1_767_600_751_204)));
    }

    #[test]
    fn what_is_no_close_call_is_refused_as_a_whole() {
        for body in ["", "[]", "5", "{", r#"{"sent_at":"now"}"#, r#"{"seq":1,"seq":1}"#] {
            assert!(submission(SESSION, body.as_bytes(), &Query::default()).is_err(), "{body}");
        }
        assert!(submission("8f14e45f", b"{}", &Query::default()).is_err());
    }

    #[test]
    fn a_missing_reason_is_told_as_the_bodys_field() {
        let errors = parse::stamped(&text(r#"{"player_id":"p"}"#), Some(Origin::Close)).unwrap_err();
        assert_eq!(pointer(&errors[0].pointer), "/reason");
    }
}
