//! Writes loads until they stand: looks when it is not known, tries again when Postgres is away, gives
//! up what is another's, finds the record whose value the tables refuse.

use std::time::Duration;

use daemon::{Component, Shell};
use eventlog::{AppendError, EventLog, LogError, TopicPartition};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::decode::Told;
use crate::error::StoreError;
use crate::listing::Listing;
use crate::load::{Slice, halve};
use crate::metrics;
use crate::project::project;
use crate::store::{Standing, Store};

/// An attempt that takes longer is given up: the server may have vanished without a word.
const ATTEMPT: Duration = Duration::from_mins(1);

/// Where loads go: the tables, and the quarantine for what they cannot take.
pub struct Sink {
    store: Store,
    listing: Listing,
    shell: Shell,
    component: Component,
}

/// What became of a load.
#[derive(Debug, Default)]
pub struct Report {
    /// Stretches that stand in the tables.
    pub written: Vec<Stood>,
    /// Partitions that another projector has claimed since, with the epoch that was overtaken.
    pub lost: Vec<(TopicPartition, i64)>,
    /// Partitions whose rows a crash of the server has put back, with the epoch and the offset to go on from.
    pub behind: Vec<(TopicPartition, i64, i64)>,
    /// Whether a drain ran out of time before all of it was written.
    pub left: bool,
    /// Whether a claim is gone, so that all partitions have to be claimed anew.
    pub forgotten: bool,
}

/// A stretch that stands in the tables.
#[derive(Clone, Debug)]
pub struct Stood {
    /// Of which partition.
    pub partition: TopicPartition,
    /// Up to which offset.
    pub next: i64,
    /// Time of its newest record, in ms since the epoch.
    pub newest_ms: Option<i64>,
}

enum Trouble {
    Store(StoreError),
    Log(AppendError),
}

impl Sink {
    /// A sink for `store` that lists what it refuses in `quarantine`.
    ///
    /// # Errors
    /// When the quarantine topic cannot be used.
    pub async fn open(
        store: Store,
        log: &dyn EventLog,
        quarantine: String,
        shell: &Shell,
        component: &Component,
    ) -> Result<Self, LogError> {
        let listing = Listing::open(log, quarantine).await?;
        Ok(Self { store, listing, shell: shell.clone(), component: component.clone() })
    }

    /// The tables.
    pub fn store(&self) -> &Store {
        &self.store
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
                report.written.extend(load.iter().map(stood));
                continue;
            };
            match trouble {
                Trouble::Store(StoreError::Fatal(why)) => anyhow::bail!(why),
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
        let write = async {
            let mut transaction = self.store.begin(load).await?;
            let known = transaction.known(load).await?;
            let changes = project(load, &known);
            let rows = transaction.apply(&changes).await?;
            self.listing.list(&changes.refused).await?;
            transaction.commit().await?;
            Ok(rows)
        };
        let late = |_| Trouble::Store(StoreError::Away(sqlx::Error::PoolTimedOut));
        let rows = tokio::time::timeout(ATTEMPT, write).await.map_err(late).flatten()?;
        metrics::written(&rows, start.elapsed());
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
        let standings = loop {
            match self.store.standing(&load).await {
                Ok(standings) => break standings,
                Err(StoreError::Fatal(why)) => anyhow::bail!(why),
                Err(error) => {
                    if !self.waited(&Trouble::Store(error), backoff).await {
                        return Ok(None);
                    }
                }
            }
        };
        let mut rest = Vec::new();
        for (slice, standing) in load.into_iter().zip(standings) {
            match standing {
                Standing::Done => report.written.push(stood(&slice)),
                Standing::Unmoved => rest.push(slice),
                Standing::Forgotten => report.forgotten = true,
                Standing::Behind(next) => {
                    tracing::warn!(partition = %slice.partition, next, "the server lost its latest rows; reading them again");
                    report.behind.push((slice.partition, slice.epoch, next));
                }
                Standing::Lost => {
                    metrics::fenced();
                    tracing::warn!(partition = %slice.partition, "given up: another projector has claimed it");
                    report.lost.push((slice.partition, slice.epoch));
                }
            }
        }
        Ok(Some(rest))
    }
}

fn stood(slice: &Slice) -> Stood {
    Stood { partition: slice.partition.clone(), next: slice.next, newest_ms: slice.newest_ms() }
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

impl From<AppendError> for Trouble {
    fn from(error: AppendError) -> Self {
        Self::Log(error)
    }
}
