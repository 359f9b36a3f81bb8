//! What a credential may do, as its holder is told. Pure.

use schemars::JsonSchema;
use schemas::{Game, PlayerId, Timestamp, envelope, parse};
use serde::Serialize;

use crate::credentials::{Credential, Scope};
use crate::intake::MAX_BYTES;
use crate::judge::{MAX_AHEAD_MS, MAX_BEHIND_MS};
use crate::limits::tiers::Tier;

/// What a credential may do.
#[derive(Serialize, JsonSchema)]
pub(crate) struct WhoAmI<'a> {
    /// Names the credential in logs and stamps; its secret is not in it.
    key_id: &'a str,
    /// Whose events it sends.
    tenant: &'a str,
    /// The games that it may name, as requests name them.
    games: Vec<&'a str>,
    /// The games' environment: `live`, or a name such as `test`.
    environment: &'a str,
    /// What it may do.
    scopes: &'a [Scope],
    /// The tier whose rates it is held to.
    tier: &'a str,
    /// Whether everybody may see it: a key for pages.
    publishable: bool,
    /// Of a token: its issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    /// The only player whose events it may send.
    #[serde(skip_serializing_if = "Option::is_none")]
    player: Option<&'a str>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// What one request and one event may be.
    limits: Limits,
    /// What the tier lets through; nothing where it has no limit.
    rates: Tier,
}

/// What one request and one event may be.
#[derive(Serialize, JsonSchema)]
struct Limits {
    /// Most events of a batch.
    events_per_batch: usize,
    /// Most bytes of a body, as it comes and decoded.
    body_bytes: usize,
    /// Most bytes of an event.
    event_bytes: usize,
    /// Most bytes of an event's data.
    data_bytes: usize,
    /// So many milliseconds ahead of the gateway an event may be.
    max_ahead_ms: i64,
    /// So many behind; null where timestamps of any age are taken.
    #[schemars(schema_with = "integer_or_null")]
    max_behind_ms: Option<i64>,
}

fn integer_or_null(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["integer", "null"]})
}

impl<'a> WhoAmI<'a> {
    /// What `credential` may do, held to the rates of its tier.
    pub(crate) fn of(credential: &'a Credential, rates: Tier) -> Self {
        Self {
            key_id: &credential.id,
            tenant: credential.tenant.as_str(),
            games: credential.games.iter().map(Game::base).collect(),
            environment: &credential.environment,
            scopes: &credential.scopes,
            tier: &credential.tier,
            publishable: credential.publishable,
            issuer: credential.issuer.as_deref(),
            player: credential.player.as_ref().map(PlayerId::as_str),
            expires_at: credential.expires_at,
            limits: Limits {
                events_per_batch: envelope::MAX_EVENTS,
                body_bytes: MAX_BYTES,
                event_bytes: parse::MAX_EVENT_BYTES,
                data_bytes: parse::MAX_DATA_BYTES,
                max_ahead_ms: MAX_AHEAD_MS,
                max_behind_ms: (!credential.may(Scope::Backfill)).then_some(MAX_BEHIND_MS),
            },
            rates,
        }
    }
}
