//! One process as the log sees it: what is to befall it, and whether it lives.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::chance::Chance;

/// Within this time all calls of a process go on that has stood still.
const THAW: Duration = Duration::from_millis(20);

/// A step of a client's calls, at which something may befall it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// It joins a group.
    Join,
    /// It asks for the next event of its membership.
    Next,
    /// It reads a batch beside the group, or asks for offsets.
    Read,
    /// It begins a commit; nothing has been sent.
    Begin,
    /// Some outputs of a commit have been appended, and more may follow.
    Produced,
    /// The offsets of a commit have been sent.
    Sent,
    /// It is told that the commit is done, which it is.
    Done,
}

/// What befalls a client at a [`Point`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It dies where it stands: nothing more is heard of it.
    Crash,
    /// It stands still for so long, unheard by its group.
    Freeze(Duration),
    /// The call takes so much longer.
    Delay(Duration),
    /// The log does not answer: a read or join fails and may be tried again; a commit goes on later.
    Unavailable,
    /// The client can't go on: a read, join or commit fails for good, with what it had begun left open.
    Fatal,
    /// The commit is aborted.
    Abort,
    /// The commit is done, and nobody says so: its outcome is unknown. At any point but [`Point::Done`]
    /// it is not done.
    Unknown,
    /// The commit's outcome is unknown, and its end reaches the log so much later.
    Late(Duration),
}

/// What is to befall a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// At which step.
    pub at: Point,
    /// So many such steps are passed before.
    pub skip: u32,
    /// What happens.
    pub effect: Effect,
}

/// One process.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) name: String,
    state: Mutex<State>,
    died: Notify,
}

#[derive(Debug)]
struct State {
    dead: bool,
    chance: Chance,
    frozen_until: Option<Instant>,
    faults: VecDeque<Fault>,
    slow_reads: Duration,
}

impl Client {
    pub(super) fn new(name: &str, chance: Chance) -> Self {
        let (faults, slow_reads) = (VecDeque::new(), Duration::ZERO);
        let state = State { dead: false, chance, frozen_until: None, faults, slow_reads };
        Self { name: name.to_owned(), state: Mutex::new(state), died: Notify::new() }
    }

    pub(super) fn arm(&self, fault: Fault) {
        self.state.lock().faults.push_back(fault);
    }

    /// Forgets all that was to befall it.
    pub(super) fn heal(&self) {
        let mut state = self.state.lock();
        state.faults.clear();
        state.slow_reads = Duration::ZERO;
    }

    pub(super) fn slow_reads(&self, by: Duration) {
        self.state.lock().slow_reads = by;
    }

    /// How much longer each of its reads takes.
    pub(super) fn slowness(&self) -> Duration {
        self.state.lock().slow_reads
    }

    pub(super) fn kill(&self) {
        self.state.lock().dead = true;
        self.died.notify_waiters();
    }

    /// Resolves when it is dead.
    pub(super) async fn died(&self) {
        let mut died = pin!(self.died.notified());
        died.as_mut().enable();
        if !self.is_dead() {
            died.await;
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.state.lock().dead
    }

    /// Whether its group hears nothing of it.
    pub(super) fn is_silent(&self) -> bool {
        self.is_dead() || self.state.lock().frozen_until.is_some_and(|until| until > Instant::now())
    }

    /// Waits while it is frozen; for ever when it is dead.
    pub(super) async fn awake(&self) {
        loop {
            if self.is_dead() {
                std::future::pending::<()>().await;
            }
            let until = self.state.lock().frozen_until.filter(|until| *until > Instant::now());
            let Some(until) = until else { return };
            // Its calls go on in any order.
            let later = self.state.lock().chance.up_to(THAW);
            tokio::time::sleep_until(until + later).await;
        }
    }

    /// Takes the step: lives through what befalls it there, and answers with what the caller has to make of it.
    pub(super) async fn at(&self, point: Point) -> Option<Effect> {
        self.awake().await;
        let effect = self.due(point)?;
        match effect {
            Effect::Crash => {
                self.kill();
                self.awake().await;
                None
            }
            Effect::Freeze(time) => {
                self.freeze(time);
                self.awake().await;
                None
            }
            Effect::Delay(time) => {
                tokio::time::sleep(time).await;
                self.awake().await;
                None
            }
            effect => Some(effect),
        }
    }

    /// Stands still from now on.
    pub(super) fn freeze(&self, time: Duration) {
        self.state.lock().frozen_until = Some(Instant::now() + time);
    }

    fn due(&self, point: Point) -> Option<Effect> {
        let mut state = self.state.lock();
        let place = state.faults.iter().position(|fault| fault.at == point)?;
        let fault = state.faults.get_mut(place)?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        state.faults.remove(place).map(|fault| fault.effect)
    }
}
