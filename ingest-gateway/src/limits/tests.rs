use std::net::Ipv4Addr;
use std::time::Duration;

use super::load::LoadBounds;
use super::*;
use crate::credentials::Credentials;

fn limits(tiers: &str, address_requests: u32) -> Limits {
    let load = Load::new(LoadBounds { requests: 10, bytes: 10, shed_after: Duration::from_secs(1) });
    Limits::new(load, Trust::default(), NonZeroU32::new(address_requests), tiers::parse(tiers).unwrap())
}

fn credential(tier: &str) -> Credential {
    let sha256 = "0".repeat(64);
    let text = format!(
        "[[key]]\nid = \"k1\"\nsha256 = \"{sha256}\"\ntenant = \"acme\"\ngames = [\"runner\"]\nscopes = [\"ingest\"]\ntier = \"{tier}\""
    );
    Credential::clone(&Credentials::parse(&text).unwrap().all()[0])
}

fn meter(address: u32) -> Meter {
    Meter::new(Address::from(IpAddr::from(Ipv4Addr::from(address))), None)
}

#[test]
fn a_flood_of_players_and_addresses_does_not_grow_without_end() {
    // A player's allowance is whole again after a second: on a slow machine a sweep keeps the last ones only.
    let slow = "{ per_second = 1, burst = 1_000_000 }";
    let tiers = format!("[tier.x]\nbase = \"unlimited\"\nplayer.requests = {slow}");
    let limits = limits(&tiers, 1);
    let credential = credential("x");
    for batch in 0..500 {
        let players = (batch * 1_000..(batch + 1) * 1_000).collect();
        limits.brings(&credential, &meter(1), 1_000, players).unwrap();
    }
    assert!((1..=MAX_KEYS).contains(&limits.sweep()));
    for address in 0..500_000 {
        limits.arrives(&meter(address)).unwrap();
    }
    assert!(limits.sweep() <= 2 * MAX_KEYS);
}

#[test]
fn what_a_narrow_limit_refuses_takes_nothing_of_the_wide_one() {
    let tiers =
        "[tier.x]\naddress.requests = { per_second = 1, burst = 2 }\nkey.requests = { per_second = 1, burst = 4 }";
    let limits = limits(tiers, 0);
    let credential = credential("x");
    let sends = |address| limits.begins(&credential, &meter(address));
    let noisy = (0..100).filter(|_| sends(1).is_ok()).count();
    let others = (2..12).filter(|address| sends(*address).is_ok()).count();
    assert_eq!((noisy, others), (2, 2));
}

#[test]
fn a_player_who_floods_takes_nothing_of_another_under_the_same_key() {
    let limits = limits("[tier.x]\nplayer.events = { per_second = 1, burst = 1_000 }", 0);
    let credential = credential("x");
    let brings = |player: u64, events: usize| limits.brings(&credential, &meter(1), events, vec![player; events]);
    brings(1, 1_000).unwrap();
    let refusal = brings(1, 10).unwrap_err();
    assert_eq!(refusal.standing.limit, Limit::PlayerEvents);
    brings(2, 1_000).unwrap();
}

#[test]
fn a_tier_that_nobody_defined_is_held_to_the_standard_one() {
    let limits = limits("", 0);
    assert_eq!(limits.tier(&credential("gold")).name, "standard");
    assert_eq!(limits.tier(&credential("unlimited")).tier, Tier::default());
}
