//! Cuts a session's time into active, idle and paused stretches, by the rules of the session metrics.

use crate::view::event::Event;

/// What the player was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Playing.
    Active,
    /// Nothing, for longer than the idle threshold.
    Idle,
    /// Away: paused, or looking elsewhere.
    Paused,
}

/// A stretch of one kind, as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From, in ms since the start.
    pub from_ms: i64,
    /// To, in ms since the start.
    pub to_ms: i64,
    /// Its kind.
    pub attention: Attention,
}

impl Stretch {
    /// How long it lasts, in ms.
    pub fn length_ms(&self) -> i64 {
        self.to_ms - self.from_ms
    }
}

/// In which ways the player is away.
#[derive(Clone, Copy, Default)]
struct Away {
    paused: bool,
    unfocused: bool,
}

impl Away {
    fn after(self, event: &Event) -> Self {
        match event.event_type.as_str() {
            "session.paused" => Self { paused: true, ..self },
            "session.resumed" => Self { paused: false, ..self },
            "focus.lost" => Self { unfocused: true, ..self },
            "focus.gained" => Self { unfocused: false, ..self },
            // Who acts is back, whether or not the client said so.
            _ if event.is_action() => Self::default(),
            _ => self,
        }
    }

    fn any(self) -> bool {
        self.paused || self.unfocused
    }
}

/// The stretches of a session whose events stand in order; neighbours of one kind are joined.
pub fn stretches(events: &[Event], idle_ms: i64) -> Vec<Stretch> {
    let mut drawn: Vec<Stretch> = Vec::new();
    let mut away = Away::default();
    let mut mark: Option<(i64, bool)> = None;
    for (index, event) in events.iter().enumerate() {
        away = away.after(event);
        // A heartbeat ends no gap, unless the session begins or ends with it.
        let silent = event.event_type == "session.heartbeat" && index > 0 && index + 1 < events.len();
        if silent {
            continue;
        }
        if let Some((from_ms, was_away)) = mark {
            let attention = match event.at_ms - from_ms {
                _ if was_away => Attention::Paused,
                length if length > idle_ms => Attention::Idle,
                _ => Attention::Active,
            };
            push(&mut drawn, Stretch { from_ms, to_ms: event.at_ms, attention });
        }
        mark = Some((event.at_ms, away.any()));
    }
    drawn
}

fn push(drawn: &mut Vec<Stretch>, next: Stretch) {
    if next.length_ms() <= 0 {
        return;
    }
    match drawn.last_mut() {
        Some(last) if last.attention == next.attention && last.to_ms == next.from_ms => last.to_ms = next.to_ms,
        _ => drawn.push(next),
    }
}

/// The time of one kind, in ms.
pub fn total(stretches: &[Stretch], attention: Attention) -> i64 {
    stretches.iter().filter(|stretch| stretch.attention == attention).map(Stretch::length_ms).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::event::event;
    use serde_json::Value;

    fn play(types: &[(i64, &str)]) -> Vec<Event> {
        types.iter().map(|(at, name)| event(*at, name, Value::Null)).collect()
    }

    fn kinds(events: &[Event]) -> Vec<(i64, i64, Attention)> {
        stretches(events, 60_000).into_iter().map(|part| (part.from_ms, part.to_ms, part.attention)).collect()
    }

    #[test]
    fn a_pause_a_long_gap_and_play_are_told_apart() {
        use Attention::{Active, Idle, Paused};
        let events = play(&[
            (0, "session.started"),
            (10_000, "task.started"),
            (20_000, "session.paused"),
            (50_000, "session.resumed"),
            (55_000, "task.attempted"),
            (200_000, "task.completed"),
        ]);
        let wanted = [(0, 20_000, Active), (20_000, 50_000, Paused), (50_000, 55_000, Active), (55_000, 200_000, Idle)];
        assert_eq!(kinds(&events), wanted);
    }

    #[test]
    fn a_heartbeat_ends_no_gap_but_may_end_the_session() {
        let events = play(&[
            (0, "session.started"),
            (30_000, "session.heartbeat"),
            (90_000, "task.started"),
            (100_000, "session.heartbeat"),
        ]);
        assert_eq!(kinds(&events), [(0, 90_000, Attention::Idle), (90_000, 100_000, Attention::Active)]);
    }

    #[test]
    fn whoever_acts_is_back() {
        let events =
            play(&[(0, "focus.lost"), (5_000, "session.paused"), (9_000, "item.changed"), (12_000, "item.changed")]);
        assert_eq!(kinds(&events), [(0, 9_000, Attention::Paused), (9_000, 12_000, Attention::Active)]);
    }
}
