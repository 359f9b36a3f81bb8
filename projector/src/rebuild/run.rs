//! One rebuild or rollback: comes close, holds the live generation, compares, switches.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use daemon::Shell;
use daemon::lifecycle::Shutdown;
use eventlog::EventLog;
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::time::Instant;

use super::fill::{Fill, Filled};
use super::near::Near;
use super::older::{Copier, Cuts};
use super::only::Only;
use super::progress::{Lines, Progress};
use super::{Options, Outcome, compare, tables};
use crate::config::Config;
use crate::error::StoreError;
use crate::store::generations::{Generations, Role, Turn, same};
use crate::store::{OffsetRow, Store, retention};
use crate::topics::Topics;

/// How long readers may keep the views from moving.
const PATIENCE: Duration = Duration::from_mins(5);
/// A pause after they did.
const PAUSE: Duration = Duration::from_millis(500);
/// How long Postgres is asked what became of a switch whose answer was lost.
const FINDS_OUT: Duration = Duration::from_mins(2);

/// A generation on its way into the place of the live one.
pub(super) struct Run<'a> {
    log: &'a Arc<dyn EventLog>,
    pub(super) shutdown: Shutdown,
    options: Options,
    only: Only,
    topics: Topics,
    pub(super) generations: Generations,
    pub(super) fill: Fill,
    pub(super) progress: Progress,
    pub(super) live: i64,
    pub(super) next: i64,
    _turn: Turn,
}

impl<'a> Run<'a> {
    /// Begins a rebuild, or takes up the one that was stopped.
    pub(super) async fn begin(
        config: &Config,
        log: &'a Arc<dyn EventLog>,
        shell: &Shell,
        options: &Options,
        lines: Lines,
    ) -> anyhow::Result<Self> {
        let only = Only::of(&options.only)?;
        let made_by = made_by(config, &only)?;
        let mut progress = Progress::new(lines);
        // Brings the live one to this release first.
        Store::open(config).await?;
        let generations = Generations::of(config)?;
        let turn = generations.take_turn().await?;
        let mut all = generations.all(&mut generations.connect().await?).await?;
        let live =
            all.iter().find(|generation| generation.role == Role::Shown).context("no generation is shown")?.number;
        let newest = all.iter().map(|generation| generation.number).max().unwrap_or(live);
        let mut next = None;
        all.retain(|generation| generation.role == Role::Filling);
        for begun in all {
            if begun.made_by.as_ref() == Some(&made_by) && next.is_none() {
                progress.say(&format!("going on with generation {}, which was begun before", begun.number));
                next = Some(begun.number);
            } else {
                progress.say(&format!("dropping generation {}: it was begun by other rules", begun.number));
                generations.drop(begun.number).await?;
            }
        }
        let next = next.unwrap_or(newest + 1);
        progress.say(&format!("generation {live} is shown; filling generation {next} from the log"));
        Self::of(config, log, shell, (options.clone(), only), progress, (generations, turn), (live, next, &made_by))
            .await
    }

    /// Begins a rollback.
    pub(super) async fn back(
        config: &Config,
        log: &'a Arc<dyn EventLog>,
        shell: &Shell,
        lines: Lines,
    ) -> anyhow::Result<Self> {
        let mut progress = Progress::new(lines);
        Store::open(config).await?;
        let generations = Generations::of(config)?;
        let turn = generations.take_turn().await?;
        let all = generations.all(&mut generations.connect().await?).await?;
        let live =
            all.iter().find(|generation| generation.role == Role::Shown).context("no generation is shown")?.number;
        let kept = all.iter().filter(|generation| generation.role == Role::Kept);
        let kept = kept.max_by_key(|generation| generation.left_us).context(
            "no generation is kept that could be shown again: none was rebuilt, or the older ones were pruned",
        )?;
        progress.say(&format!("generation {live} is shown; generation {} catches up", kept.number));
        let parts = (Options::default(), Only::of(&[])?);
        Self::of(config, log, shell, parts, progress, (generations, turn), (live, kept.number, "")).await
    }

    async fn of(
        config: &Config,
        log: &'a Arc<dyn EventLog>,
        shell: &Shell,
        (options, only): (Options, Only),
        progress: Progress,
        (generations, turn): (Generations, Turn),
        (live, next, made_by): (i64, i64, &str),
    ) -> anyhow::Result<Self> {
        generations.lay(next, made_by).await?;
        let component = shell.health.component("rebuild");
        let store = Store::beside(config, next)?;
        let fill = Fill::new(config, log, store, (shell, &component), options.load);
        let topics = Topics::of(&Config { event_log: true, ..config.clone() });
        let shutdown = shell.shutdown.clone();
        Ok(Self { log, shutdown, options, only, topics, generations, fill, progress, live, next, _turn: turn })
    }

    /// Fills, compares and, where it may, switches.
    pub(super) async fn rebuild(mut self) -> anyhow::Result<Outcome> {
        // What the live one keeps no longer is not made again.
        let (live, rebuilt) = (self.generations.data(self.live), self.generations.data(self.next));
        retention::take_over(&mut self.generations.connect().await?, &live, &rebuilt).await?;
        if self.approach().await? == Filled::Stopped {
            return Ok(Outcome::Stopped);
        }
        // Nothing is removed from the live one until the two have been compared.
        let mut snapshot = self.generations.connect().await?;
        if !self.keep(&mut snapshot).await? {
            return Ok(Outcome::Stopped);
        }
        let Near::Held(held) = self.come_near().await? else { return Ok(Outcome::Stopped) };
        let vector = held.vector.clone();
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ").execute(&mut snapshot).await?;
        // The first question makes the snapshot, while both stand still.
        let reached = self.generations.vector(&mut snapshot, self.next).await?;
        let expected = self.only.filled(&self.topics, &vector, &reached);
        anyhow::ensure!(same(&expected, &reached), "the new generation does not stand at the offsets it was filled to");
        let since = held.since;
        held.release().await?;
        self.tell_held(since);
        let shutdown = self.shutdown.clone();
        let equal = tokio::select! {
            biased;
            // What was copied goes with its transaction; what was filled stands.
            () = shutdown.draining() => return Ok(Outcome::Stopped),
            equal = self.compare(&mut snapshot, &vector) => equal?,
        };
        sqlx::raw_sql("COMMIT; SELECT pg_advisory_unlock_all()").execute(&mut snapshot).await?;
        // Else readers would be without statistics until the server comes by itself.
        self.generations.analyze(&mut snapshot, self.next).await?;
        if self.options.dry_run || !(equal || self.options.accept) {
            return Ok(if equal { Outcome::Equal } else { Outcome::Different });
        }
        self.switch().await
    }

    /// Copies what the log cannot give, compares table by table and writes the file; answers whether all are equal.
    async fn compare(&mut self, snapshot: &mut PgConnection, vector: &[OffsetRow]) -> anyhow::Result<bool> {
        let (live, rebuilt) = (self.generations.data(self.live), self.generations.data(self.next));
        let all = tables::all(snapshot, &live).await?;
        self.only.copy_rest(snapshot, &all, &self.topics, vector, (&live, &rebuilt)).await?;
        let reached = self.only.filled(&self.topics, vector, &[]);
        let cuts = Cuts::find(&**self.log, &self.topics, &reached).await?;
        let older = Copier { tables: &all, live: &live, rebuilt: &rebuilt, source: self.live };
        let copied = older.copy(snapshot, &cuts).await?;
        retention::settle(snapshot, &live, &rebuilt).await?;
        for (model, rows) in &copied {
            self.progress.say(&format!("{model}: {rows} rows are older than the log; copied and marked"));
        }
        let mut compared = Vec::with_capacity(all.len());
        for table in &all {
            let one = compare::compare(snapshot, table, &live, &rebuilt).await?;
            self.progress.say(&one.line());
            compared.push(one);
        }
        let equal = compared.iter().all(compare::Compared::equal);
        let offsets: Vec<Value> = vector
            .iter()
            .map(|row| json!({"topic": row.topic, "partition": row.partition, "next_offset": row.next_offset}))
            .collect();
        let report = json!({
            "live": self.live, "rebuilt": self.next, "equal": equal, "offsets": offsets, "copied": copied,
            "models": compared.iter().map(compare::Compared::as_json).collect::<Vec<_>>(),
        });
        let path = self.options.report.clone();
        let path = path.unwrap_or_else(|| PathBuf::from(format!("rebuild-{live}-{rebuilt}.json")));
        write(&path, &report)?;
        self.progress.say(&format!("the comparison is in {}", path.display()));
        Ok(equal)
    }

    /// Catches up and moves the views.
    pub(super) async fn switch(mut self) -> anyhow::Result<Outcome> {
        let until = Instant::now() + PATIENCE;
        loop {
            let Near::Held(held) = self.come_near().await? else { return Ok(Outcome::Stopped) };
            let since = held.since;
            let moved = match self.generations.switch(held, self.live, self.next).await {
                Err(StoreError::Away(error)) => {
                    self.find_out(&error).await?;
                    true
                }
                outcome => outcome?,
            };
            self.tell_held(since);
            if moved {
                self.progress.say(&format!("the views show generation {}", self.next));
                return Ok(Outcome::Switched(self.next));
            }
            anyhow::ensure!(
                Instant::now() < until,
                "transactions that read the views kept them from moving for {} s: end them and begin again",
                PATIENCE.as_secs()
            );
            self.progress.say("the views are being read by long transactions; trying again");
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn tell_held(&mut self, since: Instant) {
        self.progress.say(&format!("projectors were held up for {} ms", since.elapsed().as_millis()));
    }

    /// Finds out whether the views moved, after an answer was lost: an error where they did not.
    async fn find_out(&mut self, lost: &sqlx::Error) -> anyhow::Result<()> {
        self.progress.say(&format!("Postgres's answer to the switch was lost ({lost}); asking what became of it"));
        let until = Instant::now() + FINDS_OUT;
        loop {
            match self.generations.settled().await {
                Ok(shown) if shown == self.next => {
                    self.progress.say("the switch had taken place");
                    return Ok(());
                }
                Ok(shown) => anyhow::bail!(
                    "the switch did not take place, for Postgres was away: generation {shown} is shown as before; the same \
                     command goes on from here"
                ),
                Err(StoreError::Away(_)) if Instant::now() < until && !self.shutdown.is_draining() => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => anyhow::bail!(
                    "whether the views show generation {} by now is not known ({error}): `projector status` tells which \
                     one they show; where it is another, the same command goes on from here",
                    self.next
                ),
            }
        }
    }

    pub(super) async fn vector(&self) -> anyhow::Result<Vec<OffsetRow>> {
        let vector = self.generations.vector(&mut self.generations.connect().await?, self.live).await?;
        self.filled(&vector).await
    }

    pub(super) async fn filled(&self, live: &[OffsetRow]) -> anyhow::Result<Vec<OffsetRow>> {
        let reached = self.generations.vector(&mut self.generations.connect().await?, self.next).await?;
        Ok(self.only.filled(&self.topics, live, &reached))
    }
}

/// Release and settings that decide what comes of a record.
fn made_by(config: &Config, only: &Only) -> anyhow::Result<String> {
    let games = config.games.as_deref().map(std::fs::read).transpose().context("reading --games")?;
    let mut hasher = DefaultHasher::new();
    games.hash(&mut hasher);
    Ok(format!("projector {}, settings {:016x}, models {}", env!("CARGO_PKG_VERSION"), hasher.finish(), only.name()))
}

fn write(path: &Path, report: &Value) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(report)?;
    std::fs::write(path, text + "\n").with_context(|| format!("writing the comparison to {}", path.display()))
}
