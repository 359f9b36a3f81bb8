//! Limits: who may use how much, so that nobody slows the others down.
//!
//! `address` says whom a request comes from; `limiter` holds keys of a `store` to a rate; `tiers` names
//! rates; `load` bounds the work at once, `connections` those of one address; `meter` is one request's use
//! of all that, and `standing` what its client is told. docs/limits.md says what each limit is for.

pub mod address;
pub mod connections;
pub mod flags;
pub mod limiter;
pub mod load;
pub mod meter;
pub mod standing;
pub mod tier;
pub mod tiers;

mod store;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use governor::clock::DefaultClock;
use http::HeaderMap;

use crate::credentials::{Credential, DEFAULT_TIER};
use crate::metrics;
use address::{Address, Trust};
use limiter::{Limiter, Rate};
use load::Load;
use meter::Meter;
use standing::{Limit, Refusal};
use tier::TierLimits;
use tiers::Tier;

/// So many keys of one limit are held to it at once, at most.
pub const MAX_KEYS: usize = 262_144;
/// A burst of an address is so many seconds of its rate.
const ADDRESS_BURST: u32 = 4;

/// All limits of a gateway.
#[derive(Debug)]
pub struct Limits {
    /// The work at once.
    pub load: Arc<Load>,
    trust: Trust,
    addresses: Option<Limiter>,
    tiers: BTreeMap<String, TierLimits>,
    standard: TierLimits,
    hasher: RandomState,
    told_of_unknown: AtomicBool,
}

impl Limits {
    /// Nothing is used yet. An address may send so many requests a second; any number where that is none.
    pub fn new(
        load: Arc<Load>,
        trust: Trust,
        address_requests: Option<NonZeroU32>,
        tiers: BTreeMap<String, Tier>,
    ) -> Self {
        let of_address = |amount: NonZeroU32| {
            let burst = amount.saturating_mul(NonZeroU32::MIN.saturating_add(ADDRESS_BURST - 1));
            let rate = Rate { amount, seconds: 1, burst };
            Limiter::new(Limit::AddressRequests, rate, MAX_KEYS, DefaultClock::default())
        };
        let standard = tiers.get(DEFAULT_TIER).copied().unwrap_or_default();
        let standard = TierLimits::new(DEFAULT_TIER, standard);
        let others = tiers.into_iter().filter(|(name, _)| name != DEFAULT_TIER);
        Self {
            load,
            trust,
            addresses: address_requests.map(of_address),
            tiers: others.map(|(name, tier)| (name.clone(), TierLimits::new(&name, tier))).collect(),
            standard,
            hasher: RandomState::new(),
            told_of_unknown: AtomicBool::new(false),
        }
    }

    /// Whom a request comes from.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Address {
        self.trust.client(peer, headers).into()
    }

    /// The tier of a credential; `standard` for one that nobody defined.
    pub fn tier(&self, credential: &Credential) -> &TierLimits {
        if credential.tier == DEFAULT_TIER {
            return &self.standard;
        }
        self.tiers.get(&credential.tier).unwrap_or_else(|| {
            if !self.told_of_unknown.swap(true, Ordering::Relaxed) {
                let (key, tier) = (&credential.id, &credential.tier);
                tracing::warn!(
                    key,
                    tier,
                    "a credential names a tier that --tiers does not define: it is held to `standard`"
                );
            }
            &self.standard
        })
    }

    /// A request from an address, whoever sends it.
    ///
    /// # Errors
    /// When it is over the limit.
    pub fn arrives(&self, meter: &Meter) -> Result<(), Refusal> {
        let Some(addresses) = &self.addresses else { return Ok(()) };
        counted("none", meter.note(addresses.take(self.hasher.hash_one(meter.address), 1)))
    }

    /// A request with a credential, its body not read yet. The narrow limit is asked first: what it refuses
    /// takes nothing of the wide one, which the others need.
    ///
    /// # Errors
    /// When it is over a limit.
    pub fn begins(&self, credential: &Credential, meter: &Meter) -> Result<(), Refusal> {
        let tier = self.tier(credential);
        let key = self.hasher.hash_one(&credential.id);
        let judged = (|| {
            meter.note(tier::take(tier.address_requests.as_ref(), self.hasher.hash_one((key, meter.address)), 1))?;
            meter.note(tier::take(tier.key_requests.as_ref(), key, 1))
        })();
        counted(&tier.name, judged)
    }

    /// A request's events; `players` names those of the sound ones, each as often as it stands there.
    ///
    /// # Errors
    /// When they are over a limit.
    pub fn brings(
        &self,
        credential: &Credential,
        meter: &Meter,
        events: usize,
        players: Vec<u64>,
    ) -> Result<(), Refusal> {
        let tier = self.tier(credential);
        let key = self.hasher.hash_one(&credential.id);
        let judged = (|| {
            self.plays(tier, key, meter, players)?;
            let events = amount(events);
            meter.note(tier::take(tier.address_events.as_ref(), self.hasher.hash_one((key, meter.address)), events))?;
            meter.note(tier::take(tier.key_events.as_ref(), key, events))
        })();
        counted(&tier.name, judged)
    }

    fn plays(&self, tier: &TierLimits, key: u64, meter: &Meter, mut players: Vec<u64>) -> Result<(), Refusal> {
        if tier.player_requests.is_none() && tier.player_events.is_none() {
            return Ok(());
        }
        players.sort_unstable();
        for events in players.chunk_by(|a, b| a == b) {
            let player = self.hasher.hash_one((key, events[0]));
            meter.note(tier::take(tier.player_requests.as_ref(), player, 1))?;
            meter.note(tier::take(tier.player_events.as_ref(), player, amount(events.len())))?;
        }
        Ok(())
    }

    /// What a request would put into the quarantine.
    ///
    /// # Errors
    /// When that is more than is left of the credential's share.
    pub fn sets_aside(
        &self,
        credential: &Credential,
        meter: &Meter,
        records: usize,
        bytes: usize,
    ) -> Result<(), Refusal> {
        if records == 0 {
            return Ok(());
        }
        let tier = self.tier(credential);
        let key = self.hasher.hash_one(&credential.id);
        let judged = (|| {
            meter.note(tier::take(tier.quarantine_records.as_ref(), key, amount(records)))?;
            meter.note(tier::take(tier.quarantine_bytes.as_ref(), key, amount(bytes)))
        })();
        counted(&tier.name, judged)
    }

    /// Forgets whose allowances are whole again; gives how many are not.
    pub fn sweep(&self) -> usize {
        let of_tiers = std::iter::once(&self.standard).chain(self.tiers.values()).flat_map(TierLimits::limiters);
        let all = self.addresses.iter().chain(of_tiers);
        all.map(|limiter| {
            limiter.sweep();
            limiter.len()
        })
        .sum()
    }
}

fn amount(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn counted(tier: &str, judged: Result<(), Refusal>) -> Result<(), Refusal> {
    if let Err(refusal) = &judged {
        metrics::refused(refusal.standing.limit.as_str(), tier);
    }
    judged
}

#[cfg(test)]
mod tests;
