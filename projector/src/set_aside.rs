//! Records of the quarantine: reading them into rows, and writing what this projector sets aside. Pure.

use eventlog::{Headers, NewRecord, Record, TopicPartition};
use schemas::record::header;
use schemas::record::quarantine::{self, Reason};
use schemas::topics::{Topic, partition};
use schemas::{FieldError, Game, Tenant, Timestamp, topics};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decode::SetAside;
use crate::jsonb;

/// Bytes beside a record's own in the quarantine: key, headers, what the log adds.
const BESIDE: usize = 64 << 10;
/// The most of a record's own bytes that the quarantine takes. Compressed, a topic holds larger ones than its limit says.
const MOST: usize = Topic::Quarantine.max_message_bytes() as usize - BESIDE;
/// The most of a reason's words: they may quote the record.
const WORDS: usize = 1_000;

/// Reads a record of the quarantine. Never fails: what was set aside once must not be lost here.
pub fn read(record: &Record) -> SetAside {
    let headers = &record.headers;
    let text = |name| headers.text(name).map(|text| jsonb::plain(text).into_owned());
    let number = |name| headers.text(name).and_then(|text| text.parse().ok());
    let key = String::from_utf8_lossy(&record.key);
    let (tenant, game) = key.split_once('/').map_or((None, None), |(tenant, game)| {
        (Some(jsonb::plain(tenant).into_owned()), Some(jsonb::plain(game).into_owned()))
    });
    SetAside {
        origin: (text(header::ORIGIN_TOPIC), number(header::ORIGIN_PARTITION), number(header::ORIGIN_OFFSET)),
        tenant,
        game,
        reason: text(header::REASON).unwrap_or_else(|| "unknown".to_owned()),
        errors: headers.get(header::ERRORS).map(errors),
        raw: record.value.clone().unwrap_or_default(),
        event_id: text(header::EVENT_ID),
        request_id: text(header::REQUEST_ID),
        received_at: headers
            .text(header::RECEIVED_AT)
            .and_then(Timestamp::parse)
            .unwrap_or_else(|| Timestamp::from_ms(record.timestamp_ms)),
    }
}

/// The errors as jsonb can hold them; what is no JSON becomes a text.
fn errors(header: &[u8]) -> String {
    match serde_json::from_slice::<&RawValue>(header) {
        Ok(json) => jsonb::storable(json.get()).into_owned(),
        Err(_) => serde_json::Value::from(jsonb::plain(&String::from_utf8_lossy(header))).to_string(),
    }
}

/// The record that sets `origin` aside: its bytes, why, and where it lies. What is larger than the quarantine takes is
/// kept by its beginning, and that is told: the whole lies where it came from.
pub fn record(
    origin: &Record,
    place: &TopicPartition,
    reason: Reason,
    why: &str,
    topic: &str,
    partitions: i32,
) -> NewRecord {
    let key = owner(origin);
    let value = origin.value.clone().unwrap_or_default();
    let mut errors = vec![FieldError::of_record(reason.as_str(), beginning(why))];
    if value.len() > MOST {
        let told = format!("only the first {MOST} of its {} bytes are kept here", value.len());
        errors.push(FieldError::of_record("too_large", &told));
    }
    let told = quarantine::Headers {
        errors,
        origin: Some(quarantine::Origin {
            topic: place.topic.to_string(),
            partition: place.partition,
            offset: origin.offset,
        }),
        ..quarantine::Headers::new(reason, Timestamp::from_ms(origin.timestamp_ms))
    };
    let pairs = told.pairs();
    NewRecord {
        partition: TopicPartition::new(topic, partition(key.as_bytes(), partitions)),
        key: key.into(),
        value: Some(value.slice(..value.len().min(MOST))),
        headers: Headers::from_pairs(pairs.iter().map(|(name, value)| (*name, &**value))),
        timestamp_ms: origin.timestamp_ms,
    }
}

/// A text's first characters.
fn beginning(text: &str) -> String {
    match text.char_indices().nth(WORDS) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// Tenant and game, where the record tells them however broken it is otherwise; else nobody's.
fn owner(origin: &Record) -> String {
    #[derive(Deserialize)]
    struct Whose {
        tenant: Tenant,
        game: Game,
    }
    let whose = origin.value.as_deref().and_then(|value| serde_json::from_slice::<Whose>(value).ok());
    whose.map_or_else(String::new, |whose| topics::game_key(&whose.tenant, &whose.game))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(value: &str) -> Record {
        Record {
            offset: 7,
            timestamp_ms: 1_767_600_751_204,
            key: "acme/p-1".into(),
            value: Some(value.to_owned().into()),
            headers: Headers::new(),
        }
    }

    fn written(origin: &Record) -> SetAside {
        let place = TopicPartition::new("play.sessions", 3);
        let new = record(origin, &place, Reason::Poison, "no", "play.quarantine", 4);
        assert_eq!(&*new.partition.topic, "play.quarantine");
        read(&Record {
            offset: 0,
            timestamp_ms: new.timestamp_ms,
            key: new.key,
            value: new.value,
            headers: new.headers,
        })
    }

    #[test]
    fn what_is_set_aside_keeps_its_bytes_and_says_where_it_lay() {
        let row = written(&origin("{\"tenant\":\"acme\",\"game\":\"demo\",\"v\":\"?\"}"));
        assert_eq!(row.origin, (Some("play.sessions".into()), Some(3), Some(7)));
        assert_eq!((row.tenant.as_deref(), row.game.as_deref()), (Some("acme"), Some("demo")));
        assert_eq!(row.reason, "poison");
        assert_eq!(row.errors.as_deref(), Some(r#"[{"pointer":"","code":"poison","message":"no"}]"#));
        assert_eq!(&row.raw[..], b"{\"tenant\":\"acme\",\"game\":\"demo\",\"v\":\"?\"}");
        assert_eq!(row.received_at.to_string(), "2026-01-05T08:12:31.204Z");
    }

    #[test]
    fn what_is_larger_than_the_quarantine_takes_is_kept_by_its_beginning() {
        let place = TopicPartition::new("play.sessions", 3);
        let large = origin(&"x".repeat(9 << 20));
        let new = record(&large, &place, Reason::Poison, &"é".repeat(9 << 20), "play.quarantine", 4);
        let headers: usize = new.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let size = new.value.as_ref().unwrap().len() + new.key.len() + headers;
        assert!(size + 1_000 < Topic::Quarantine.max_message_bytes() as usize, "{size}");
        let row = written(&large);
        assert_eq!(row.raw.len(), MOST);
        assert!(row.errors.unwrap().contains(&format!("only the first {MOST} of its {} bytes", 9 << 20)));
        assert_eq!(row.origin.2, Some(7));
    }

    #[test]
    fn what_tells_no_owner_is_nobodys() {
        let row = written(&origin("\u{0}garbage"));
        assert_eq!((row.tenant, row.game), (None, None));
    }

    #[test]
    fn a_record_without_headers_is_kept_all_the_same() {
        let row = read(&origin("x"));
        assert_eq!(row.reason, "unknown");
        assert_eq!(errors(b"\xff not json"), "\"\u{fffd} not json\"");
    }
}
