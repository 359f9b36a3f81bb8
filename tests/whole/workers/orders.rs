//! One session in every order, with gaps, with what comes late and what comes again.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use schemas::record::quarantine::{Headers, Reason};
use schemas::report::Report;
use schemas::testing::{self, Style};
use serde_json::Value;
use uuid::Uuid;

use super::load::now_ms;
use super::{settle, workers};

/// Sessions that are told in every order.
const BASES: usize = 8;
/// Events of each, its close included.
const EVENTS: usize = 5;
/// In ms.
const MINUTE: i64 = 60_000;

/// How a session comes.
struct Telling {
    session: Uuid,
    base: usize,
    /// Events as they come at first.
    order: Vec<usize>,
    /// One that does not come at first.
    missing: Option<usize>,
    /// Whether it comes while the session waits for it; else when it has been forgotten.
    is_late: bool,
}

impl Telling {
    /// Tellings of the same name end in the same facts.
    fn name(&self) -> (usize, Option<usize>) {
        (self.base, self.missing.filter(|_| !self.is_late))
    }
}

/// Short counted sessions that end with a close.
fn bases() -> Vec<Vec<Value>> {
    let short = |seed| {
        let mut events = testing::session(seed, Style::CLIENT);
        let close = events.pop().filter(|last| last["event_type"] == "session.closed" && last["seq"].is_u64())?;
        if events.len() < EVENTS || events.iter().any(|event| event["event_type"] == "session.closed") {
            return None;
        }
        events.truncate(EVENTS - 1);
        events.push(close);
        for (seq, event) in events.iter_mut().enumerate() {
            event["seq"] = seq.into();
        }
        Some(events)
    };
    (27_000..).filter_map(short).take(BASES).collect()
}

/// Every order of these.
fn orders(of: &[usize]) -> Vec<Vec<usize>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let first = |place: usize| {
        let mut rest = of.to_vec();
        let first = rest.remove(place);
        orders(&rest).into_iter().map(move |order| [&[first], &order[..]].concat())
    };
    (0..of.len()).flat_map(first).collect()
}

fn tellings() -> Vec<Telling> {
    let all: Vec<usize> = (0..EVENTS).collect();
    let mut tellings = Vec::new();
    for base in 0..BASES {
        let mut tell = |order, missing, is_late| {
            tellings.push(Telling { session: Uuid::new_v4(), base, order, missing, is_late });
        };
        for order in orders(&all) {
            tell(order, None, false);
        }
        for missing in 0..EVENTS {
            let rest: Vec<usize> = all.iter().copied().filter(|place| *place != missing).collect();
            for order in orders(&rest) {
                tell(order.clone(), Some(missing), true);
                tell(order, Some(missing), false);
            }
        }
    }
    tellings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_the_same_facts_in_every_order_and_no_second_life() -> anyhow::Result<()> {
    let mut world = workers(&[("--session-timeout", "30m"), ("--grace", "1h")])?;
    world.start("one")?;
    let feed = world.feed()?;
    let (bases, tellings) = (bases(), tellings());
    // Brokers take no record of the future.
    let begin = now_ms() - 130 * MINUTE;
    let tell = |telling: &Telling, place: usize, at: i64| {
        let mut event = bases[telling.base][place].clone();
        event["session_id"] = telling.session.to_string().into();
        feed.event(&event, at)
    };
    let missing = || tellings.iter().filter_map(|telling| Some((telling, telling.missing?)));
    for step in 0..EVENTS {
        for telling in tellings.iter().filter(|telling| telling.order.len() > step) {
            tell(telling, telling.order[step], begin)?;
        }
    }
    // When those that are not final have run out, and grace is not over.
    for (telling, place) in missing().filter(|(telling, _)| telling.is_late) {
        tell(telling, place, begin + 40 * MINUTE)?;
    }
    // When all of them have been forgotten but for their markers.
    let (mut repeats, mut too_late) = (0, 0);
    for telling in &tellings {
        for place in &telling.order {
            tell(telling, *place, begin + 125 * MINUTE)?;
            repeats += 1;
        }
    }
    for (telling, place) in missing() {
        tell(telling, place, begin + 126 * MINUTE)?;
        repeats += usize::from(telling.is_late);
        too_late += usize::from(!telling.is_late);
    }
    let content = settle(&format!("27: {BASES} sessions in {} tellings", tellings.len()), &world, &feed).await?;

    let latest: BTreeMap<Uuid, Report> = content.reports().map(|report| (report.session, report)).collect();
    let mut facts: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for telling in &tellings {
        let report = latest.get(&telling.session).context("a session has no report")?;
        facts.entry(telling.name()).or_default().insert(&report.facts_sha256);
    }
    let torn: Vec<_> = facts.iter().filter(|(_, sums)| sums.len() > 1).collect();
    ensure!(torn.is_empty(), "told in other orders, sessions differ in their facts: {torn:?}");
    let counted: u64 = latest.values().map(|report| report.facts.metrics.event_count).sum();
    let events: usize = content.events.iter().map(Vec::len).sum();
    ensure!(usize::try_from(counted)? == events - repeats - too_late, "{counted} events count");
    let mut late = 0;
    for record in &content.quarantine {
        let reason = Headers::parse(|name| record.headers.get(name))?.reason;
        ensure!(reason == Reason::Late, "set aside as {reason}");
        late += 1;
    }
    println!("27: {} different facts; {repeats} repeats two hours later; {late} too late", facts.len());
    ensure!(late == too_late, "{too_late} came too late");
    world.terminate_all()
}
