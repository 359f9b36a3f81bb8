//! What all requests of a running gateway share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use daemon::{Clock, Health};
use eventlog::{Appender, EventLog};
use parking_lot::Mutex;
use schemas::Timestamp;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::access::AccessLog;
use crate::cors::Origins;
use crate::credentials_file::CredentialsFile;
use crate::dedup::{Settled, Window};
use crate::documents::Documents;
use crate::limits::Limits;
use crate::metrics::Measured;
use crate::outcomes::Tally;
use crate::own::Own;
use crate::peers::Peers;
use crate::problem::{Code, Problem};
use crate::publish::Targets;
use crate::report::Doubt;
use crate::schemas_folder::SchemasFolder;

/// Tells those who wait for it how an append ended; nothing while it is under way.
pub type Flight = watch::Receiver<Option<Settled>>;

/// The way to the log, once it is open.
pub struct Link {
    /// The log itself.
    pub log: Arc<dyn EventLog>,
    /// What appends.
    pub appender: Arc<dyn Appender>,
    /// Where to.
    pub targets: Targets,
    /// For so long an append may take; then its outcome counts as unknown.
    pub deadline: Duration,
}

/// A running gateway.
pub struct Gateway {
    /// Its name, in stamps and counts.
    pub name: Arc<str>,
    /// For so long a body may take to arrive.
    pub body_timeout: Duration,
    /// Whose pages may call.
    pub origins: Origins,
    /// The process's clock.
    pub clock: Clock,
    /// The process's health.
    pub health: Health,
    /// The keys and issuers in force.
    pub credentials: CredentialsFile,
    /// The event types in force.
    pub types: SchemasFolder,
    /// This interface, described.
    pub documents: Documents,
    /// Who may use how much.
    pub limits: Limits,
    /// Where requests are told one by one.
    pub access: AccessLog,
    /// Counts what every request moves.
    pub measured: Measured,
    /// Which events the log holds already.
    pub window: Mutex<Window<Flight>>,
    /// What of the log this gateway appended itself.
    pub own: Own,
    /// What is known of the other gateways' clocks.
    pub peers: Peers,
    /// What became of the events received.
    pub tally: Tally,
    /// Counts of which it is not known whether play.outcomes has them.
    pub doubt: tokio::sync::Mutex<Option<Doubt>>,
    /// Requests that have begun before the drain, and their work.
    pub work: TaskTracker,
    /// Set when the log failed; cleared when it is seen to answer again.
    pub log_failed: AtomicBool,
    link: OnceLock<Link>,
    draining: AtomicBool,
}

/// What a gateway is made of.
pub struct Parts {
    /// See [`Gateway::name`].
    pub name: String,
    /// See [`Gateway::body_timeout`].
    pub body_timeout: Duration,
    /// See [`Gateway::origins`].
    pub origins: Origins,
    /// See [`Gateway::clock`].
    pub clock: Clock,
    /// See [`Gateway::health`].
    pub health: Health,
    /// See [`Gateway::credentials`].
    pub credentials: CredentialsFile,
    /// See [`Gateway::types`].
    pub types: SchemasFolder,
    /// See [`Gateway::limits`].
    pub limits: Limits,
    /// See [`Gateway::access`].
    pub access: AccessLog,
    /// See [`Gateway::window`].
    pub window: Window<Flight>,
}

impl Gateway {
    /// A gateway that has no way to the log yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            name: parts.name.into(),
            body_timeout: parts.body_timeout,
            origins: parts.origins,
            clock: parts.clock,
            health: parts.health,
            credentials: parts.credentials,
            types: parts.types,
            documents: Documents::default(),
            limits: parts.limits,
            access: parts.access,
            measured: Measured::default(),
            window: Mutex::new(parts.window),
            own: Own::default(),
            peers: Peers::default(),
            tally: Tally::default(),
            doubt: tokio::sync::Mutex::new(None),
            work: TaskTracker::new(),
            log_failed: AtomicBool::new(false),
            link: OnceLock::new(),
            draining: AtomicBool::new(false),
        })
    }

    /// The time, as stamps tell it.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.clock.now_ms())
    }

    /// Opens the way to the log; the first one stays.
    pub fn open(&self, link: Link) {
        // Called once, by `run`.
        let _ = self.link.set(link);
    }

    /// The way to the log.
    ///
    /// # Errors
    /// A problem while it is not open yet.
    pub fn link(&self) -> Result<&Link, Problem> {
        let starting = || Problem::new(Code::LogUnavailable, "the gateway is starting and has not reached the log yet");
        self.link.get().ok_or_else(starting)
    }

    /// Refuses new work from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Whether new work is refused.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}
