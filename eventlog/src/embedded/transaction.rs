//! What one write transaction does: check the authors of commits, give out offsets, put the
//! records into the file.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::SqliteConnection;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};

use super::catalog::{self, Topic};
use super::chunk::{self, Chunk};
use super::layout::chunk_id;
use super::queue::{Author, Work};
use super::store::{Store, WriteTx};
use crate::NewRecord;

/// Rows of one wide INSERT: every statement is a trip to the driver's thread and back.
const WIDE: usize = 8;
const INSERT_ONE: &str = "INSERT INTO chunk (id, part, next, tombstones, max_ts, top_ts, sum, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const INSERT_WIDE: &str = "INSERT INTO chunk (id, part, next, tombstones, max_ts, top_ts, sum, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?),
           (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?)";

/// What came of one piece of work.
pub(super) enum Outcome {
    /// It is in the transaction; the offsets of its records, in their order.
    Kept(Vec<i64>),
    /// It is not and never will be: a record that cannot be taken.
    Refused(String),
    /// It is not: its author is a member no more.
    Fenced(String),
}

/// What a transaction has done.
pub(super) struct Written {
    /// Of each piece of work, in order.
    pub(super) outcomes: Vec<Outcome>,
    /// The new ends of the partition rows that were appended to.
    pub(super) ends: Vec<(i64, i64)>,
}

/// A chunk with what only its partition knows.
struct Placed {
    part: i64,
    /// The largest timestamp of the partition up to this chunk's end.
    top_ts: i64,
    chunk: Chunk,
}

/// A partition that is being appended to.
struct Tail {
    top_ts: i64,
    open: Chunk,
}

/// Does all of `works` within the transaction, in order; a piece that is refused leaves no trace.
pub(super) async fn write(store: &Store, tx: &mut WriteTx<'_>, works: &[Work]) -> Result<Written, sqlx::Error> {
    let connection = tx.connection();
    let mut routes = Vec::with_capacity(works.len());
    for work in works {
        routes.push(match fence(connection, work).await? {
            Some(why) => Err(Outcome::Fenced(why)),
            None => route(store, connection, records(work)).await?.map_err(Outcome::Refused),
        });
    }
    let Some(mut tails) = load_tails(connection, &routes).await? else {
        // A topic was deleted by another process just now: what is known of topics is stale.
        store.forget_all_but(&HashMap::new());
        return Err(sqlx::Error::RowNotFound);
    };
    let mut placed = Vec::new();
    let mut outcomes = Vec::with_capacity(works.len());
    for (work, route) in works.iter().zip(routes) {
        outcomes.push(match route {
            Ok(parts) => Outcome::Kept(pack(&mut tails, records(work), &parts, &mut placed)),
            Err(outcome) => outcome,
        });
    }
    let mut ends = Vec::with_capacity(tails.len());
    for (part, tail) in tails {
        ends.push((part, tail.open.next, tail.top_ts));
        if !tail.open.payload.is_empty() {
            placed.push(Placed { part, top_ts: tail.top_ts, chunk: tail.open });
        }
    }
    insert(connection, placed).await?;
    save_ends(connection, &ends).await?;
    for (work, outcome) in works.iter().zip(&outcomes) {
        if let (Work::Commit { author, .. }, Outcome::Kept(_)) = (work, outcome) {
            save_offsets(connection, author).await?;
        }
    }
    Ok(Written { outcomes, ends: ends.into_iter().map(|(part, next, _)| (part, next)).collect() })
}

fn records(work: &Work) -> &[NewRecord] {
    match work {
        Work::Append(records) => records,
        Work::Commit { commit, .. } => &commit.outputs,
    }
}

/// Why a commit must not be: its author has been replaced, or a partition has another owner now.
async fn fence(connection: &mut SqliteConnection, work: &Work) -> Result<Option<String>, sqlx::Error> {
    let Work::Commit { author, .. } = work else { return Ok(None) };
    let (epoch, owned): (i64, i64) = sqlx::query_as(
        "SELECT coalesce((SELECT epoch FROM member WHERE grp = ?1 AND instance = ?2), 0),
                (SELECT count(*) FROM json_each(?3) AS mine
                 JOIN claim ON claim.grp = ?1 AND claim.part = mine.value ->> 0 AND claim.epoch = mine.value ->> 1)",
    )
    .bind(&*author.group)
    .bind(&*author.instance)
    .bind(triples(&author.claims))
    .fetch_one(connection)
    .await?;
    let Author { group, instance, .. } = author;
    if epoch != author.epoch {
        return Ok(Some(format!("a newer member named {instance} has joined group {group}: this one is fenced")));
    }
    if usize::try_from(owned) != Ok(author.claims.len()) {
        return Ok(Some(format!("{instance} no longer owns all of these partitions in group {group}: it is fenced")));
    }
    Ok(None)
}

/// The partition row of each record, or why one of them can never be taken.
async fn route(
    store: &Store,
    connection: &mut SqliteConnection,
    records: &[NewRecord],
) -> Result<Result<Vec<i64>, String>, sqlx::Error> {
    let mut parts = Vec::with_capacity(records.len());
    let mut last: Option<(Arc<str>, Arc<Topic>)> = None;
    for record in records {
        let wanted = &record.partition;
        let topic = match &last {
            Some((name, topic)) if Arc::ptr_eq(name, &wanted.topic) => topic,
            _ => {
                let Some(topic) = find_topic(store, connection, &wanted.topic).await? else {
                    return Ok(Err(format!("there is no topic {}", wanted.topic)));
                };
                &last.insert((Arc::clone(&wanted.topic), topic)).1
            }
        };
        let Some(part) = topic.part(wanted.partition) else {
            return Ok(Err(format!("there is no partition {wanted}: the topic has {}", topic.spec.partitions)));
        };
        let (size, limit) = (chunk::size(record), topic.spec.max_message_bytes as usize);
        if size > limit {
            return Ok(Err(format!("a record of {size} bytes is too large for {wanted}, which takes up to {limit}")));
        }
        parts.push(part);
    }
    Ok(Ok(parts))
}

async fn find_topic(
    store: &Store,
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<Arc<Topic>>, sqlx::Error> {
    if let Some(topic) = store.known_topic(name) {
        return Ok(Some(topic));
    }
    Ok(catalog::load(connection, name).await?.map(|topic| store.remember(topic)))
}

/// Where the partitions that are appended to end now; none when one of them is gone.
async fn load_tails(
    connection: &mut SqliteConnection,
    routes: &[Result<Vec<i64>, Outcome>],
) -> Result<Option<HashMap<i64, Tail>>, sqlx::Error> {
    let mut wanted: Vec<i64> = routes.iter().flatten().flatten().copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(Some(HashMap::new()));
    }
    let rows: Vec<(i64, i64, i64)> =
        sqlx::query_as("SELECT id, next, top_ts FROM part WHERE id IN (SELECT value FROM json_each(?))")
            .bind(format!("{wanted:?}"))
            .fetch_all(connection)
            .await?;
    if rows.len() != wanted.len() {
        return Ok(None);
    }
    let tail = |(part, next, top_ts)| (part, Tail { top_ts, open: Chunk::starting_at(next) });
    Ok(Some(rows.into_iter().map(tail).collect()))
}

/// Gives offsets to records and packs them; chunks that are full go to `placed`.
fn pack(tails: &mut HashMap<i64, Tail>, records: &[NewRecord], parts: &[i64], placed: &mut Vec<Placed>) -> Vec<i64> {
    let mut offsets = Vec::with_capacity(records.len());
    for (record, part) in records.iter().zip(parts) {
        let Some(tail) = tails.get_mut(part) else { continue };
        offsets.push(tail.open.next);
        tail.open.push_new(record);
        tail.top_ts = tail.top_ts.max(record.timestamp_ms);
        if tail.open.is_full() {
            let chunk = std::mem::replace(&mut tail.open, Chunk::starting_at(0));
            tail.open = Chunk::starting_at(chunk.next);
            placed.push(Placed { part: *part, top_ts: tail.top_ts, chunk });
        }
    }
    offsets
}

async fn insert(connection: &mut SqliteConnection, placed: Vec<Placed>) -> Result<(), sqlx::Error> {
    let mut rest = placed.into_iter();
    while rest.len() >= WIDE {
        let wide = rest.by_ref().take(WIDE).fold(sqlx::query(INSERT_WIDE), bind);
        wide.execute(&mut *connection).await?;
    }
    for one in rest {
        bind(sqlx::query(INSERT_ONE), one).execute(&mut *connection).await?;
    }
    Ok(())
}

fn bind(query: Query<'_, Sqlite, SqliteArguments>, placed: Placed) -> Query<'_, Sqlite, SqliteArguments> {
    let Placed { part, top_ts, chunk } = placed;
    query
        .bind(chunk_id(part, chunk.first))
        .bind(part)
        .bind(chunk.next)
        .bind(chunk.tombstones)
        .bind(chunk.max_ts)
        .bind(top_ts)
        .bind(chunk.sum())
        .bind(chunk.payload)
}

async fn save_ends(connection: &mut SqliteConnection, ends: &[(i64, i64, i64)]) -> Result<(), sqlx::Error> {
    if ends.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE part SET next = new.value ->> 1, top_ts = new.value ->> 2
         FROM json_each(?) AS new WHERE part.id = new.value ->> 0",
    )
    .bind(triples(ends))
    .execute(connection)
    .await?;
    Ok(())
}

async fn save_offsets(connection: &mut SqliteConnection, author: &Author) -> Result<(), sqlx::Error> {
    if author.claims.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE claim SET committed = new.value ->> 2
         FROM json_each(?2) AS new WHERE claim.grp = ?1 AND claim.part = new.value ->> 0",
    )
    .bind(&*author.group)
    .bind(triples(&author.claims))
    .execute(connection)
    .await?;
    Ok(())
}

/// Triples as a JSON array of arrays, so that one prepared statement takes any number of them.
fn triples(rows: &[(i64, i64, i64)]) -> String {
    let mut json = String::from("[");
    for (index, (a, b, c)) in rows.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(json, "{comma}[{a},{b},{c}]");
    }
    json.push(']');
    json
}
