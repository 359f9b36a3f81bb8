//! What can be told of an event although it is refused: enough to name it and to leave its hole.

use uuid::Uuid;

use super::loose::each_member;
use super::{Found, uuid};
use crate::event::MAX_INTEGER;

/// What is sound in an event; a name that stands twice is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rough {
    /// Its type, whether or not there is such a type.
    pub event_type: Option<String>,
    /// Its id.
    pub event_id: Option<Uuid>,
    /// Its session.
    pub session_id: Option<Uuid>,
    /// Its place in the session.
    pub seq: Option<u64>,
}

/// What the members are called in the form that an event came in.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Of its id.
    pub event_id: &'static str,
    /// Of its session.
    pub session_id: &'static str,
    /// Of its place in the session.
    pub seq: &'static str,
    /// Of its type.
    pub event_type: &'static str,
}

impl Names {
    /// In Playledger's own JSON.
    pub const OWN: Self = Self { event_id: "event_id", session_id: "session_id", seq: "seq", event_type: "event_type" };
}

/// Reads what is sound in an event's JSON; nothing where it is no object.
pub fn rough(json: &str, names: Names) -> Rough {
    let names = [names.event_id, names.session_id, names.seq, names.event_type];
    let (mut found, mut doubled) = ([None; 4], [false; 4]);
    each_member(json, |name, value| {
        if let Some(place) = names.iter().position(|known| known.as_bytes() == name) {
            doubled[place] |= found[place].replace(value).is_some();
        }
    });
    let [event_id, session_id, seq, event_type] = std::array::from_fn(|place| found[place].filter(|_| !doubled[place]));
    let text = |value: Option<&str>| serde_json::from_str::<String>(value?).ok();
    let id = |value: Option<&str>| text(value).and_then(|text| uuid(&text));
    let seq = seq.and_then(|value| Found::whole(serde_json::from_str(value).ok()?).ok()?.integer());
    Rough {
        event_type: text(event_type),
        event_id: id(event_id),
        session_id: id(session_id),
        seq: seq.and_then(|seq| u64::try_from(seq).ok()).filter(|seq| *seq <= MAX_INTEGER),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{attempt, with};
    use super::*;

    #[test]
    fn a_refused_event_still_names_itself_as_far_as_it_is_sound() {
        let mut event = attempt();
        event["data"] = json!(7);
        let told = rough(&event.to_string(), Names::OWN);
        assert_eq!(told.event_id.unwrap().to_string(), "0198c0de-0000-7000-8000-00000000000a");
        assert_eq!((told.session_id.is_some(), told.seq), (true, Some(41)));
        for (name, value) in [("seq", json!("41")), ("seq", json!(-1)), ("seq", json!(1.5)), ("seq", json!([]))] {
            assert_eq!(rough(&with(name, value).to_string(), Names::OWN).seq, None);
        }
        assert_eq!(rough(&with("session_id", json!("x")).to_string(), Names::OWN).session_id, None);
        assert_eq!(rough(r#"{"seq":1,"seq":1,"data":{"seq":3}}"#, Names::OWN).seq, None);
        assert_eq!(
            rough(r#"{"\ud800":1,"seq":1,"x":"\udc00"}"#, Names::OWN).seq,
            Some(1),
            "half a character elsewhere"
        );
        assert_eq!(rough(r#"{"\u0073eq":1}"#, Names::OWN).seq, Some(1));
        for json in ["", "[]", "7", "{", "{\"seq\":"] {
            assert_eq!(rough(json, Names::OWN), Rough::default());
        }
    }

    #[test]
    fn an_event_of_another_form_is_read_by_its_names() {
        let names = Names { event_id: "id", session_id: "sessionid", seq: "seq", event_type: "type" };
        let json = r#"{"id":"0198c0de-0000-7000-8000-00000000000a","event_id":7,"sessionid":"8f14e45f-ceea-467a-9575-0000000000ff","seq":2,"type":"a.b"}"#;
        let told = rough(json, names);
        assert_eq!(told.event_type.as_deref(), Some("a.b"));
        assert_eq!((told.event_id.is_some(), told.session_id.is_some(), told.seq), (true, true, Some(2)));
        assert_eq!(rough(json, Names::OWN).event_id, None);
    }
}
