//! Seconds from a session's close to its row, while all stages run at a moderate rate.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::load::{self, Session, Waves};
use crate::send::Gateway;
use crate::world::Tables;

/// Events of one session.
const EVENTS: usize = 40;
/// A session is sent in so many requests, the last with the close.
const REQUESTS: usize = 4;
/// Time between two of them.
const BETWEEN: Duration = Duration::from_millis(500);
/// How often the tables are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// A row that has not come for so long is lost.
const LOST: Duration = Duration::from_mins(1);

/// How the sessions come.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Events a second.
    pub rate: f64,
    /// For so long.
    pub duration: Duration,
    /// The first playing; those before it have been sent already.
    pub first: usize,
}

/// Sessions whose close was sent and whose row was not seen yet, and since when.
type Closed = Arc<Mutex<HashMap<Uuid, Instant>>>;

/// Plays sessions at a pace; time from the sending of each close to its row, in µs.
///
/// # Errors
/// When an event is refused or a row does not come.
pub async fn close_to_row(
    waves: &Waves,
    gateway: &Gateway,
    pool: &PgPool,
    tables: Tables,
    pace: Pace,
) -> anyhow::Result<Histogram<u64>> {
    let closed = Closed::default();
    let mut players = JoinSet::new();
    let mut seen = Histogram::new(3)?;
    // A session of the recorded play may be shorter than it may be here.
    let (began, mut number, mut due) = (Instant::now(), pace.first, Duration::ZERO);
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while due < pace.duration || !players.is_empty() || !closed.lock().is_empty() {
        while due < pace.duration && began.elapsed() >= due {
            let session = waves.session(number, EVENTS);
            number += 1;
            #[expect(clippy::cast_precision_loss, reason = "the events of one session")]
            let share = session.events.len() as f64 / pace.rate;
            due += Duration::from_secs_f64(share);
            players.spawn(play(session, gateway.clone(), Arc::clone(&closed)));
        }
        look.tick().await;
        watch(pool, tables, &closed, &mut seen).await?;
        while let Some(ended) = players.try_join_next() {
            ended??;
        }
    }
    Ok(seen)
}

async fn play(session: Session, gateway: Gateway, closed: Closed) -> anyhow::Result<()> {
    let share = session.events.len().div_ceil(REQUESTS);
    let mut requests: Vec<_> = session.events.chunks(share).map(load::batch).collect();
    let Some(last) = requests.pop() else { return Ok(()) };
    for request in requests {
        gateway.post(&request).await?;
        tokio::time::sleep(BETWEEN).await;
    }
    closed.lock().insert(session.id, Instant::now());
    gateway.post(&last).await?;
    Ok(())
}

/// Looks for the rows that are waited for.
async fn watch(pool: &PgPool, tables: Tables, closed: &Closed, seen: &mut Histogram<u64>) -> anyhow::Result<()> {
    let waiting: Vec<Uuid> = closed.lock().keys().copied().collect();
    if waiting.is_empty() {
        return Ok(());
    }
    let sql =
        format!("SELECT session_id FROM {}.sessions WHERE tenant = 'bench' AND session_id = ANY($1)", tables.schema);
    let there: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(sql)).bind(waiting).fetch_all(pool).await?;
    let mut closed = closed.lock();
    for session in there {
        if let Some(since) = closed.remove(&session) {
            seen.record(u64::try_from(since.elapsed().as_micros())?)?;
        }
    }
    let oldest = closed.values().map(Instant::elapsed).max().unwrap_or_default();
    ensure!(oldest < LOST, "the row of a session that closed {oldest:?} ago has not come");
    Ok(())
}
