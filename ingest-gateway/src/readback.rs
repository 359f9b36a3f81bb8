//! Feeds the window of duplicates from the log itself, before the gateway is ready: back over the window, as far
//! as time and the bound on ids reach.

use std::sync::Arc;
use std::time::Duration;

use eventlog::{Batch, EventLog, LogError, ReadRequest, Record, Stretch, TopicPartition};
use schemas::body;
use schemas::record::header;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::gateway::Gateway;
use crate::publish::Target;

/// So long a start waits for the window at most; what is older than what was read by then is not known.
const AT_MOST: Duration = Duration::from_secs(8);
/// Ages at which the way back is cut into pieces, in thousandths of the window: the newest piece first,
/// since that is where repeats come from.
const PIECES: [i64; 4] = [0, 100, 300, 1_000];

/// Where every partition of play.events ended when its window was read back.
#[derive(Clone, Debug)]
pub(crate) struct Ends(pub(crate) Vec<(TopicPartition, i64)>);

/// Reads the window back.
///
/// # Errors
/// When the log can't be read at all.
pub(crate) async fn fill(
    gateway: &Gateway,
    log: &dyn EventLog,
    events: &Target,
    window: Duration,
) -> Result<Ends, LogError> {
    let until = Instant::now() + AT_MOST;
    let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    let (now_ms, wall_ms) = (gateway.clock.monotonic_ms(), gateway.clock.now_ms());
    // Nobody has claimed anything yet; an attempt before this one may have got half way.
    gateway.window.lock().restart(now_ms);
    let partitions: Vec<_> =
        (0..events.partitions).map(|number| TopicPartition::new(Arc::clone(&events.name), number)).collect();
    let mut ends = Vec::with_capacity(partitions.len());
    for partition in &partitions {
        ends.push((partition.clone(), log.offsets(partition).await?.high));
    }
    let mut newer: Vec<i64> = ends.iter().map(|(_, high)| *high).collect();
    for age in PIECES.windows(2) {
        let from_ms = window_ms.saturating_mul(age[1]) / 1_000;
        let mut stretches = Vec::new();
        for (partition, newer) in partitions.iter().zip(&mut newer) {
            let found = log.offset_at(partition, wall_ms.saturating_sub(from_ms)).await?;
            // Records need not lie in the order of their times: a piece never reaches into the newer one.
            let from = found.unwrap_or(*newer).max(log.offsets(partition).await?.low).min(*newer);
            if from < *newer {
                stretches.push(Stretch { partition: partition.clone(), from, until: Some(*newer) });
            }
            *newer = from;
        }
        let room = gateway.window.lock().room();
        let cut = keep_newest(&mut stretches, room);
        let left_out = match read_piece(gateway, log, stretches, until).await? {
            Piece::Late => Some("there was no time for more"),
            Piece::Full => Some("--dedup-ids allows no more"),
            Piece::Whole => cut.then_some("--dedup-ids allows no more"),
        };
        if let Some(why) = left_out {
            let known_s = window_ms.saturating_mul(age[0]) / 1_000_000;
            tracing::warn!(
                known_s,
                why,
                "the window of duplicates is not read back whole: older repeats are left to the worker"
            );
            return Ok(Ends(ends));
        }
        gateway.window.lock().covers_from(now_ms.saturating_sub(from_ms));
    }
    Ok(Ends(ends))
}

/// How the reading of a piece ended.
enum Piece {
    /// All of it is known.
    Whole,
    /// Time ran out.
    Late,
    /// The window may hold no more.
    Full,
}

async fn read_piece(
    gateway: &Gateway,
    log: &dyn EventLog,
    stretches: Vec<Stretch>,
    until: Instant,
) -> Result<Piece, LogError> {
    if stretches.is_empty() {
        return Ok(Piece::Whole);
    }
    // Gateways append without transactions: there is nothing uncommitted to wait for.
    let mut reader = log.read(ReadRequest { stretches, read_committed: false }).await?;
    loop {
        match timeout_at(until, reader.next()).await {
            Err(_) => return Ok(Piece::Late),
            Ok(batch) => match batch? {
                None => return Ok(Piece::Whole),
                Some(batch) if remember_older(gateway, &batch) => {}
                Some(_) => return Ok(Piece::Full),
            },
        }
    }
}

/// Cuts stretches so that they hold `room` records at most, each partition the newest of its share.
/// True if something was cut off.
fn keep_newest(stretches: &mut Vec<Stretch>, room: usize) -> bool {
    let count = |stretch: &Stretch| stretch.until.map_or(0, |until| until.saturating_sub(stretch.from).unsigned_abs());
    let all: u128 = stretches.iter().map(|stretch| u128::from(count(stretch))).sum();
    if all <= room as u128 {
        return false;
    }
    for stretch in &mut *stretches {
        let share = u128::from(count(stretch)) * room as u128 / all;
        if let (Some(until), Ok(share)) = (stretch.until, i64::try_from(share)) {
            stretch.from = until - share;
        }
    }
    stretches.retain(|stretch| count(stretch) > 0);
    true
}

/// False when the window may hold no more.
fn remember_older(gateway: &Gateway, batch: &Batch) -> bool {
    let mut window = gateway.window.lock();
    batch.records.iter().filter_map(known).all(|(tenant, event_id, body)| {
        let key = window.key(tenant, event_id);
        window.remember_older(key, body)
    })
}

/// Tenant, id and body of an event; nothing of a hole, or where another version's fingerprint stands.
pub(crate) fn known(record: &Record) -> Option<(&str, Uuid, u64)> {
    let (tenant, _) = std::str::from_utf8(&record.key).ok()?.split_once('/')?;
    let (mut event_id, mut body) = (None, None);
    for (name, value) in record.headers.iter() {
        match name {
            header::EVENT_ID if event_id.is_none() => event_id = Some(value),
            header::FINGERPRINT if body.is_none() => body = Some(value),
            _ => {}
        }
    }
    Some((tenant, Uuid::try_parse_ascii(event_id?).ok()?, body::from_header(body?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretches(counts: &[i64]) -> Vec<Stretch> {
        let stretch =
            |count: &i64| Stretch { partition: TopicPartition::new("t", 0), from: 100, until: Some(100 + count) };
        counts.iter().map(stretch).collect()
    }

    fn kept(counts: &[i64], room: usize) -> (bool, Vec<i64>) {
        let mut stretches = stretches(counts);
        let cut = keep_newest(&mut stretches, room);
        let all_reach_the_end = stretches.iter().all(|stretch| stretch.until.is_some_and(|until| until > stretch.from));
        assert!(all_reach_the_end);
        (cut, stretches.iter().map(|stretch| stretch.from).collect())
    }

    #[test]
    fn what_fits_is_read_whole_and_what_does_not_from_its_new_end() {
        assert_eq!(kept(&[10, 30], 40), (false, vec![100, 100]));
        assert_eq!(kept(&[10, 30], 20), (true, vec![105, 115]));
        assert_eq!(kept(&[1, 99], 10), (true, vec![190]), "a share of nothing is not read");
        assert_eq!(kept(&[5], 0), (true, vec![]));
        assert_eq!(kept(&[], 0), (false, vec![]));
        assert_eq!(kept(&[i64::MAX - 100], 7), (true, vec![i64::MAX - 7]));
    }
}
