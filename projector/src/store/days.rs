//! player_days and daily_players: corrected by what players' days gain and lose.

use std::sync::LazyLock;

use sqlx::PgConnection;
use sqlx::types::chrono::NaiveDate;

use super::rows::Values;
use super::statement::{self, Conflict, insert};
use crate::error::StoreError;
use crate::project::{Before, DayChange, PlayerDay, PlayerDays, Settled};

const KEY: [&str; 4] = ["tenant", "game", "player_id", "day"];
const REST: [&str; 2] = ["sessions", "first_day"];

static WRITE: LazyLock<String> = LazyLock::new(|| insert("player_days", &KEY, &REST, Conflict::Replace));

/// Of each day its sessions, the player's first day, the same in all of the player's rows, and the tenant's last frozen
/// day. The first day stands in the first row that is not before the player's, in the order of the key, if it is the player's: asked
/// for any row of the player, the planner takes the other index while the table has no statistics, and goes
/// through all days of the game.
const BEFORE: &str = "
    SELECT (SELECT d.sessions FROM player_days d
             WHERE d.tenant = c.tenant AND d.game = c.game AND d.player_id = c.player_id AND d.day = c.day),
           (SELECT CASE WHEN d.tenant = c.tenant AND d.game = c.game AND d.player_id = c.player_id THEN d.first_day END
              FROM player_days d
             WHERE (d.tenant, d.game, d.player_id) >= (c.tenant, c.game, c.player_id)
             ORDER BY d.tenant, d.game, d.player_id, d.day LIMIT 1),
           (SELECT r.frozen_day FROM retained r WHERE r.tenant = c.tenant AND r.model = 'sessions')
      FROM unnest($1::text[], $2::text[], $3::text[], $4::date[]) WITH ORDINALITY AS c (tenant, game, player_id, day, place)
     ORDER BY c.place";

/// All days of some players.
const ALL: &str = "
    SELECT p.place, d.day, d.sessions
      FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS p (tenant, game, player_id, place)
      JOIN player_days d USING (tenant, game, player_id)";

const REMOVE: &str = "
    DELETE FROM player_days d
     USING unnest($1::text[], $2::text[], $3::text[], $4::date[]) AS gone (tenant, game, player_id, day)
     WHERE d.tenant = gone.tenant AND d.game = gone.game AND d.player_id = gone.player_id AND d.day = gone.day";

const CORRECT: &str = "
    INSERT INTO daily_players AS p (tenant, game, day, active, new, sessions, returned_1d, returned_7d, returned_30d)
    SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
                         $9::bigint[])
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

/// Applies these changes.
///
/// To be called when the players' rows have been written: their locks keep others from the same players'
/// days. And as late as may be: a day's row is everybody's.
pub(super) async fn write(connection: &mut PgConnection, changes: &[DayChange<'_>]) -> Result<u64, StoreError> {
    if changes.is_empty() {
        return Ok(0);
    }
    let before: Vec<Before> = sqlx::query_as(BEFORE)
        .bind(changes.iter().map(|row| row.tenant).collect::<Vec<_>>())
        .bind(changes.iter().map(|row| row.game).collect::<Vec<_>>())
        .bind(changes.iter().map(|row| row.player_id).collect::<Vec<_>>())
        .bind(changes.iter().map(|row| row.day).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
    let mut players = PlayerDays::of(changes, &before);
    let mut moving: Vec<&mut PlayerDays<'_>> = players.iter_mut().filter(|player| player.moves()).collect();
    tell_all(connection, &mut moving).await?;
    let mut settled = Settled::default();
    for player in &players {
        player.settle(&mut settled);
    }
    write_players(connection, &settled).await?;
    Ok(settled.rows.len() as u64 + correct(connection, &settled).await?)
}

/// Reads all days of players whose first day moves.
async fn tell_all(connection: &mut PgConnection, moving: &mut [&mut PlayerDays<'_>]) -> Result<(), StoreError> {
    if moving.is_empty() {
        return Ok(());
    }
    let days: Vec<(i64, NaiveDate, i64)> = sqlx::query_as(ALL)
        .bind(moving.iter().map(|player| player.tenant).collect::<Vec<_>>())
        .bind(moving.iter().map(|player| player.game).collect::<Vec<_>>())
        .bind(moving.iter().map(|player| player.player_id).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    for (place, day, sessions) in days {
        let player = usize::try_from(place - 1).ok().and_then(|at| moving.get_mut(at));
        if let Some(player) = player {
            player.tell(day, sessions);
        }
    }
    Ok(())
}

async fn write_players(connection: &mut PgConnection, settled: &Settled<'_>) -> Result<(), StoreError> {
    statement::write(connection, &WRITE, "player_days", &settled.rows, put).await?;
    let gone = &settled.removed;
    if !gone.is_empty() {
        sqlx::query(REMOVE)
            .bind(gone.iter().map(|row| row.tenant).collect::<Vec<_>>())
            .bind(gone.iter().map(|row| row.game).collect::<Vec<_>>())
            .bind(gone.iter().map(|row| row.player_id).collect::<Vec<_>>())
            .bind(gone.iter().map(|row| row.day).collect::<Vec<_>>())
            .execute(connection)
            .await?;
    }
    Ok(())
}

fn put(row: &PlayerDay<'_>, values: &mut Values<'_>) {
    values.put(row.tenant).put(row.game).put(row.player_id).put(row.day).put(row.sessions).put(row.first_day);
}

/// Corrects the days of games, all in one statement and in the order of their keys, so that projectors which share
/// a game do not wait for each other in a circle.
async fn correct(connection: &mut PgConnection, settled: &Settled<'_>) -> Result<u64, StoreError> {
    let totals: Vec<_> = settled.totals.iter().filter(|(_, totals)| totals.iter().any(|total| *total != 0)).collect();
    if totals.is_empty() {
        return Ok(0);
    }
    let mut query = sqlx::query_as(CORRECT)
        .bind(totals.iter().map(|((tenant, ..), _)| *tenant).collect::<Vec<_>>())
        .bind(totals.iter().map(|((_, game, _), _)| *game).collect::<Vec<_>>())
        .bind(totals.iter().map(|((.., day), _)| *day).collect::<Vec<_>>());
    for at in 0..totals[0].1.len() {
        query = query.bind(totals.iter().map(|(_, totals)| totals[at]).collect::<Vec<_>>());
    }
    let days: Vec<(String, String, NaiveDate, i64)> = query.fetch_all(&mut *connection).await?;
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
