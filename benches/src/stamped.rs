//! Events as they lie in play.events: stamped, keyed, with the gateway's headers.

use std::sync::Arc;

use eventlog::{Headers, NewRecord, Record, TopicPartition};
use schemas::record::VERSION;
use schemas::record::header;
use schemas::record::stamp::Stamp;
use schemas::topics::{self, session_key};
use schemas::{Game, Tenant, Text, Timestamp, body};
use serde_json::value::RawValue;

/// Stamps events of one tenant and game.
#[derive(Debug)]
pub struct Stamper {
    tenant: Tenant,
    game: Game,
}

impl Stamper {
    /// Of tenant `bench`, game `waves`.
    ///
    /// # Errors
    /// Never: the names are sound.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { tenant: Tenant::parse("bench")?, game: Game::parse("waves")? })
    }

    /// A sound event as a record of play.events.
    ///
    /// # Errors
    /// When it is not sound.
    pub fn record(&self, text: &str, received_ms: i64) -> anyhow::Result<Record> {
        let event = schemas::parse::event(text).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
        let raw: &RawValue = serde_json::from_str(text)?;
        let stamp = Stamp {
            v: VERSION,
            tenant: self.tenant.clone(),
            game: self.game.clone(),
            received_at: Timestamp::from_ms(received_ms),
            sent_at: None,
            app_version: Some(Text::from("1.4.2")),
            request_id: Text::from("0198c0de-0000-7000-8000-000000000001"),
            key_id: Text::from("0123456789abcdef"),
            gateway: Text::from("gateway-1"),
            origin: None,
            redrive: None,
            event: Some(raw.into()),
            hole: None,
        };
        let (event_id, fingerprint) = (event.event_id.to_string(), body::to_header(body::fingerprint(text)));
        let pairs = [
            (header::EVENT_ID, event_id.as_bytes()),
            (header::FINGERPRINT, fingerprint.as_bytes()),
            (header::TRACEPARENT, b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ];
        Ok(Record {
            offset: 0,
            timestamp_ms: received_ms,
            key: session_key(&self.tenant, event.session_id).into(),
            value: Some(serde_json::to_vec(&stamp)?.into()),
            headers: Headers::from_pairs(pairs),
        })
    }

    /// The same, to be appended to a topic of so many partitions.
    ///
    /// # Errors
    /// When the event is not sound.
    pub fn new_record(&self, topic: &Arc<str>, partitions: i32, text: &str, at_ms: i64) -> anyhow::Result<NewRecord> {
        let Record { key, value, headers, timestamp_ms, .. } = self.record(text, at_ms)?;
        let partition = topics::partition(&key, partitions);
        let partition = TopicPartition { topic: Arc::clone(topic), partition };
        Ok(NewRecord { partition, key, value, headers, timestamp_ms })
    }
}
