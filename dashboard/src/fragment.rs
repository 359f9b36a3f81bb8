//! What an open page shows, rendered once for all who look at it.
//!
//! A fragment is at most [`FRESH_MS`] old. However many people look at one page, the database is
//! asked for it once in that time; who comes while it is being read waits for the same answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use askama::Template as _;
use daemon::Clock;
use schemas::games::{GameSettings, Games};
use schemas::{Game, Tenant, Timestamp};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::assets::hex;
use crate::error::Failure;
use crate::range::Range;
use crate::store::session::SessionData;
use crate::store::{Scope, Store};
use crate::view::overview::OverviewPage;
use crate::view::session::SessionPage;

/// How old a fragment may be, in ms.
const FRESH_MS: i64 = 900;
/// Fragments remembered at once, at most, but for those being read.
const REMEMBERED: usize = 512;

/// Which fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum View {
    /// The first page.
    Overview {
        /// Of whose data.
        scope: Scope,
        /// How far back.
        range: Range,
    },
    /// The page of a session.
    Session {
        /// Whose.
        tenant: String,
        /// Which.
        id: Uuid,
    },
}

/// A fragment as it was read.
#[derive(Debug)]
pub(crate) struct Fragment {
    /// What stands in the browser's tab.
    pub(crate) title: String,
    /// Its HTML.
    pub(crate) html: String,
    /// Changes with its HTML, and only then. An entity tag, quotes included.
    pub(crate) tag: String,
    /// Whether it may change as time goes on.
    pub(crate) moves: bool,
}

type Outcome = Result<Arc<Fragment>, Failure>;
type Slot = Arc<tokio::sync::Mutex<Option<(i64, Outcome)>>>;

/// Reads and renders fragments. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fragments {
    store: Store,
    clock: Clock,
    games: Arc<Games>,
    slots: Arc<std::sync::Mutex<HashMap<View, Slot>>>,
}

impl Fragments {
    pub(crate) fn new(store: Store, clock: Clock, games: Games) -> Self {
        Self { store, clock, games: Arc::new(games), slots: Arc::default() }
    }

    /// The fragment of a view, at most [`FRESH_MS`] old.
    pub(crate) async fn get(&self, view: &View) -> Outcome {
        let slot = self.slot(view);
        let mut held = slot.lock().await;
        let now = self.clock.monotonic_ms();
        if let Some((read_at, outcome)) = &*held
            && now - read_at < FRESH_MS
        {
            return outcome.clone();
        }
        let outcome = self.read(view).await;
        // A failure is remembered too: who queued behind it need not each wait for the database in turn.
        *held = Some((self.clock.monotonic_ms(), outcome.clone()));
        outcome
    }

    /// The tenants that have a session of this id.
    pub(crate) async fn tenants_of(&self, scope: &Scope, id: Uuid) -> Result<Vec<String>, Failure> {
        self.store.tenants_of(scope, id).await
    }

    fn slot(&self, view: &View) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if slots.len() >= REMEMBERED && !slots.contains_key(view) {
            // Who holds a slot is reading it or waiting for it; all others are cheap to read again.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(view.clone()).or_default())
    }

    async fn read(&self, view: &View) -> Outcome {
        let begun = self.clock.monotonic_ms();
        let outcome = match view {
            View::Overview { scope, range } => self.overview(scope, *range).await,
            View::Session { tenant, id } => self.session(tenant, *id).await,
        };
        let took = u64::try_from(self.clock.monotonic_ms() - begun).unwrap_or(0);
        crate::metrics::query(view.name(), Duration::from_millis(took), outcome.is_err());
        match &outcome {
            Err(failure) if failure.passes() => {
                tracing::warn!(page = view.name(), %failure, "a page could not be read");
            }
            Err(failure @ Failure::Internal(_)) => {
                tracing::error!(page = view.name(), %failure, "a page could not be made");
            }
            _ => {}
        }
        outcome.map(Arc::new)
    }

    async fn overview(&self, scope: &Scope, range: Range) -> Result<Fragment, Failure> {
        let now_ms = self.clock.now_ms();
        let data = self.store.overview(scope, range, now_ms).await?;
        let html = OverviewPage::new(&data, range, now_ms).render()?;
        Ok(Fragment { title: "Overview".to_owned(), tag: tag(&html), html, moves: true })
    }

    async fn session(&self, tenant: &str, id: Uuid) -> Result<Fragment, Failure> {
        let data = self.store.session(tenant, id).await?;
        let page = SessionPage::new(id, &data, self.idle_ms(&data))
            .ok_or_else(|| Failure::NotFound(format!("There is no session {id}.")))?;
        let html = page.render()?;
        let title = format!("Session {}", page.short_id());
        Ok(Fragment { title, tag: tag(&html), html, moves: page.moves() })
    }

    /// The idle threshold in force at a session's first event.
    fn idle_ms(&self, data: &SessionData) -> i64 {
        let game = data.owner().and_then(|(game, _)| Game::parse(game).ok());
        let begun = data.events.iter().find_map(|event| event.timestamp);
        let at = Timestamp::from_ms(begun.map_or(0, |at| at.timestamp_millis()));
        match (Tenant::parse(&data.tenant), game) {
            (Ok(tenant), Some(game)) => self.games.at(&tenant, &game, at).idle_ms,
            // A name that no gateway lets in has no settings of its own.
            _ => GameSettings::default().idle_ms,
        }
    }
}

impl View {
    /// Its name in metrics and log lines.
    fn name(&self) -> &'static str {
        match self {
            Self::Overview { .. } => "overview",
            Self::Session { .. } => "session",
        }
    }
}

fn tag(html: &str) -> String {
    // The version of the assets is part of it: a page of an older program is not the same page.
    let digest = Sha256::new().chain_update(html).chain_update(&*crate::assets::VERSION).finalize();
    format!("\"{}\"", hex(&digest[..8]))
}
