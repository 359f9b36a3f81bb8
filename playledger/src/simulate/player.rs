//! A simulated player: what they are like, what they know, how they learn.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::game::{CONCEPTS, LOCALES, PLATFORMS};

/// A player. Shares are probabilities from 0 to 1.
#[derive(Clone, Debug)]
pub(super) struct Player {
    /// The pseudonym.
    pub name: Arc<str>,
    /// What they know of each concept: the probability to solve a level grows with it.
    pub knowledge: [f64; CONCEPTS.len()],
    /// How much of what is missing an attempt teaches.
    pub learning: f64,
    /// How likely they go on after a failure.
    pub persistence: f64,
    /// How likely they ask for a hint after a failure.
    pub hint_taking: f64,
    /// How likely they lose focus between two actions.
    pub distraction: f64,
    /// How likely they talk, help and share.
    pub company: f64,
    /// How likely they answer before they have thought.
    pub haste: f64,
    /// The next level.
    pub level: usize,
    /// Their device and how it reaches the gateway.
    pub device: Device,
}

/// A player's device.
#[derive(Clone, Debug)]
pub(super) struct Device {
    /// What `session.started` tells of it.
    pub platform: &'static str,
    /// Likewise.
    pub kind: &'static str,
    /// Likewise.
    pub locale: &'static str,
    /// How far its clock is off, in ms.
    pub clock_ms: i64,
    /// How bad its network is.
    pub bad_network: f64,
    /// Whether its client counts events.
    pub counts: bool,
    /// Whether its client closes sessions by the close call.
    pub closes_by_call: bool,
    /// How often its client sends what it has, in ms.
    pub flush_ms: i64,
}

impl Player {
    /// Draws a player.
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let talent: f64 = rng.random_range(0.05..0.45);
        Self {
            name: name(rng),
            knowledge: std::array::from_fn(|_| (talent + rng.random_range(-0.05..0.10)).clamp(0.0, 1.0)),
            learning: rng.random_range(0.04..0.16),
            persistence: rng.random_range(0.70..0.98),
            hint_taking: rng.random_range(0.05..0.55),
            distraction: rng.random_range(0.0..0.06),
            company: rng.random_range(0.0..0.6),
            haste: rng.random_range(0.0..0.15),
            level: 0,
            device: Device::draw(rng),
        }
    }

    /// The probability to solve a level of this concept and difficulty.
    pub(super) fn chance(&self, concept: usize, difficulty: f64) -> f64 {
        1.0 / (1.0 + (-7.0 * (self.knowledge[concept] + 0.12 - difficulty)).exp())
    }

    /// Learns from an attempt: from a success more than from a failure.
    pub(super) fn learn(&mut self, concept: usize, success: bool) {
        let missing = 1.0 - self.knowledge[concept];
        self.knowledge[concept] += missing * self.learning * if success { 1.0 } else { 0.6 };
    }
}

impl Device {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let mut share = rng.random_range(0..100);
        let (platform, kind, _) = PLATFORMS
            .into_iter()
            .find(|(_, _, percent)| {
                let found = share < *percent;
                share = share.saturating_sub(*percent);
                found
            })
            .unwrap_or(PLATFORMS[0]);
        // Most clocks are nearly right; some are off by minutes.
        let clock_ms =
            if rng.random_bool(0.1) { rng.random_range(-400_000..200_000) } else { rng.random_range(-900..900) };
        Self {
            platform,
            kind,
            locale: LOCALES[rng.random_range(0..LOCALES.len())],
            clock_ms,
            bad_network: if rng.random_bool(0.25) { rng.random_range(0.2..0.6) } else { rng.random_range(0.0..0.08) },
            counts: rng.random_bool(0.94),
            closes_by_call: rng.random_bool(0.15),
            flush_ms: rng.random_range(1_000..6_000),
        }
    }
}

fn name(rng: &mut ChaCha8Rng) -> Arc<str> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789z";
    let letters: String = (0..8).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect();
    format!("p-{letters}").into()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn practice_makes_success_likelier_and_difficulty_less_likely() {
        let mut player = Player::draw(&mut ChaCha8Rng::seed_from_u64(3));
        let before = player.chance(1, 0.5);
        for attempt in 0..20 {
            player.learn(1, attempt % 3 == 0);
        }
        assert!(player.chance(1, 0.5) > before + 0.2);
        assert!(player.chance(1, 0.9) < player.chance(1, 0.5));
        assert!(player.knowledge.iter().all(|known| (0.0..=1.0).contains(known)));
    }

    #[test]
    fn names_are_sound_pseudonyms() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        for _ in 0..100 {
            let player = Player::draw(&mut rng);
            schemas::PlayerId::parse(&*player.name).unwrap();
        }
    }
}
