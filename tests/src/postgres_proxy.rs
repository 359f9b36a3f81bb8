//! A proxy between projectors and Postgres that aims at COMMIT: it cuts right before or right after the server has
//! committed, holds either, or lets nothing pass without a word.
//!
//! - `messages`: Postgres's messages, as far as a proxy has to know them.

mod messages;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;

use crate::listening::Listening;
use messages::{Message, greet};

/// How long a test waits for a COMMIT to come by.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is done to what passes, from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// The next COMMIT, or one that is held, does not reach the server: its connection is reset in its place.
    CutBeforeCommit,
    /// The server carries the next COMMIT out; in place of its answer the connection is reset.
    CutAfterCommit,
    /// No COMMIT reaches the server until something else is set.
    HoldCommits,
    /// The answer to a COMMIT is held until something else is set; then the connection is reset.
    HoldAnswers,
    /// Nothing passes at all, connections are accepted, and nobody is told, until something else is set.
    Silence,
}

/// A proxy on a port of 127.0.0.1. Dropped, it ends.
#[derive(Debug)]
pub struct PostgresProxy {
    listening: Listening,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The server's socket.
    target: PathBuf,
    /// Only COMMITs of connections that have said this are met; all where none is.
    aim: Option<&'static str>,
    fault: watch::Sender<Fault>,
    commits: AtomicU64,
    hit: AtomicU64,
}

impl PostgresProxy {
    /// A proxy before the server that listens on this socket, or will.
    pub fn before(target: PathBuf) -> anyhow::Result<Self> {
        Self::aiming(target, None)
    }

    /// The same, for the COMMITs of connections that have said these words before.
    pub fn aimed(target: PathBuf, words: &'static str) -> anyhow::Result<Self> {
        Self::aiming(target, Some(words))
    }

    fn aiming(target: PathBuf, aim: Option<&'static str>) -> anyhow::Result<Self> {
        let fault = watch::Sender::new(Fault::None);
        let (commits, hit) = Default::default();
        let shared = Arc::new(Shared { target, aim, fault, commits, hit });
        let listening = Listening::start("postgres-proxy", {
            let shared = Arc::clone(&shared);
            move |client| carry(client, Arc::clone(&shared))
        })?;
        Ok(Self { listening, shared })
    }

    /// The URL of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.listening.address())
    }

    /// Does this to what passes from now on.
    pub fn set(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
    }

    /// How often the fault has met a COMMIT so far.
    pub fn hit(&self) -> u64 {
        self.shared.hit.load(Ordering::SeqCst)
    }

    /// COMMITs that came by so far.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::SeqCst)
    }

    /// Sets a fault and waits until it has met a COMMIT.
    pub async fn hits(&self, fault: Fault) -> anyhow::Result<()> {
        let (before, began) = (self.hit(), Instant::now());
        self.set(fault);
        while self.hit() == before {
            ensure!(began.elapsed() < PATIENCE, "no COMMIT came by within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

impl Shared {
    /// Waits until it is not silent.
    async fn speaks(&self) {
        // Its sender lives as long as this.
        let _ = self.fault.subscribe().wait_for(|fault| *fault != Fault::Silence).await;
    }

    /// Waits until this fault is over.
    async fn is_over(&self, fault: Fault) {
        let _ = self.fault.subscribe().wait_for(|now| *now != fault).await;
    }

    /// Whether this fault is set; then it is no more.
    fn spends(&self, fault: Fault) -> bool {
        self.fault.send_if_modified(|now| {
            let is = *now == fault;
            if is {
                *now = Fault::None;
            }
            is
        })
    }

    fn note_hit(&self) {
        self.hit.fetch_add(1, Ordering::SeqCst);
    }
}

/// Carries a connection to its end.
async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    shared.speaks().await;
    // Where the server does not listen, its client finds a connection that ends.
    let Ok(mut server) = UnixStream::connect(&shared.target).await else { return };
    if !greet(&mut client, &mut server).await.unwrap_or(false) {
        return;
    }
    let aimed = AtomicBool::new(shared.aim.is_none());
    {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        // Whatever ended it: both sides find it closed.
        let _ = tokio::select! {
            end = requests(&mut from_client, &mut to_server, &shared, &aimed) => end,
            end = answers(&mut from_server, &mut to_client, &shared, &aimed) => end,
        };
    }
    let _ = client.set_zero_linger();
}

async fn requests(
    client: &mut (impl AsyncRead + Unpin),
    server: &mut (impl AsyncWrite + Unpin),
    shared: &Shared,
    aimed: &AtomicBool,
) -> std::io::Result<()> {
    while let Some(message) = Message::read(client).await? {
        shared.speaks().await;
        if shared.aim.is_some_and(|words| message.holds(words)) {
            aimed.store(true, Ordering::SeqCst);
        }
        if message.asks_to_commit() && aimed.load(Ordering::SeqCst) {
            shared.commits.fetch_add(1, Ordering::SeqCst);
            if shared.spends(Fault::CutBeforeCommit) {
                shared.note_hit();
                return Ok(());
            }
            if *shared.fault.borrow() == Fault::HoldCommits {
                shared.note_hit();
                shared.is_over(Fault::HoldCommits).await;
                if shared.spends(Fault::CutBeforeCommit) {
                    return Ok(());
                }
            }
        }
        server.write_all(message.bytes()).await?;
    }
    Ok(())
}

async fn answers(
    server: &mut (impl AsyncRead + Unpin),
    client: &mut (impl AsyncWrite + Unpin),
    shared: &Shared,
    aimed: &AtomicBool,
) -> std::io::Result<()> {
    while let Some(message) = Message::read(server).await? {
        shared.speaks().await;
        if message.says_committed() && aimed.load(Ordering::SeqCst) {
            if shared.spends(Fault::CutAfterCommit) {
                shared.note_hit();
                return Ok(());
            }
            if *shared.fault.borrow() == Fault::HoldAnswers {
                shared.note_hit();
                shared.is_over(Fault::HoldAnswers).await;
                return Ok(());
            }
        }
        client.write_all(message.bytes()).await?;
    }
    Ok(())
}
