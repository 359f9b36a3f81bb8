//! players: corrected by what sessions gain and lose, counted anew where that does not tell.

use sqlx::PgConnection;

use crate::error::StoreError;
use crate::project::PlayerChange;

/// A player who gains has both times; one who only loses is counted anew instead.
const CORRECT: &str = "
    INSERT INTO players (tenant, player_id, first_seen, last_seen, sessions, events, active_ms)
    SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::bigint[])
    ON CONFLICT (tenant, player_id) DO UPDATE SET
        first_seen = least(players.first_seen, excluded.first_seen),
        last_seen  = greatest(players.last_seen, excluded.last_seen),
        sessions   = players.sessions + excluded.sessions,
        events     = players.events + excluded.events,
        active_ms  = players.active_ms + excluded.active_ms";

/// What is counted anew must not change meanwhile: another projector may add a session of the same player.
const LOCK: &str = "
    SELECT FROM unnest($1::text[], $2::text[]) AS moved (tenant, player_id)
      JOIN players p USING (tenant, player_id)
     ORDER BY p.tenant, p.player_id
       FOR UPDATE OF p";

const RECOUNT: &str = "
    INSERT INTO players (tenant, player_id, first_seen, last_seen, sessions, events, active_ms)
    SELECT tenant, player_id, min(started_at), max(ended_at), count(*), sum(event_count)::bigint, sum(active_ms)::bigint
      FROM unnest($1::text[], $2::text[]) AS moved (tenant, player_id)
      JOIN sessions USING (tenant, player_id)
     WHERE kind = 'play'
     GROUP BY tenant, player_id
    ON CONFLICT (tenant, player_id) DO UPDATE SET
        first_seen = excluded.first_seen,
        last_seen  = excluded.last_seen,
        sessions   = excluded.sessions,
        events     = excluded.events,
        active_ms  = excluded.active_ms";

/// Players whose last session went to another or turned out to be evidence.
const FORGET: &str = "
    DELETE FROM players p
     USING unnest($1::text[], $2::text[]) AS moved (tenant, player_id)
     WHERE p.tenant = moved.tenant AND p.player_id = moved.player_id
       AND NOT EXISTS (SELECT FROM sessions s
                        WHERE s.tenant = p.tenant AND s.player_id = p.player_id AND s.kind = 'play')";

/// Applies these changes. To be called when the sessions have been written.
pub(super) async fn write(connection: &mut PgConnection, changes: &[PlayerChange<'_>]) -> Result<u64, StoreError> {
    let (moved, corrected): (Vec<_>, Vec<_>) = changes.iter().partition(|row| row.recount || row.seen.is_none());
    let mut written = 0;
    if !corrected.is_empty() {
        let seen = corrected.iter().filter_map(|row| row.seen);
        let done = sqlx::query(CORRECT)
            .bind(corrected.iter().map(|row| row.tenant).collect::<Vec<_>>())
            .bind(corrected.iter().map(|row| row.player_id).collect::<Vec<_>>())
            .bind(seen.clone().map(|(first, _)| first.to_chrono()).collect::<Vec<_>>())
            .bind(seen.map(|(_, last)| last.to_chrono()).collect::<Vec<_>>())
            .bind(corrected.iter().map(|row| row.sessions).collect::<Vec<_>>())
            .bind(corrected.iter().map(|row| row.events).collect::<Vec<_>>())
            .bind(corrected.iter().map(|row| row.active_ms).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        written += done.rows_affected();
    }
    if !moved.is_empty() {
        for statement in [LOCK, RECOUNT, FORGET] {
            let done = sqlx::query(statement)
                .bind(moved.iter().map(|row| row.tenant).collect::<Vec<_>>())
                .bind(moved.iter().map(|row| row.player_id).collect::<Vec<_>>())
                .execute(&mut *connection)
                .await?;
            written += if statement == LOCK { 0 } else { done.rows_affected() };
        }
    }
    Ok(written)
}
