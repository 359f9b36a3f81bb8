//! Judges whether the gateway's clock may stamp events: it must not be over a minute from its host's. Pure.

/// So far apart two clocks may be.
const MAX_APART_MS: i64 = 60_000;

/// What is wrong where the time that stamps get and the host's clock are too far apart. Only a step of
/// the host's clock brings that about: it was wrong at the start and has been set since, or is wrong now.
pub fn against_host(carried_ms: i64, host_ms: i64) -> Option<String> {
    let ahead_ms = host_ms.saturating_sub(carried_ms);
    (ahead_ms.abs() > MAX_APART_MS).then(|| {
        format!(
            "the host's clock was stepped and is {} of the time that stamps get, which was read at the start and \
             carried on; see to it that the host's clock is right, then restart this gateway",
            words(ahead_ms)
        )
    })
}

/// How far ahead or behind.
fn words(ahead_ms: i64) -> String {
    format!("{} s {}", ahead_ms.abs() / 1_000, if ahead_ms < 0 { "behind" } else { "ahead" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_clock_over_a_minute_away_is_told_with_what_to_do() {
        for near in [0, 60_000, -60_000] {
            assert_eq!(against_host(1_000_000, 1_000_000 + near), None);
        }
        let ahead = against_host(1_000_000, 1_061_000).unwrap();
        assert!(ahead.contains("61 s ahead") && ahead.contains("restart"), "{ahead}");
        assert!(against_host(1_000_000, 0).unwrap().contains("1000 s behind"));
    }
}
