//! Chooses by chance which lines are written where there are many, so that counts can be recovered. Pure.

/// One second, in milliseconds.
const SECOND_MS: i64 = 1_000;

/// Lets through about so many a second. The chance of each depends on what came before it only: the sum of one
/// divided by the chance of each that was let through is, on average, the number of all.
#[derive(Debug)]
pub(super) struct Sampler {
    per_second: u32,
    began_ms: i64,
    seen: u32,
    through: u32,
    chance: f64,
}

impl Sampler {
    /// About `per_second` are let through; at least one.
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second: per_second.max(1), began_ms: 0, seen: 0, through: 0, chance: 1.0 }
    }

    /// The chance that this one had, if it is let through; `dice` is evenly spread over 0..1.
    pub(super) fn draw(&mut self, now_ms: i64, dice: f64) -> Option<f64> {
        let passed_ms = now_ms.saturating_sub(self.began_ms);
        if passed_ms >= SECOND_MS {
            // The last second tells what to expect of this one.
            let seconds = f64::from(u32::try_from(passed_ms).unwrap_or(u32::MAX)) / 1_000.0;
            let expected = f64::from(self.seen) / seconds;
            self.chance = (f64::from(self.per_second) / expected.max(1.0)).min(1.0);
            (self.began_ms, self.seen, self.through) = (now_ms, 0, 0);
        }
        self.seen = self.seen.saturating_add(1);
        let chance = self.chance;
        if dice >= chance {
            return None;
        }
        self.through += 1;
        if self.through.is_multiple_of(self.per_second) {
            // More than expected.
            self.chance /= 2.0;
        }
        Some(chance)
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    /// Lines written in each second, and the number of requests that they stand for, of so many a second.
    fn sampled(per_second: u32, requests: &[u32], seed: u64) -> (Vec<u32>, f64) {
        let mut sampler = Sampler::new(per_second);
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        let (mut written, mut stands_for) = (Vec::new(), 0.0);
        for (second, count) in (1..).zip(requests) {
            let mut lines = 0;
            for number in 0..*count {
                let now_ms = second * SECOND_MS + i64::from(number) * SECOND_MS / i64::from(*count);
                if let Some(chance) = sampler.draw(now_ms, random.random()) {
                    lines += 1;
                    stands_for += 1.0 / chance;
                }
            }
            written.push(lines);
        }
        (written, stands_for)
    }

    #[test]
    fn all_are_written_while_there_are_few() {
        let requests = [100, 0, 99, 100, 1, 100];
        assert_eq!(sampled(100, &requests, 1), (requests.to_vec(), 400.0));
    }

    #[test]
    fn a_flood_is_bounded_from_its_first_second_on_and_its_count_is_recovered() {
        let requests = [10, 200_000, 200_000, 50, 200_000, 0, 3];
        let all = f64::from(requests.iter().sum::<u32>());
        let mut sum = 0.0;
        for seed in 0..20 {
            let (written, stands_for) = sampled(100, &requests, seed);
            // 100, and as many for each halving on the way down to 100 of 200,000.
            assert!(written.iter().all(|lines| *lines <= 1_300), "{written:?}");
            assert!(written[2] < 400, "expected by then: {written:?}");
            assert_eq!(written[0], 10);
            sum += stands_for;
        }
        let mean = sum / 20.0;
        assert!((mean - all).abs() < all * 0.05, "{mean} for {all}");
    }
}
