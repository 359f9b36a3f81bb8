//! What play.events tells, event by event.

use std::collections::{BTreeMap, BTreeSet};

use schemas::Event;
use schemas::record::quarantine::Reason;
use schemas::record::stamp::Stamp;
use uuid::Uuid;

use super::{Content, Minute, Outcome, Place};

/// An event of the topic.
pub(super) struct Told<'a> {
    pub(super) place: Place,
    pub(super) minute: Minute,
    pub(super) event: Event<'a>,
}

/// All that the topic tells.
#[derive(Default)]
pub(super) struct Topic<'a> {
    pub(super) events: Vec<Told<'a>>,
    /// Records that are none, with their minute where they tell it.
    pub(super) poison: Vec<(Place, Option<Minute>)>,
    pub(super) holes: BTreeMap<Minute, u64>,
    /// Sessions that have one.
    pub(super) with_holes: BTreeSet<Uuid>,
}

impl<'a> Topic<'a> {
    /// Whether a session's closes take their places by rules that only the order of its log tells: one that
    /// came in several bodies, or before any event and was given up. The run without faults knows them.
    pub(super) fn is_tangled(&self, session: Uuid, outcome: &Outcome) -> bool {
        let mut seqs = BTreeMap::new();
        self.events.iter().filter(|told| told.event.session_id == session).any(|Told { place, event, .. }| {
            let other_seq = seqs.insert(event.event_id, event.seq).is_some_and(|before| before != event.seq);
            other_seq || outcome.aside.get(place) == Some(&Reason::NoSession)
        })
    }

    /// Reads play.events as it was left.
    pub(super) fn read(content: &'a Content) -> Self {
        let mut topic = Self::default();
        for (number, records) in (0_i32..).zip(&content.events) {
            for record in records {
                let place = (number, record.offset);
                let Ok(stamp) = Stamp::parse(record.value.as_deref().unwrap_or_default()) else {
                    topic.poison.push((place, None));
                    continue;
                };
                let minute = (stamp.game.to_string(), stamp.received_at.ms().div_euclid(60_000));
                match (&stamp.hole, stamp.event) {
                    (Some(hole), _) => {
                        *topic.holes.entry(minute).or_default() += 1;
                        topic.with_holes.insert(hole.session_id);
                    }
                    (None, Some(raw)) => match schemas::parse::stamped(raw.get(), stamp.origin) {
                        Ok(event) => topic.events.push(Told { place, minute, event }),
                        Err(_) => topic.poison.push((place, Some(minute))),
                    },
                    (None, None) => topic.poison.push((place, Some(minute))),
                }
            }
        }
        topic
    }
}
