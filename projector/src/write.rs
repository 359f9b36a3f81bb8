//! Writes loads until they stand: looks when it is not known, tries again when Postgres is away, gives
//! up what is another's, finds the record whose value the tables refuse.

mod report;

use std::sync::Arc;
use std::time::Duration;

use daemon::{Component, Shell};
use eventlog::{AppendError, EventLog, LogError};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::decode::Told;
use crate::error::StoreError;
use crate::identity::{Doubt, Identities};
use crate::listing::Listing;
use crate::load::{Slice, halve};
use crate::metrics;
use crate::project::project;
use crate::store::{Expected, Standing, Store};

pub use report::{Report, Stood};

/// An attempt that takes longer is given up: the server may have vanished without a word.
const ATTEMPT: Duration = Duration::from_mins(1);

/// Where loads go: the tables, and the quarantine for what they cannot take.
pub struct Sink {
    store: Store,
    /// None where what is refused has been listed before.
    listing: Option<Listing>,
    identities: Identities,
    shell: Shell,
    component: Component,
}

enum Trouble {
    Store(StoreError),
    /// The quarantine does not take a refused record.
    Log(AppendError),
    /// The log does not say whether the records are of the right topics.
    Doubt(String),
}

impl Sink {
    /// A sink for `store` that lists what it refuses in `quarantine`.
    ///
    /// # Errors
    /// When the quarantine topic cannot be used.
    pub async fn open(
        store: Store,
        log: Arc<dyn EventLog>,
        quarantine: String,
        shell: &Shell,
        component: &Component,
    ) -> Result<Self, LogError> {
        let listing = Listing::open(&*log, quarantine).await?;
        Ok(Self { listing: Some(listing), ..Self::listing_nothing(store, log, shell, component) })
    }

    /// A sink for records that have been projected before: what it refuses lies in the quarantine by now.
    pub(crate) fn listing_nothing(store: Store, log: Arc<dyn EventLog>, shell: &Shell, component: &Component) -> Self {
        let identities = Identities::new(log);
        Self { store, listing: None, identities, shell: shell.clone(), component: component.clone() }
    }

    /// The tables.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The rows of a topic were made from the one of this identity: records of no other are written.
    pub(crate) fn know(&self, topic: &Arc<str>, id: &str) {
        self.identities.know(topic, id);
    }

    /// Writes a load; what is in no list of the answer was left, because a drain ran out of time.
    ///
    /// # Errors
    /// When a person must act.
    pub async fn write(&self, load: Vec<Slice>) -> anyhow::Result<Report> {
        let mut report = Report::default();
        let mut backoff = Backoff::new(&self.shell, &self.component);
        let mut loads = vec![load];
        while let Some(load) = loads.pop() {
            if load.is_empty() {
                continue;
            }
            let Err(trouble) = self.attempt(&load).await else {
                backoff.worked();
                report.written.extend(load.iter().map(Stood::of));
                continue;
            };
            match trouble {
                Trouble::Store(StoreError::Fatal(why)) => anyhow::bail!(why),
                Trouble::Store(StoreError::Outdated(_)) => return Ok(Report { forgotten: true, ..report }),
                Trouble::Store(error @ StoreError::Value(_)) => match halve(load) {
                    Ok((first, second)) => loads.extend([second, first]),
                    Err(single) => loads.push(poisoned(single, &error)?),
                },
                Trouble::Log(error @ AppendError::Refused(_)) => {
                    return Err(anyhow::Error::new(error).context("a refused record does not fit the quarantine"));
                }
                trouble => {
                    if !self.waited(&trouble, &mut backoff).await {
                        return Ok(Report { left: true, ..report });
                    }
                    match self.look(load, &mut report, &mut backoff).await? {
                        Some(rest) => loads.push(rest),
                        None => return Ok(Report { left: true, ..report }),
                    }
                }
            }
        }
        // It may have been found standing without another attempt.
        backoff.worked();
        Ok(report)
    }

    /// One transaction: offsets first, then rows, then what is refused, which must be kept before the
    /// offsets go past it, then COMMIT.
    async fn attempt(&self, load: &[Slice]) -> Result<(), Trouble> {
        let start = Instant::now();
        // All of it has been read; the answer is needed before the COMMIT only.
        let same_topics = tokio::spawn(self.identities.ask(load));
        let write = async {
            let mut transaction = self.store.begin(load).await?;
            let known = transaction.known(load).await?;
            let changes = project(load, &known);
            let rows = transaction.apply(&changes).await?;
            same_topics.await.map_err(|error| Doubt::Unknown(error.to_string())).flatten()?;
            if let Some(listing) = &self.listing {
                listing.list(&changes.refused).await?;
            }
            transaction.commit().await?;
            metrics::skipped(&changes.skipped);
            Ok(rows)
        };
        let late = |_| {
            let why = format!("a load was not written within {} s", ATTEMPT.as_secs());
            Trouble::Store(StoreError::away(std::io::ErrorKind::TimedOut, why))
        };
        let rows = tokio::time::timeout(ATTEMPT, write).await.map_err(late).flatten()?;
        metrics::written(&rows, load.iter().map(|slice| slice.entries.len()).sum(), start.elapsed());
        for slice in load {
            metrics::records(&slice.partition.topic, slice.entries.len());
        }
        Ok(())
    }

    /// Waits as the trouble demands; answers whether to go on.
    async fn waited(&self, trouble: &Trouble, backoff: &mut Backoff) -> bool {
        match trouble {
            // Nothing to wait for: the offsets tell what to do.
            Trouble::Store(StoreError::Fenced) => true,
            Trouble::Store(error) => {
                metrics::retried(error.sqlstate());
                backoff.pause(&error.to_string()).await
            }
            Trouble::Log(error) => {
                metrics::retried("log".to_owned());
                backoff.pause(&format!("the quarantine does not take a refused record: {error}")).await
            }
            Trouble::Doubt(why) => {
                metrics::retried("log".to_owned());
                backoff.pause(why).await
            }
        }
    }

    /// Sorts a load by how it stands and answers with what is still to be written; none when a drain
    /// ran out of time.
    async fn look(
        &self,
        load: Vec<Slice>,
        report: &mut Report,
        backoff: &mut Backoff,
    ) -> anyhow::Result<Option<Vec<Slice>>> {
        let Some(standings) = self.until_answered(backoff, || self.store.standing(&load)).await? else {
            return Ok(None);
        };
        let mut rest = Vec::new();
        for (slice, standing) in load.into_iter().zip(standings) {
            match standing {
                Standing::Done => report.written.push(Stood::of(&slice)),
                Standing::Unmoved => rest.push(slice),
                standing => report.note(slice.partition, slice.epoch, standing),
            }
        }
        Ok(Some(rest))
    }

    /// Looks how partitions stand of which no load is under way: rows that the server acknowledged and lost in a crash
    /// are missed although no record comes after them, and so is a claim.
    ///
    /// # Errors
    /// When a person must act.
    pub async fn look_after(&self, expected: Vec<Expected>) -> anyhow::Result<Report> {
        let mut report = Report::default();
        let mut backoff = Backoff::new(&self.shell, &self.component);
        let Some(standings) = self.until_answered(&mut backoff, || self.store.look(&expected)).await? else {
            return Ok(Report { left: true, ..report });
        };
        for (expected, standing) in expected.into_iter().zip(standings) {
            report.note(expected.partition, expected.epoch, standing);
        }
        backoff.worked();
        Ok(report)
    }

    /// The answer to a question, however often it has to be asked; none when a drain ran out of time.
    async fn until_answered<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        backoff: &mut Backoff,
        ask: impl Fn() -> F,
    ) -> anyhow::Result<Option<T>> {
        loop {
            match ask().await {
                Ok(answer) => return Ok(Some(answer)),
                Err(StoreError::Fatal(why)) => anyhow::bail!(why),
                Err(error) => {
                    if !self.waited(&Trouble::Store(error), backoff).await {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

/// Makes poison of the one record whose value the tables refuse.
fn poisoned(mut single: Vec<Slice>, error: &StoreError) -> anyhow::Result<Vec<Slice>> {
    let entry = single.iter_mut().flat_map(|slice| &mut slice.entries).next();
    match entry {
        Some(entry) if !matches!(entry.told, Told::Poison(_)) => {
            entry.told = Told::Poison(error.to_string());
            Ok(single)
        }
        _ => anyhow::bail!("the tables refuse a load that brings them nothing: {error}"),
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Doubt> for Trouble {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::Unknown(why) => Self::Doubt(why),
            Doubt::Other(why) => Self::Store(StoreError::Fatal(why)),
        }
    }
}

impl From<AppendError> for Trouble {
    fn from(error: AppendError) -> Self {
        Self::Log(error)
    }
}
