//! session_metrics: a column for each metric.

use std::sync::LazyLock;

use schemas::report::Report;
use sqlx::PgConnection;

use super::rows::Values;
use super::statement::{self, Conflict, insert};
use crate::error::StoreError;
use crate::figures::{FIGURES, Figure};
use crate::project::bigint;

const KEY: [&str; 2] = ["tenant", "session_id"];

static WRITE: LazyLock<String> = LazyLock::new(|| {
    let figures = FIGURES.iter().map(|(name, _)| *name);
    let rest: Vec<&str> = ["metrics_version", "revision"].into_iter().chain(figures).collect();
    insert("session_metrics", &KEY, &rest, Conflict::Replace)
});

/// Writes the metrics of these reports; those of an older one of the same session are replaced.
pub(super) async fn write(connection: &mut PgConnection, reports: &[&Report]) -> Result<u64, StoreError> {
    statement::write(connection, &WRITE, "session_metrics", reports, put).await
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as all rows are put")]
fn put(report: &&Report, values: &mut Values<'_>) {
    values.put(report.tenant.as_str()).put(report.session);
    values.put(i64::from(report.facts.metrics_version)).put(bigint(report.revision));
    let metrics = &report.facts.metrics;
    for (_, figure) in FIGURES {
        match figure {
            Figure::Ms(read) => values.put(read(metrics)),
            Figure::Count(read) => values.put(bigint(read(metrics))),
            Figure::Ratio(read) => values.put_or_null(read(metrics)),
            Figure::Truth(read) => values.put(read(metrics)),
        };
    }
}
