//! The first page: how much is being played now, and the sessions behind it.

use askama::Template;

use crate::range::Range;
use crate::store::amount::Amount;
use crate::store::overview::{ClosedLine, LiveLine, Overview, TYPES_SHOWN, TypeCount};
use crate::view::chart::{Chart, chart};
use crate::view::format::{count, counted, duration, percent, rough};
use crate::view::geometry::Percent;
use crate::view::moment::Moment;

/// The first page.
#[derive(Template)]
#[template(path = "overview.html")]
pub struct OverviewPage {
    /// Figures at the top.
    pub tiles: Vec<Tile>,
    /// How far back it looks.
    pub range: Range,
    /// All ranges, to choose from.
    pub ranges: [Range; 4],
    /// Events a minute.
    pub chart: Chart,
    /// The commonest types of the range.
    pub types: Vec<TypeBar>,
    /// Sessions, the running ones first.
    pub rows: Vec<Row>,
    /// Running sessions that are not listed.
    pub more_live: Option<String>,
    /// The latest minute with an event, where the chart is empty.
    pub latest: Option<Moment>,
    /// Whether nothing has ever come.
    pub first_time: bool,
    /// Whether rows have to say which game they are of.
    pub many_games: bool,
}

/// A figure at the top.
pub struct Tile {
    /// What is counted.
    pub label: &'static str,
    /// How much.
    pub value: String,
    /// Whether it is about so much, and not counted.
    pub about: bool,
    /// What it means.
    pub note: String,
    /// Whether it stands for what happens now.
    pub live: bool,
}

/// How often a type came, as a bar.
pub struct TypeBar {
    /// The type.
    pub name: String,
    /// Its events.
    pub events: String,
    /// Its length beside the commonest.
    pub width: Percent,
}

/// A session in the list.
pub struct Row {
    /// Where its page is.
    pub href: String,
    /// Name of its link within the page.
    pub anchor: String,
    /// Who.
    pub player: String,
    /// Which game.
    pub game: String,
    /// Whether it runs, or how it ended.
    pub state: State,
    /// When it began.
    pub started: Moment,
    /// From first event to last.
    pub duration: String,
    /// Active time.
    pub active: String,
    /// Events.
    pub events: String,
    /// Tasks completed of those started; none while it runs.
    pub tasks: Option<String>,
    /// Successes by attempt; none while it runs or without attempts.
    pub success: Option<String>,
    /// Whether it was faster than people are.
    pub anomalous: bool,
}

/// A state in words, with the class that colours it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// In words.
    pub words: String,
    /// Of the stylesheet.
    pub class: &'static str,
}

impl State {
    /// Of a running session.
    pub fn live() -> Self {
        Self { words: "Live".to_owned(), class: "live" }
    }

    /// Of a closed one.
    pub fn closed(close_reason: &str) -> Self {
        let (words, class) = match close_reason {
            "completed" => ("Completed", "good"),
            "abandoned" => ("Abandoned", "warn"),
            "error" => ("Error", "bad"),
            "timeout" => ("Timed out", "calm"),
            "too_long" => ("Too long", "warn"),
            other => return Self { words: other.to_owned(), class: "calm" },
        };
        Self { words: words.to_owned(), class }
    }
}

impl OverviewPage {
    /// Lays out what was read at `now_ms`.
    pub fn new(data: &Overview, range: Range, now_ms: i64) -> Self {
        let totals = &data.totals;
        let unlisted = totals.live - i64::try_from(data.live.len()).unwrap_or(0);
        Self {
            tiles: tiles(data),
            range,
            ranges: Range::ALL,
            chart: chart(range, now_ms, &data.steps),
            types: type_bars(&data.types),
            rows: data.live.iter().map(live_row).chain(data.closed.iter().map(closed_row)).collect(),
            more_live: (unlisted > 0).then(|| counted(unlisted, "more live session")),
            latest: totals.latest.map(Moment::ago),
            first_time: totals.latest.is_none() && totals.live == 0 && totals.closed == Amount::default(),
            many_games: data.many_games,
        }
    }

    /// Whether the list of types may lack some.
    pub fn types_cut(&self) -> bool {
        self.types.len() >= usize::try_from(TYPES_SHOWN).unwrap_or(usize::MAX)
    }
}

fn tiles(data: &Overview) -> Vec<Tile> {
    let totals = &data.totals;
    let exact = |label, value, note: &str| Tile {
        label,
        value: count(value),
        note: note.to_owned(),
        about: false,
        live: false,
    };
    let total = |label, amount, note: &str| match amount {
        Amount::Exactly(value) => exact(label, value, note),
        Amount::About(value) => Tile { value: rough(value), about: true, ..exact(label, value, note) },
    };
    vec![
        Tile { live: totals.live > 0, ..exact("Live sessions", totals.live, "open right now") },
        exact("Events a minute", totals.last_minute, "in the last whole minute"),
        total("Closed sessions", totals.closed, "with metrics"),
        total("Players", totals.players, "with a closed session"),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a drawing needs far less than 52 bits")]
fn type_bars(types: &[TypeCount]) -> Vec<TypeBar> {
    let most = types.iter().map(|line| line.events).max().unwrap_or(1).max(1) as f64;
    let bar = |line: &TypeCount| TypeBar {
        name: line.event_type.clone(),
        events: count(line.events),
        width: Percent((line.events as f64 / most * 100.0).clamp(0.5, 100.0)),
    };
    types.iter().map(bar).collect()
}

fn live_row(line: &LiveLine) -> Row {
    Row {
        href: href(&line.tenant, line.session_id),
        anchor: format!("session-{}-{}", line.tenant, line.session_id),
        player: line.player_id.clone(),
        game: line.game.clone(),
        state: State::live(),
        started: Moment::ago(line.started_at),
        duration: duration((line.last_event_at - line.started_at).num_milliseconds()),
        active: duration(line.active_ms),
        events: count(line.event_count),
        tasks: None,
        success: None,
        anomalous: false,
    }
}

fn closed_row(line: &ClosedLine) -> Row {
    Row {
        href: href(&line.tenant, line.session_id),
        anchor: format!("session-{}-{}", line.tenant, line.session_id),
        player: line.player_id.clone(),
        game: line.game.clone(),
        state: State::closed(&line.close_reason),
        started: Moment::ago(line.started_at),
        duration: duration(line.duration_ms),
        active: duration(line.active_ms),
        events: count(line.event_count),
        tasks: Some(format!("{} of {}", count(line.tasks_completed), count(line.tasks_started))),
        success: line.success_rate.map(percent),
        anomalous: line.anomalous,
    }
}

fn href(tenant: &str, id: uuid::Uuid) -> String {
    // A tenant is of a-z, 0-9 and - alone: it stands in an address as it is.
    format!("/sessions/{id}?tenant={tenant}")
}
