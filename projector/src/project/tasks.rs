//! What sessions' news means for their tasks: rows that differ from those there are, and by how much the sums of each
//! task grow.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemas::report::{Kind, Report, TaskFigures};

use super::changes::{Changes, TaskRow};
use super::known::KnownTask;
use super::{SessionKey, bigint};
use crate::jsonb::plain;

/// What is summed up of a task over all sessions: the columns of task_counts.
pub const SUMS: [&str; 10] = [
    "sessions",
    "sessions_started",
    "sessions_abandoned",
    "sessions_timed",
    "starts",
    "completions",
    "abandons",
    "attempts",
    "successes",
    "hints",
];

/// Tenant, game and task → by how much each of [`SUMS`] grows; nothing where all of them stay.
pub type TaskGrowth<'a> = BTreeMap<(Cow<'a, str>, Cow<'a, str>, Cow<'a, str>), [i64; SUMS.len()]>;

/// Changes of tasks.
#[derive(Default)]
pub(super) struct Tasks<'a> {
    rows: Vec<TaskRow<'a>>,
    gone: Vec<(SessionKey<'a>, i64)>,
    growth: TaskGrowth<'a>,
}

impl<'a> Tasks<'a> {
    /// A session's tasks are those of `report` from now on, and no more those that it had.
    pub(super) fn replace(&mut self, key: SessionKey<'a>, had: &'a [KnownTask], report: &'a Report) {
        let has = if report.kind == Kind::Play { &report.facts.tasks[..] } else { &[] };
        let had: BTreeMap<i64, &KnownTask> = had.iter().map(|task| (task.ordinal, task)).collect();
        for (ordinal, task) in (0_i64..).zip(has) {
            match had.get(&ordinal) {
                Some(known) if same(known, report, task) => continue,
                Some(known) => self.grow(key.0, &known.game, plain(&known.figures.task_id), &known.figures, -1),
                None => {}
            }
            self.grow(key.0, report.game.as_str(), plain(&task.task_id), task, 1);
            self.rows.push(TaskRow { report, ordinal, task });
        }
        for (ordinal, known) in had.range(i64::try_from(has.len()).unwrap_or(i64::MAX)..) {
            self.grow(key.0, &known.game, plain(&known.figures.task_id), &known.figures, -1);
            self.gone.push((key, *ordinal));
        }
    }

    fn grow(&mut self, tenant: &'a str, game: &'a str, task_id: Cow<'a, str>, figures: &TaskFigures, sign: i64) {
        let sums = self.growth.entry((tenant.into(), game.into(), task_id)).or_default();
        for (sum, share) in sums.iter_mut().zip(shares(figures)) {
            *sum = sum.saturating_add(sign * share);
        }
    }

    pub(super) fn into_changes(mut self, changes: &mut Changes<'a>) {
        changes.task_growth = self.growth();
        changes.tasks = self.rows;
        changes.tasks_gone = self.gone;
    }

    fn growth(&mut self) -> TaskGrowth<'a> {
        let mut growth = std::mem::take(&mut self.growth);
        growth.retain(|_, sums| sums.iter().any(|sum| *sum != 0));
        growth
    }
}

/// By how much the sums shrink when sessions of a tenant go that did this.
pub fn taken_back<'a>(tenant: &'a str, tasks: impl Iterator<Item = &'a KnownTask>) -> TaskGrowth<'a> {
    let mut all = Tasks::default();
    for task in tasks {
        all.grow(tenant, &task.game, plain(&task.figures.task_id), &task.figures, -1);
    }
    all.growth()
}

/// Whether the row of a task is as the report has it.
fn same(known: &KnownTask, report: &Report, task: &TaskFigures) -> bool {
    let KnownTask { game, player_id, figures, .. } = known;
    let unnamed = |figures: &TaskFigures| TaskFigures { task_id: String::new(), ..*figures };
    *game == report.game.as_str()
        && *player_id == report.player.as_str()
        && figures.task_id == plain(&task.task_id)
        && unnamed(figures) == unnamed(task)
}

/// What a task of a session gives to each of [`SUMS`].
fn shares(task: &TaskFigures) -> [i64; SUMS.len()] {
    let abandoned = task.starts > 0 && task.abandons > 0 && task.completions == 0;
    [
        1,
        i64::from(task.starts > 0),
        i64::from(abandoned),
        i64::from(task.spent_ms.is_some()),
        bigint(task.starts),
        bigint(task.completions),
        bigint(task.abandons),
        bigint(task.attempts),
        bigint(task.successes),
        bigint(task.hints),
    ]
}
