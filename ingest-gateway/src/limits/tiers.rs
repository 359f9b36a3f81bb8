//! Tiers: what credentials are limited to, by the names that an operator gives. Pure.
//!
//! ```toml
//! [tier.partner]
//! base = "standard"            # what is not said is as there; "standard" if left out
//! [tier.partner.key]           # all that the key sends
//! requests = { per_second = 5_000, burst = 20_000 }
//! events = { per_second = 50_000 }
//! [tier.partner.player]        # of one player
//! events = { per_second = 100, burst = 2_000 }
//! [tier.partner.quarantine]
//! records = { per_minute = 6_000 }
//! ```

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limiter::Rate;
use crate::credentials::DEFAULT_TIER;

/// The tier without limits.
pub const UNLIMITED: &str = "unlimited";
/// A request brings at most so much; no burst may be smaller, or it would never pass.
const MOST_EVENTS: u32 = 1_000;
const MOST_BYTES: u32 = 2 << 20;
/// No rate may be higher.
const MOST: u32 = 1_000_000_000;

/// Requests and events; none where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Flow {
    /// Requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Rate>,
    /// Events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Rate>,
}

/// A share of the quarantine; none where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Share {
    /// Events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<Rate>,
    /// Their bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Rate>,
}

/// What a credential is limited to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tier {
    /// By one address.
    pub address: Flow,
    /// For one player.
    pub player: Flow,
    /// As a whole.
    pub key: Flow,
    /// Of what is refused and kept.
    pub quarantine: Share,
}

/// What is wrong with a file of tiers.
#[derive(Debug, thiserror::Error)]
pub enum TiersError {
    /// Not TOML, or a name that is not known.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// One tier breaks a rule.
    #[error("tier `{tier}`: {fault}")]
    Tier {
        /// Its name.
        tier: String,
        /// What is wrong, in words.
        fault: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tier: BTreeMap<String, Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    base: Option<String>,
    #[serde(default)]
    address: WrittenFlow,
    #[serde(default)]
    player: WrittenFlow,
    #[serde(default)]
    key: WrittenFlow,
    #[serde(default)]
    quarantine: WrittenShare,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFlow {
    requests: Option<BySecond>,
    events: Option<BySecond>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenShare {
    records: Option<ByMinute>,
    bytes: Option<ByMinute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BySecond {
    per_second: u32,
    burst: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByMinute {
    per_minute: u32,
    burst: Option<u32>,
}

/// The tiers that a file's text defines, and the two that are there without it.
///
/// # Errors
/// With the tier and its fault.
pub fn parse(text: &str) -> Result<BTreeMap<String, Tier>, TiersError> {
    let file: File = toml::from_str(text)?;
    let mut tiers = built_in();
    for (name, written) in file.tier {
        let tier = written.judge(&name).map_err(|fault| TiersError::Tier { tier: name.clone(), fault })?;
        tiers.insert(name, tier);
    }
    Ok(tiers)
}

/// `standard` and `unlimited`.
pub fn built_in() -> BTreeMap<String, Tier> {
    BTreeMap::from([(DEFAULT_TIER.to_owned(), standard()), (UNLIMITED.to_owned(), Tier::default())])
}

/// See docs/limits.md for the sums behind it.
pub(crate) fn standard() -> Tier {
    let a_second = |amount, burst| rate(amount, 1, burst);
    let a_minute = |amount, burst| rate(amount, 60, burst);
    Tier {
        address: Flow { requests: a_second(4_000, 20_000), events: a_second(20_000, 100_000) },
        player: Flow { requests: a_second(50, 500), events: a_second(500, 5_000) },
        key: Flow { requests: a_second(20_000, 100_000), events: a_second(200_000, 1_000_000) },
        quarantine: Share { records: a_minute(60_000, 60_000), bytes: a_minute(64 << 20, 64 << 20) },
    }
}

fn rate(amount: u32, seconds: u32, burst: u32) -> Option<Rate> {
    Some(Rate { amount: NonZeroU32::new(amount)?, seconds, burst: NonZeroU32::new(burst)? })
}

impl Written {
    fn judge(self, name: &str) -> Result<Tier, String> {
        let byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > 40 || !name.bytes().all(byte) {
            return Err("a tier's name is 1 to 40 of a-z 0-9 - _".into());
        }
        if name == UNLIMITED {
            return Err("this one has no limits; give yours another name".into());
        }
        let base = match self.base.as_deref() {
            None | Some(DEFAULT_TIER) => standard(),
            Some(UNLIMITED) => Tier::default(),
            Some(_) => return Err(format!("`base` is {DEFAULT_TIER} or {UNLIMITED}")),
        };
        Ok(Tier {
            address: self.address.over("address", base.address)?,
            player: self.player.over("player", base.player)?,
            key: self.key.over("key", base.key)?,
            quarantine: self.quarantine.over(base.quarantine)?,
        })
    }
}

impl WrittenFlow {
    fn over(self, of: &str, base: Flow) -> Result<Flow, String> {
        let judged = |written: Option<BySecond>, name: &str, least| {
            let judge = |written: BySecond| {
                let usual = written.per_second.saturating_mul(4).min(MOST);
                judge(&format!("{of}.{name}"), "per_second", (written.per_second, 1), written.burst, usual, least)
            };
            written.map(judge).transpose()
        };
        Ok(Flow {
            requests: judged(self.requests, "requests", 1)?.or(base.requests),
            events: judged(self.events, "events", MOST_EVENTS)?.or(base.events),
        })
    }
}

impl WrittenShare {
    fn over(self, base: Share) -> Result<Share, String> {
        let judged = |written: Option<ByMinute>, name: &str, least| {
            let judge = |written: ByMinute| {
                let usual = written.per_minute;
                judge(
                    &format!("quarantine.{name}"),
                    "per_minute",
                    (written.per_minute, 60),
                    written.burst,
                    usual,
                    least,
                )
            };
            written.map(judge).transpose()
        };
        Ok(Share {
            records: judged(self.records, "records", MOST_EVENTS)?.or(base.records),
            bytes: judged(self.bytes, "bytes", MOST_BYTES)?.or(base.bytes),
        })
    }
}

fn judge(
    of: &str,
    unit: &str,
    (amount, seconds): (u32, u32),
    burst: Option<u32>,
    usual: u32,
    least: u32,
) -> Result<Rate, String> {
    let within = |name: &str, number: u32, least: u32| {
        let number = NonZeroU32::new(number).filter(|number| (least..=MOST).contains(&number.get()));
        number.ok_or_else(|| format!("`{of}`: `{name}` must be from {least} to {MOST}"))
    };
    let amount = within(unit, amount, 1)?;
    // One request can bring `least`: with a smaller burst it would be told to come again for ever.
    let burst = within("burst", burst.unwrap_or(usual.max(least)), least)?;
    Ok(Rate { amount, seconds, burst })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn every_burst_has_room_for_the_largest_request() {
        assert_eq!(MOST_EVENTS as usize, schemas::envelope::MAX_EVENTS);
        assert_eq!(MOST_BYTES as usize, crate::intake::MAX_BYTES);
    }

    #[test]
    fn what_a_tier_does_not_say_is_as_in_its_base() {
        let text = "[tier.partner]\nkey.requests = { per_second = 7 }\n[tier.own]\nbase = \"unlimited\"\nquarantine.records = { per_minute = 2_000 }";
        let tiers = parse(text).unwrap();
        assert_eq!(tiers["partner"].key.requests, rate(7, 1, 28));
        assert_eq!(Tier { key: standard().key, ..tiers["partner"] }, standard());
        assert_eq!(tiers["own"].quarantine.records, rate(2_000, 60, 2_000));
        assert_eq!(Tier { quarantine: Share::default(), ..tiers["own"] }, Tier::default());
        assert_eq!(parse("").unwrap(), built_in());
        assert_eq!(
            parse("[tier.standard]\nplayer.events = { per_second = 5 }").unwrap()["standard"].player.events,
            rate(5, 1, 1_000)
        );
    }

    #[test]
    fn a_bad_file_is_refused_with_the_tier_and_its_fault() {
        assert!(fault("[tier.x]\ncolour = 3").contains("colour"));
        assert!(fault("[tier.x]\nkey.requests = { per_minute = 3 }").contains("per_minute"));
        assert!(fault("[tiers.x]").contains("tiers"));
        for (text, words) in [
            ("[tier.x]\nkey.requests = { per_second = 0 }", "tier `x`: `key.requests`: `per_second` must be from 1"),
            ("[tier.x]\nplayer.events = { per_second = 9, burst = 999 }", "`player.events`: `burst` must be from 1000"),
            (
                "[tier.x]\nquarantine.bytes = { per_minute = 9, burst = 999 }",
                "`quarantine.bytes`: `burst` must be from 2097152",
            ),
            ("[tier.x]\nbase = \"gold\"", "`base` is standard or unlimited"),
            ("[tier.unlimited]", "another name"),
            ("[tier.\"A b\"]", "1 to 40"),
        ] {
            assert!(fault(text).contains(words), "{}", fault(text));
        }
    }
}
