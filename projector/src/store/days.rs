//! player_days and daily_players: corrected by what players' days gain and lose.
//!
//! A row of player_days says all that it gives to daily_players: one active player, so many sessions, a new
//! player where it is the first day, one who returned to the cohort of that first day. So what the rows of a
//! load gave before and give now is set off, and rows of daily_players are corrected by the difference.

use sqlx::PgConnection;
use sqlx::types::chrono::NaiveDate;

use crate::error::StoreError;
use crate::project::DayChange;

/// All parts see the tables as they were before: `had` and `was` are what goes, `has` and `first_day` what comes.
const CORRECT: &str = "
    WITH changed AS (
        SELECT c.*, d.sessions AS had, coalesce(d.sessions, 0) + c.more AS has
          FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::bigint[]) AS c (tenant, game, player_id, day, more)
          LEFT JOIN player_days d USING (tenant, game, player_id, day)
    ), spans AS (
        SELECT c.tenant, c.game, c.player_id, f.first_day AS was,
               min(c.day) FILTER (WHERE c.has > 0) AS gained,
               bool_or(c.day = f.first_day AND c.has = 0) AS lost
          FROM changed c
          LEFT JOIN LATERAL (
               SELECT d.first_day FROM player_days d
                WHERE d.tenant = c.tenant AND d.game = c.game AND d.player_id = c.player_id
                LIMIT 1) f ON true
         GROUP BY c.tenant, c.game, c.player_id, f.first_day
    ), firsts AS (
        SELECT s.tenant, s.game, s.player_id, s.was,
               CASE WHEN NOT coalesce(s.lost, false) THEN least(s.was, s.gained)
                    ELSE least(s.gained, (
                         SELECT min(d.day) FROM player_days d
                          WHERE d.tenant = s.tenant AND d.game = s.game AND d.player_id = s.player_id
                            AND NOT EXISTS (SELECT FROM changed c
                                             WHERE c.tenant = d.tenant AND c.game = d.game
                                               AND c.player_id = d.player_id AND c.day = d.day AND c.has = 0)))
               END AS first_day
          FROM spans s
    ), touched AS (
        SELECT c.tenant, c.game, c.player_id, c.day, c.had, c.has, f.was, f.first_day
          FROM changed c JOIN firsts f USING (tenant, game, player_id)
        UNION ALL
        SELECT d.tenant, d.game, d.player_id, d.day, d.sessions, d.sessions, f.was, f.first_day
          FROM firsts f JOIN player_days d USING (tenant, game, player_id)
         WHERE f.was <> f.first_day
           AND NOT EXISTS (SELECT FROM changed c
                            WHERE c.tenant = d.tenant AND c.game = d.game AND c.player_id = d.player_id AND c.day = d.day)
    ), written AS (
        INSERT INTO player_days (tenant, game, player_id, day, sessions, first_day)
        SELECT tenant, game, player_id, day, has, first_day FROM touched WHERE has > 0
        ON CONFLICT (tenant, game, player_id, day)
        DO UPDATE SET sessions = excluded.sessions, first_day = excluded.first_day
    ), removed AS (
        DELETE FROM player_days d
         USING touched t
         WHERE t.has = 0 AND t.tenant = d.tenant AND t.game = d.game AND t.player_id = d.player_id AND t.day = d.day
    ), shares AS (
        SELECT tenant, game, day, 1 AS active, (day = first_day)::int AS new, has AS sessions, 0 AS d1, 0 AS d7, 0 AS d30
          FROM touched WHERE has > 0
        UNION ALL
        SELECT tenant, game, day, -1, -(day = was)::int, -had, 0, 0, 0
          FROM touched WHERE had > 0
        UNION ALL
        SELECT tenant, game, first_day, 0, 0, 0,
               (day - first_day = 1)::int, (day - first_day = 7)::int, (day - first_day = 30)::int
          FROM touched WHERE has > 0 AND day - first_day IN (1, 7, 30)
        UNION ALL
        SELECT tenant, game, was, 0, 0, 0, -(day - was = 1)::int, -(day - was = 7)::int, -(day - was = 30)::int
          FROM touched WHERE had > 0 AND day - was IN (1, 7, 30)
    )
    INSERT INTO daily_players AS p (tenant, game, day, active, new, sessions, returned_1d, returned_7d, returned_30d)
    SELECT tenant, game, day, sum(active), sum(new), sum(sessions), sum(d1), sum(d7), sum(d30)
      FROM shares
     GROUP BY tenant, game, day
     ORDER BY tenant, game, day
    ON CONFLICT (tenant, game, day) DO UPDATE SET
        active       = p.active + excluded.active,
        new          = p.new + excluded.new,
        sessions     = p.sessions + excluded.sessions,
        returned_1d  = p.returned_1d + excluded.returned_1d,
        returned_7d  = p.returned_7d + excluded.returned_7d,
        returned_30d = p.returned_30d + excluded.returned_30d
    RETURNING tenant, game, day, active";

/// Days on which nobody is left.
const FORGET: &str = "
    DELETE FROM daily_players p
     USING unnest($1::text[], $2::text[], $3::date[]) AS empty (tenant, game, day)
     WHERE p.tenant = empty.tenant AND p.game = empty.game AND p.day = empty.day";

/// Applies these changes, all in one statement, so that projectors which share a game lock its days in one order.
///
/// To be called when the players' rows have been written: their locks keep others from the same players'
/// days. And as late as may be: a day's row is everybody's.
pub(super) async fn write(connection: &mut PgConnection, changes: &[DayChange<'_>]) -> Result<u64, StoreError> {
    if changes.is_empty() {
        return Ok(0);
    }
    let days: Vec<(String, String, NaiveDate, i64)> = sqlx::query_as(CORRECT)
        .bind(changes.iter().map(|row| row.tenant).collect::<Vec<_>>())
        .bind(changes.iter().map(|row| row.game).collect::<Vec<_>>())
        .bind(changes.iter().map(|row| row.player_id).collect::<Vec<_>>())
        .bind(changes.iter().map(|row| row.day).collect::<Vec<_>>())
        .bind(changes.iter().map(|row| row.sessions).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
    let empty: Vec<_> = days.iter().filter(|(.., active)| *active == 0).collect();
    if !empty.is_empty() {
        sqlx::query(FORGET)
            .bind(empty.iter().map(|(tenant, ..)| tenant.as_str()).collect::<Vec<_>>())
            .bind(empty.iter().map(|(_, game, ..)| game.as_str()).collect::<Vec<_>>())
            .bind(empty.iter().map(|(_, _, day, _)| *day).collect::<Vec<_>>())
            .execute(connection)
            .await?;
    }
    Ok(days.len() as u64)
}
