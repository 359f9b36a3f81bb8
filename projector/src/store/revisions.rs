//! What an older revision gave and the newer one does not give any more.

use sqlx::PgConnection;

use crate::error::StoreError;
use crate::project::SessionKey;

const TASKS: &str = "
    DELETE FROM session_tasks t
     USING unnest($1::text[], $2::uuid[], $3::bigint[]) AS newer (tenant, session_id, revision)
     WHERE t.tenant = newer.tenant AND t.session_id = newer.session_id AND t.revision < newer.revision";

const EVIDENCE: &str = "
    DELETE FROM skill_evidence t
     USING unnest($1::text[], $2::uuid[], $3::bigint[]) AS newer (tenant, session_id, revision)
     WHERE t.tenant = newer.tenant AND t.session_id = newer.session_id AND t.revision < newer.revision";

/// Removes the rows of these sessions that are of an older revision. To be called when the rows of the
/// newer one have been written: those it has in common have been replaced by then.
pub(super) async fn withdraw(
    connection: &mut PgConnection,
    revised: &[(SessionKey<'_>, i64)],
) -> Result<(), StoreError> {
    if revised.is_empty() {
        return Ok(());
    }
    for statement in [TASKS, EVIDENCE] {
        sqlx::query(statement)
            .bind(revised.iter().map(|((tenant, _), _)| *tenant).collect::<Vec<_>>())
            .bind(revised.iter().map(|((_, session), _)| *session).collect::<Vec<_>>())
            .bind(revised.iter().map(|(_, revision)| *revision).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
