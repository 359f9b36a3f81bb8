//! One load's transaction: offsets, then what is known, then the rows, then COMMIT.

use std::sync::Arc;

use schemas::games::Games;
use sqlx::postgres::PgConnection;

use super::connections::Connections;
use super::{
    counts, days, event_log, live_sessions, players, quarantine, retention, second_lives, session_evidence,
    session_metrics, session_tasks, sessions, task_counts,
};
use crate::error::StoreError;
use crate::load::Slice;
use crate::project::{Changes, Known};
use crate::store::counts::Counted;

/// Rows written, by table.
pub type Written = [(&'static str, u64); 14];

/// A transaction that has moved the offsets. Dropped, it leaves nothing behind: its connection is closed.
#[derive(Debug)]
pub struct Transaction(PgConnection, Arc<Connections>, Arc<Games>);

impl Transaction {
    pub(super) async fn begin(connections: &Arc<Connections>, games: &Arc<Games>) -> Result<Self, StoreError> {
        let mut connection = connections.take().await?;
        sqlx::raw_sql("BEGIN").execute(&mut connection).await?;
        Ok(Self(connection, Arc::clone(connections), Arc::clone(games)))
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.0
    }

    /// What the tables hold of the sessions that a load is about.
    ///
    /// # Errors
    /// When Postgres does not answer as it should.
    pub async fn known(&mut self, slices: &[Slice]) -> Result<Known, StoreError> {
        let known = sessions::known(&mut self.0, &Known::wanted(slices), &self.2).await?;
        Ok(known.within(retention::horizons(&mut self.0, &Known::tenants(slices)).await?))
    }

    /// Makes these changes.
    ///
    /// # Errors
    /// [`StoreError::Value`] when a table refuses one of the values.
    pub async fn apply(&mut self, changes: &Changes<'_>) -> Result<Written, StoreError> {
        let on = &mut self.0;
        let sessions = sessions::write(on, &changes.sessions).await?;
        let session_metrics = session_metrics::write(on, &changes.metrics).await?;
        let session_tasks = session_tasks::write(on, &changes.tasks).await?;
        session_tasks::remove(on, &changes.tasks_gone).await?;
        let session_evidence = session_evidence::write(on, &changes.evidence).await?;
        session_evidence::remove(on, &changes.evidence_gone).await?;
        let players = players::write(on, &changes.players).await?;
        let second_lives = second_lives::write(on, &changes.second_lives).await?;
        let live_sessions = live_sessions::write(on, &changes.live).await?;
        let live_ended = live_sessions::end(on, &changes.live_ended).await?;
        let activity = counts::write(on, Counted::Activity, &changes.activity).await?;
        let worker_outcomes = counts::write(on, Counted::WorkerOutcomes, &changes.worker_outcomes).await?;
        let outcomes = counts::write(on, Counted::Outcomes, &changes.outcomes).await?;
        let quarantine = quarantine::write(on, &changes.quarantine).await?;
        let event_log = event_log::write(on, &changes.events).await?;
        // Last, because projectors share these rows and would wait for each other.
        let task_counts = task_counts::write(on, &changes.task_growth).await?;
        let daily_players = days::write(on, &changes.days).await?;
        Ok([
            ("sessions", sessions),
            ("session_metrics", session_metrics),
            ("session_tasks", session_tasks),
            ("session_evidence", session_evidence),
            ("players", players),
            ("second_lives", second_lives),
            ("live_sessions", live_sessions + live_ended),
            ("activity_by_minute", activity),
            ("worker_outcomes", worker_outcomes),
            ("outcomes", outcomes),
            ("quarantine", quarantine),
            ("event_log", event_log),
            ("task_counts", task_counts),
            ("daily_players", daily_players),
        ])
    }

    /// Makes rows and offsets stand.
    ///
    /// # Errors
    /// Then it is not known whether they stand: ask [`super::Store::standing`].
    pub async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("COMMIT").execute(&mut self.0).await?;
        self.1.give_back(self.0);
        Ok(())
    }
}
