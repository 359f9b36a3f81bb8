//! Sends what the crowd does to a gateway, when it is due.

use std::sync::Arc;
use std::time::Duration;

use daemon::{Clock, Shutdown};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::crowd::Crowd;
use super::event::Request;
use super::network::Delivery;
use super::pace::{Meter, Pace};
use super::tally::Tally;
use crate::gateway::{Answer, Gateway, GivenUp};

/// So many requests are under way at most.
const UNDER_WAY: usize = 64;
/// After the end, requests under way get so long to be answered.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// Progress is told this often.
const TELL_EVERY_MS: i64 = 10_000;

/// A simulation.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many players.
    pub players: usize,
    /// Makes the players' behaviour repeatable.
    pub seed: u64,
    /// Events a second; the players' own pace if none.
    pub rate: Option<f64>,
    /// How long; until told to end if none.
    pub duration: Option<Duration>,
}

/// Plays until the time is over or the shutdown drains; every request sent is then answered or
/// counted as unanswered. `tell` hears of the progress now and then.
///
/// # Errors
/// A sentence, when nobody answers at the gateway or the key is refused at the start.
pub async fn run(
    gateway: &Gateway,
    options: Options,
    clock: &Clock,
    shutdown: &Shutdown,
    mut tell: impl FnMut(&Tally, i64),
) -> anyhow::Result<Tally> {
    let scopes = tokio::select! {
        scopes = gateway.scopes() => scopes?,
        () = shutdown.draining() => return Ok(Tally::default()),
    };
    let mut crowd = Crowd::new(options.seed, options.players, scopes.iter().any(|scope| scope == "evidence"));
    let for_ms = options.duration.map(|duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
    let pace = Pace::choose(options.players, options.rate, for_ms);
    let began = clock.monotonic_ms();
    let end = for_ms.map_or(i64::MAX, |ms| began.saturating_add(ms));
    let start_ms = clock.now_ms() - pace.past_ms;
    let mut meter = Meter::new(pace.rate);
    let mut sender = Sender::new(gateway.clone(), start_ms, clock.clone());
    let mut told = 0;
    while let Some(delivery) = crowd.next() {
        let now = clock.monotonic_ms() - began;
        let due = (delivery.at_ms - pace.past_ms).max(meter.admit(now, delivery.request.events()));
        sender.wait_until((began + due).min(end), shutdown).await;
        if began + due >= end || !sender.room_by(end, shutdown).await || shutdown.is_draining() {
            break;
        }
        sender.send(delivery);
        sender.tally.sessions = crowd.sessions();
        if now >= told + TELL_EVERY_MS {
            told = now;
            tell(&sender.tally, now / 1_000);
        }
    }
    Ok(sender.finish().await)
}

/// Requests under way, and what became of the others.
struct Sender {
    gateway: Gateway,
    start_ms: i64,
    clock: Clock,
    under_way: JoinSet<(Arc<Request>, Result<Answer, GivenUp>)>,
    give_up: CancellationToken,
    tally: Tally,
}

impl Sender {
    fn new(gateway: Gateway, start_ms: i64, clock: Clock) -> Self {
        let give_up = CancellationToken::new();
        Self { gateway, start_ms, clock, under_way: JoinSet::new(), give_up, tally: Tally::default() }
    }

    /// Waits for a time on the monotonic clock, or the shutdown; counts answers meanwhile.
    async fn wait_until(&mut self, at_ms: i64, shutdown: &Shutdown) {
        loop {
            let left = u64::try_from(at_ms - self.clock.monotonic_ms()).unwrap_or(0);
            if left == 0 {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => return,
                () = shutdown.draining() => return,
                Some(done) = self.under_way.join_next() => self.count(done),
            }
        }
    }

    /// Waits for room for one more request: while the gateway is away none comes, but the end does,
    /// by its time or by the shutdown. Whether there is room.
    async fn room_by(&mut self, end_ms: i64, shutdown: &Shutdown) -> bool {
        while self.under_way.len() >= UNDER_WAY {
            let left = Duration::from_millis(u64::try_from(end_ms - self.clock.monotonic_ms()).unwrap_or(0));
            tokio::select! {
                Some(done) = self.under_way.join_next() => self.count(done),
                () = shutdown.draining() => return false,
                () = tokio::time::sleep(left) => return false,
            }
        }
        true
    }

    /// Sends a request.
    fn send(&mut self, delivery: Delivery) {
        let request = Arc::new(delivery.request);
        let (path, body) = request.render(self.start_ms, self.clock.now_ms() + delivery.clock_ms);
        let (gateway, give_up) = (self.gateway.clone(), self.give_up.clone());
        self.under_way.spawn(async move {
            let outcome = gateway.post(&path, &body, give_up.cancelled_owned()).await;
            (request, outcome)
        });
    }

    /// Waits for the last answers; gives up what is not answered in time.
    async fn finish(mut self) -> Tally {
        let deadline = tokio::time::sleep(LAST_ANSWERS);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                done = self.under_way.join_next() => match done {
                    Some(done) => self.count(done),
                    None => return self.tally,
                },
                () = &mut deadline, if !self.give_up.is_cancelled() => self.give_up.cancel(),
            }
        }
    }

    fn count(&mut self, done: Result<(Arc<Request>, Result<Answer, GivenUp>), tokio::task::JoinError>) {
        match done {
            Ok((request, outcome)) => self.tally.count(&request, outcome),
            Err(error) => tracing::error!(%error, "a request's task ended without an outcome"),
        }
    }
}
