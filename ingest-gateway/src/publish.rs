//! Makes the records that a request leaves in the log: stamped events, holes, quarantined bytes. Pure.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use eventlog::{Headers, NewRecord, TopicPartition};
use schemas::record::VERSION;
use schemas::record::header;
use schemas::record::quarantine::{self, Reason};
use schemas::record::stamp::{Hole, Origin, Stamp};
use schemas::topics::{self, Topic};
use schemas::{FieldError, Game, Text, Timestamp};
use uuid::Uuid;

use crate::credentials::Credential;

/// A topic to write to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its whole name.
    pub name: Arc<str>,
    /// How many partitions it has.
    pub partitions: i32,
}

/// The topics that a gateway writes to.
#[derive(Clone, Debug)]
pub struct Targets {
    /// play.events
    pub events: Target,
    /// play.quarantine
    pub quarantine: Target,
    /// play.outcomes
    pub outcomes: Target,
}

/// What is the same for all events of a request.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Names the request.
    pub request_id: Arc<str>,
    /// When its whole body was there.
    pub received_at: Timestamp,
    /// When the client says that it sent it.
    pub sent_at: Option<Timestamp>,
    /// The client's version.
    pub app_version: Option<String>,
    /// Who sent it.
    pub credential: Arc<Credential>,
    /// Which of the credential's games it is about.
    pub game: Game,
    /// The gateway's name.
    pub gateway: Arc<str>,
    /// What it came as, other than a client's own JSON.
    pub origin: Option<Origin>,
    /// The session that it closes, where it is a close call.
    pub closes: Option<Uuid>,
    /// W3C trace context.
    pub traceparent: Arc<str>,
}

/// Makes the records of one request.
#[derive(Debug)]
pub struct Publisher<'a> {
    facts: &'a Facts,
    targets: &'a Targets,
    /// A stamp up to where the event or the hole goes.
    head: Vec<u8>,
    /// Where the records' parts are written, one after the other.
    buffer: BytesMut,
}

/// About what a record holds beside stamp and event: its key and its headers.
const AROUND_AN_EVENT: usize = 300;

impl Target {
    /// The topic, as it is named behind `prefix`.
    pub fn new(topic: Topic, prefix: &str, partitions: i32) -> Self {
        Self { name: topic.name(prefix).into(), partitions }
    }

    /// A record of this topic, in its key's partition.
    pub fn record(&self, key: impl Into<Bytes>, value: Bytes, headers: Headers, at: Timestamp) -> NewRecord {
        let key = key.into();
        let partition = topics::partition(&key, self.partitions);
        NewRecord {
            partition: TopicPartition { topic: Arc::clone(&self.name), partition },
            key,
            value: Some(value),
            headers,
            timestamp_ms: at.ms(),
        }
    }
}

impl<'a> Publisher<'a> {
    /// For a request's records: so many events, of so many bytes together.
    pub fn new(facts: &'a Facts, targets: &'a Targets, events: usize, bytes: usize) -> Self {
        let stamp = Stamp {
            v: VERSION,
            tenant: facts.credential.tenant.clone(),
            game: facts.game.clone(),
            received_at: facts.received_at,
            sent_at: facts.sent_at,
            app_version: facts.app_version.as_deref().map(Text::from),
            request_id: Text::from(&*facts.request_id),
            key_id: Text::from(facts.credential.id.as_str()),
            gateway: Text::from(&*facts.gateway),
            origin: facts.origin,
            redrive: None,
            event: None,
            hole: None,
        };
        // Strings and numbers: there is nothing that could fail.
        let mut head = serde_json::to_vec(&stamp).unwrap_or_default();
        head.pop();
        let buffer = BytesMut::with_capacity(events * (head.len() + AROUND_AN_EVENT) + bytes);
        Self { facts, targets, head, buffer }
    }

    /// An event of the client, in its own bytes less the whitespace between tokens.
    pub fn event(&mut self, event_id: Uuid, session_id: Uuid, text: &str, fingerprint: &str) -> NewRecord {
        let mut id = Uuid::encode_buffer();
        let pairs = [
            (header::EVENT_ID, event_id.as_hyphenated().encode_lower(&mut id).as_bytes()),
            (header::FINGERPRINT, fingerprint.as_bytes()),
            (header::TRACEPARENT, self.facts.traceparent.as_bytes()),
        ];
        let headers = Headers::split_off(&mut self.buffer, pairs);
        self.stamped(session_id, headers, "event", text)
    }

    /// A hole in the place of a refused event.
    pub fn hole(&mut self, session_id: Uuid, seq: u64, reason: Reason) -> NewRecord {
        let hole = Hole { session_id, seq, reason: Cow::Borrowed(reason.as_str()) };
        let text = serde_json::to_string(&hole).unwrap_or_default();
        let pairs = [(header::TRACEPARENT, self.facts.traceparent.as_bytes())];
        let headers = Headers::split_off(&mut self.buffer, pairs);
        self.stamped(session_id, headers, "hole", &text)
    }

    /// A refused event, raw and with its reason.
    pub fn quarantined(
        &self,
        event_id: Option<Uuid>,
        raw: &[u8],
        reason: Reason,
        errors: Vec<FieldError>,
    ) -> NewRecord {
        let facts = self.facts;
        let told = quarantine::Headers {
            errors,
            request_id: Some(facts.request_id.as_ref().to_owned()),
            event_id,
            sent_at: facts.sent_at,
            app_version: facts.app_version.clone(),
            came_as: facts.origin,
            session_id: facts.closes,
            key_id: Some(facts.credential.id.clone()),
            ..quarantine::Headers::new(reason, facts.received_at)
        };
        let pairs = told.pairs();
        let trace = (header::TRACEPARENT, facts.traceparent.as_bytes());
        let headers = Headers::from_pairs(pairs.iter().map(|(name, value)| (*name, &**value)).chain([trace]));
        let key = topics::game_key(&facts.credential.tenant, &facts.game);
        self.targets.quarantine.record(key, Bytes::copy_from_slice(raw), headers, facts.received_at)
    }

    fn stamped(&mut self, session_id: Uuid, headers: Headers, member: &str, text: &str) -> NewRecord {
        let buffer = &mut self.buffer;
        topics::write_session_key(buffer, &self.facts.credential.tenant, session_id);
        let key = buffer.split().freeze();
        for part in [&self.head, &b",\""[..], member.as_bytes(), b"\":", text.as_bytes(), b"}"] {
            buffer.put_slice(part);
        }
        self.targets.events.record(key, buffer.split().freeze(), headers, self.facts.received_at)
    }
}
