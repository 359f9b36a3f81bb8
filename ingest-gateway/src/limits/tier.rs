//! A tier in force: what each of its limits has seen.

use governor::clock::DefaultClock;

use super::MAX_KEYS;
use super::limiter::{Limiter, Rate};
use super::standing::{Limit, Refusal, Standing};
use super::tiers::Tier;

/// The limiters of a tier; none where it has no limit.
#[derive(Debug)]
pub struct TierLimits {
    /// Its name.
    pub name: String,
    /// Its rates.
    pub tier: Tier,
    pub(super) address_requests: Option<Limiter>,
    pub(super) address_events: Option<Limiter>,
    pub(super) player_requests: Option<Limiter>,
    pub(super) player_events: Option<Limiter>,
    pub(super) key_requests: Option<Limiter>,
    pub(super) key_events: Option<Limiter>,
    pub(super) quarantine_records: Option<Limiter>,
    pub(super) quarantine_bytes: Option<Limiter>,
}

impl TierLimits {
    /// Nothing is used yet.
    pub fn new(name: &str, tier: Tier) -> Self {
        let limiter =
            |limit, rate: Option<Rate>| rate.map(|rate| Limiter::new(limit, rate, MAX_KEYS, DefaultClock::default()));
        Self {
            name: name.to_owned(),
            tier,
            address_requests: limiter(Limit::KeyAddressRequests, tier.address.requests),
            address_events: limiter(Limit::KeyAddressEvents, tier.address.events),
            player_requests: limiter(Limit::PlayerRequests, tier.player.requests),
            player_events: limiter(Limit::PlayerEvents, tier.player.events),
            key_requests: limiter(Limit::KeyRequests, tier.key.requests),
            key_events: limiter(Limit::KeyEvents, tier.key.events),
            quarantine_records: limiter(Limit::QuarantineRecords, tier.quarantine.records),
            quarantine_bytes: limiter(Limit::QuarantineBytes, tier.quarantine.bytes),
        }
    }

    pub(super) fn limiters(&self) -> impl Iterator<Item = &Limiter> {
        let all = [
            &self.address_requests,
            &self.address_events,
            &self.player_requests,
            &self.player_events,
            &self.key_requests,
            &self.key_events,
            &self.quarantine_records,
            &self.quarantine_bytes,
        ];
        all.into_iter().flatten()
    }
}

/// Takes of an allowance, where there is a limit.
pub(super) fn take(limiter: Option<&Limiter>, key: u64, amount: u32) -> Result<Option<Standing>, Refusal> {
    limiter.map_or(Ok(None), |limiter| limiter.take(key, amount))
}
