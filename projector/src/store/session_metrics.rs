//! session_metrics: a column for each metric.

use std::sync::LazyLock;

use sqlx::PgConnection;

use super::sessions::bigint;
use super::statement::{Column, Conflict, ROWS, Wire, column, insert};
use crate::error::StoreError;
use crate::figures::{FIGURES, Figure};
use crate::project::SessionRow;

static WRITE: LazyLock<String> = LazyLock::new(|| {
    let keys = [
        column("tenant", Wire::Text),
        column("session_id", Wire::Uuid),
        column("metrics_version", Wire::Bigint),
        column("revision", Wire::Bigint),
    ];
    let figures = FIGURES.iter().map(|(name, figure)| {
        let wire = match figure {
            Figure::Ms(_) | Figure::Count(_) => Wire::Bigint,
            Figure::Ratio(_) => Wire::Double,
            Figure::Truth(_) => Wire::Boolean,
        };
        column(name, wire)
    });
    let columns: Vec<Column> = keys.into_iter().chain(figures).collect();
    insert("session_metrics", &columns, 2, Conflict::Replace)
});

/// Writes the metrics of these reports; those of an older one of the same session are replaced.
pub(super) async fn write(connection: &mut PgConnection, sessions: &[SessionRow<'_>]) -> Result<u64, StoreError> {
    let mut written = 0;
    for rows in sessions.chunks(ROWS) {
        let reports = || rows.iter().map(|row| row.report);
        let mut query = sqlx::query(WRITE.as_str())
            .bind(reports().map(|report| report.tenant.as_str()).collect::<Vec<_>>())
            .bind(reports().map(|report| report.session).collect::<Vec<_>>())
            .bind(reports().map(|report| i64::from(report.facts.metrics_version)).collect::<Vec<_>>())
            .bind(reports().map(|report| bigint(report.revision)).collect::<Vec<_>>());
        for (_, figure) in FIGURES {
            let metrics = reports().map(|report| &report.facts.metrics);
            query = match figure {
                Figure::Ms(read) => query.bind(metrics.map(read).collect::<Vec<_>>()),
                Figure::Count(read) => query.bind(metrics.map(|metrics| bigint(read(metrics))).collect::<Vec<_>>()),
                Figure::Ratio(read) => query.bind(metrics.map(read).collect::<Vec<_>>()),
                Figure::Truth(read) => query.bind(metrics.map(read).collect::<Vec<_>>()),
            };
        }
        written += query.execute(&mut *connection).await?.rows_affected();
    }
    Ok(written)
}
