//! A TCP proxy between Kafka's clients and a broker, which does to their connections what networks do:
//! it holds answers back, swallows them, tears them in the middle, resets.
//!
//! - `frames`: Kafka's frames, as far as a proxy has to know them;
//! - `carry`: one connection.

mod carry;
mod frames;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::listening::Listening;

/// What is done to the connections that pass, from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// The broker gets every request; answers to Produce never arrive.
    SwallowAcknowledgements,
    /// Every answer to Produce takes so much longer.
    DelayAcknowledgements(Duration),
    /// Every answer takes so much longer.
    DelayAnswers(Duration),
    /// Such requests do not reach the broker, nor does what comes after them, until something else is set.
    Hold(Call),
    /// Every such request takes so much longer, and what comes after it.
    Delay(Call, Duration),
    /// Every answer to such a request takes so much longer.
    DelayAnswersTo(Call, Duration),
    /// Of an answer to Produce one half arrives, then the connection is reset.
    TearAcknowledgements,
    /// Nobody gets through: connections are reset, new ones too.
    Cut,
}

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Consumed offsets become part of a transaction.
    CommitOffsets,
    /// A transaction is committed or aborted.
    End,
    /// Where a partition begins or ends is asked for.
    ListOffsets,
}

impl Call {
    /// The number of its api.
    fn api(self) -> i16 {
        match self {
            Self::CommitOffsets => 28,
            Self::End => 26,
            Self::ListOffsets => 2,
        }
    }
}

/// A proxy on a port of 127.0.0.1. Dropped, it ends.
#[derive(Debug)]
pub struct Proxy {
    listening: Listening,
    shared: Arc<Shared>,
}

/// What connections share.
#[derive(Debug)]
struct Shared {
    target: Mutex<Option<SocketAddr>>,
    fault: watch::Sender<Fault>,
    /// Changes when all connections are to be reset.
    resets: watch::Sender<u64>,
    counts: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    produced: AtomicU64,
    kept_back: AtomicU64,
    withheld: AtomicU64,
    torn: AtomicU64,
}

/// What has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Connections that got through to the broker.
    pub connections: u64,
    /// Produce requests that went to the broker.
    pub produced: u64,
    /// Requests that were held, or that or whose answers were delayed.
    pub kept_back: u64,
    /// Answers that never arrived.
    pub withheld: u64,
    /// Connections that were reset.
    pub torn: u64,
}

impl Proxy {
    /// A proxy that listens, and passes nothing on before [`Proxy::forward`].
    pub fn listen() -> anyhow::Result<Self> {
        let resets = watch::Sender::new(0);
        let fault = watch::Sender::new(Fault::None);
        let shared = Arc::new(Shared { target: Mutex::default(), fault, resets, counts: Counters::default() });
        let listening = Listening::start("proxy", {
            let shared = Arc::clone(&shared);
            move |client| connect(client, Arc::clone(&shared))
        })?;
        Ok(Self { listening, shared })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.listening.address().port()
    }

    /// `HOST:PORT`, for clients.
    pub fn address(&self) -> String {
        self.listening.address().to_string()
    }

    /// Passes on to this address from now on.
    pub fn forward(&self, target: &str) -> anyhow::Result<()> {
        *self.shared.target.lock() = Some(target.parse().with_context(|| target.to_owned())?);
        Ok(())
    }

    /// Does this to what passes from now on.
    pub fn set(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
        if fault == Fault::Cut {
            self.reset();
        }
    }

    /// Resets every connection there is, in the middle of whatever passes.
    pub fn reset(&self) {
        self.shared.resets.send_modify(|count| *count += 1);
    }

    /// What has passed so far.
    pub fn counts(&self) -> Counts {
        let Counters { connections, produced, kept_back, withheld, torn } = &self.shared.counts;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            connections: read(connections),
            produced: read(produced),
            kept_back: read(kept_back),
            withheld: read(withheld),
            torn: read(torn),
        }
    }
}

async fn connect(client: TcpStream, shared: Arc<Shared>) {
    let target = *shared.target.lock();
    let cut = *shared.fault.borrow() == Fault::Cut;
    let (Some(target), false) = (target, cut) else {
        let _ = client.set_zero_linger();
        return;
    };
    // Where the broker does not listen, its client finds a connection that ends.
    let Ok(broker) = TcpStream::connect(target).await else { return };
    shared.counts.connections.fetch_add(1, Ordering::Relaxed);
    carry::carry(client, broker, &shared).await;
}
