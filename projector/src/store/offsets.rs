//! offsets: how far the rows follow the log, who may write them, and the proof of both.
//!
//! A projector that is given a partition *claims* it: the epoch goes up, and waits for a transaction
//! that an earlier owner has under way. The first statement of each load moves the offsets from what
//! this projector has seen, under its epoch; whoever has been overtaken moves nothing and rolls back.

use std::collections::HashMap;

use eventlog::{OffsetRange, TopicPartition};
use sqlx::{AssertSqlSafe, PgConnection};

use super::laid::OffsetRow;
use crate::error::StoreError;
use crate::load::Slice;

/// The set of rows that follows the log by these offsets.
const PROJECTION: &str = "read_models";

/// A partition that this projector has been given.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whole name of its topic.
    pub topic: String,
    /// Identity of the topic now.
    pub topic_id: String,
    /// Its number.
    pub partition: i32,
    /// What it holds now.
    pub range: OffsetRange,
    /// Records that are gone are of no use any more: go on from the oldest that is left.
    pub may_skip: bool,
}

/// A claim: where to go on, and under which epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Under which epoch to write.
    pub epoch: i64,
    /// What the row says, and the first load must have seen.
    pub next_offset: i64,
}

/// How a partition should stand when no load of it is under way.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Which partition.
    pub partition: TopicPartition,
    /// The claim under which it is written.
    pub epoch: i64,
    /// What its row should say.
    pub next_offset: i64,
}

/// How a slice stands after an attempt whose outcome is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Written.
    Done,
    /// Not written, and still this projector's.
    Unmoved,
    /// Still this projector's, but the server forgot what it had acknowledged when it crashed: the rows
    /// go on at this offset.
    Behind(i64),
    /// Another's.
    Lost,
    /// The claim itself is gone, as after a fail-over to a copy that lagged: join anew.
    Forgotten,
}

const LOOK: &str = "SELECT topic, partition, next_offset, epoch FROM offsets WHERE projection = $1";

const ADD: &str = "
    INSERT INTO offsets (projection, topic, topic_id, partition, next_offset)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[])
    ON CONFLICT DO NOTHING";

const CLAIM: &str = "
    UPDATE offsets o SET epoch = o.epoch + 1
      FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS wanted (topic, partition, place)
     WHERE o.projection = $1 AND o.topic = wanted.topic AND o.partition = wanted.partition
 RETURNING wanted.place, o.topic_id, o.next_offset, o.epoch";

const ADVANCE: &str = "
    UPDATE offsets o SET next_offset = moved.next
      FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
           AS moved (topic, partition, epoch, seen, next)
     WHERE o.projection = $1 AND o.topic = moved.topic AND o.partition = moved.partition
       AND o.epoch = moved.epoch AND o.next_offset = moved.seen";

/// Waits for a transaction that is still being decided.
const STANDING: &str = "
    SELECT next_offset, epoch FROM offsets WHERE projection = $1 AND topic = $2 AND partition = $3 FOR UPDATE";

/// Claims partitions; the claims come in the order of `wanted`.
///
/// # Errors
/// [`StoreError::Fatal`] when a topic is another one than the rows were made from, or no longer holds
/// what comes next: nothing is skipped unasked.
pub(super) async fn claim(connection: &mut PgConnection, wanted: &[Wanted]) -> Result<Vec<Claim>, StoreError> {
    let topics: Vec<&str> = wanted.iter().map(|wanted| wanted.topic.as_str()).collect();
    let partitions: Vec<i64> = wanted.iter().map(|wanted| i64::from(wanted.partition)).collect();
    sqlx::query(ADD)
        .bind(PROJECTION)
        .bind(&topics)
        .bind(wanted.iter().map(|wanted| wanted.topic_id.as_str()).collect::<Vec<_>>())
        .bind(&partitions)
        .bind(wanted.iter().map(|wanted| wanted.range.low).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    let mut rows: Vec<(i64, String, i64, i64)> =
        sqlx::query_as(CLAIM).bind(PROJECTION).bind(&topics).bind(&partitions).fetch_all(connection).await?;
    rows.sort_unstable();
    if rows.len() != wanted.len() {
        return Err(StoreError::Fatal("rows of the offsets table went away while they were claimed".to_owned()));
    }
    wanted
        .iter()
        .zip(rows)
        .map(|(wanted, (_, topic_id, next_offset, epoch))| {
            check(wanted, &topic_id, next_offset)?;
            Ok(Claim { epoch, next_offset })
        })
        .collect()
}

/// Judges whether the log still goes on where the rows end.
fn check(wanted: &Wanted, topic_id: &str, next_offset: i64) -> Result<(), StoreError> {
    let Wanted { topic, partition, range: OffsetRange { low, high }, .. } = wanted;
    if topic_id != wanted.topic_id {
        return Err(StoreError::Fatal(format!(
            "topic {topic} is another one now ({}) than the rows were made from ({topic_id}): it was deleted and made \
             again, or this is another log; use another --schema, or put the old log back",
            wanted.topic_id
        )));
    }
    let skipped = next_offset < *low && !wanted.may_skip;
    if skipped || next_offset > *high {
        return Err(StoreError::Fatal(format!(
            "{topic}/{partition} holds offsets {low} to {high}, and the rows go on at {next_offset}: it was truncated, or \
             its records were dropped before they were read; fill a new --schema from what is left, or set next_offset \
             to {low} in the table offsets to accept the loss",
        )));
    }
    Ok(())
}

/// Moves the offsets over these slices: all of them, or [`StoreError::Fenced`].
pub(super) async fn advance(connection: &mut PgConnection, slices: &[Slice]) -> Result<(), StoreError> {
    let moved = sqlx::query(ADVANCE)
        .bind(PROJECTION)
        .bind(slices.iter().map(|slice| &*slice.partition.topic).collect::<Vec<&str>>())
        .bind(slices.iter().map(|slice| i64::from(slice.partition.partition)).collect::<Vec<_>>())
        .bind(slices.iter().map(|slice| slice.epoch).collect::<Vec<_>>())
        .bind(slices.iter().map(|slice| slice.seen).collect::<Vec<_>>())
        .bind(slices.iter().map(|slice| slice.next).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    if usize::try_from(moved.rows_affected()) == Ok(slices.len()) { Ok(()) } else { Err(StoreError::Fenced) }
}

/// How a slice stands.
pub(super) async fn standing(connection: &mut PgConnection, slice: &Slice) -> Result<Standing, StoreError> {
    let row: Option<(i64, i64)> = sqlx::query_as(STANDING)
        .bind(PROJECTION)
        .bind(&*slice.partition.topic)
        .bind(i64::from(slice.partition.partition))
        .fetch_optional(connection)
        .await?;
    Ok(match row {
        Some((next, epoch)) if epoch == slice.epoch && next == slice.seen => Standing::Unmoved,
        row => judge(row, slice.epoch, slice.next),
    })
}

/// How partitions stand of which no load is under way. Waits for nobody.
pub(super) async fn look(connection: &mut PgConnection, expected: &[Expected]) -> Result<Vec<Standing>, StoreError> {
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(LOOK).bind(PROJECTION).fetch_all(connection).await?;
    let rows: HashMap<(&str, i64), (i64, i64)> =
        rows.iter().map(|(topic, partition, next, epoch)| ((topic.as_str(), *partition), (*next, *epoch))).collect();
    let standing = |expected: &Expected| {
        let TopicPartition { topic, partition } = &expected.partition;
        judge(rows.get(&(&**topic, i64::from(*partition))).copied(), expected.epoch, expected.next_offset)
    };
    Ok(expected.iter().map(standing).collect())
}

/// All rows of the offsets table in this schema.
pub(super) async fn rows(connection: &mut PgConnection, data: &str) -> Result<Vec<OffsetRow>, StoreError> {
    let sql =
        format!("SELECT topic, topic_id, partition, next_offset, epoch FROM {data}.offsets WHERE projection = $1");
    let rows: Vec<(String, String, i64, i64, i64)> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(PROJECTION).fetch_all(connection).await?;
    rows.into_iter()
        .map(|(topic, topic_id, partition, next_offset, epoch)| {
            let partition = i32::try_from(partition)
                .map_err(|_| StoreError::Fatal(format!("the offsets table speaks of partition {partition}")))?;
            Ok(OffsetRow { topic, topic_id, partition, next_offset, epoch })
        })
        .collect()
}

/// What a row of next offset and epoch says to one who holds a claim and expects it to say `next`.
fn judge(row: Option<(i64, i64)>, held: i64, next: i64) -> Standing {
    match row {
        Some((_, epoch)) if epoch > held => Standing::Lost,
        Some((_, epoch)) if epoch < held => Standing::Forgotten,
        Some((found, _)) if found == next => Standing::Done,
        Some((found, _)) => Standing::Behind(found),
        None => Standing::Forgotten,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(low: i64, high: i64, may_skip: bool) -> Wanted {
        let range = OffsetRange { low, high };
        Wanted { topic: "play.sessions".into(), topic_id: "one".into(), partition: 0, range, may_skip }
    }

    #[test]
    fn a_log_that_does_not_go_on_where_the_rows_end_is_refused() {
        assert!(check(&wanted(5, 9, false), "one", 5).is_ok());
        assert!(check(&wanted(5, 9, false), "one", 9).is_ok());
        for (wanted, id, next) in [
            (wanted(5, 9, false), "one", 4),
            (wanted(5, 9, false), "one", 10),
            (wanted(5, 9, true), "one", 10),
            (wanted(5, 9, true), "two", 5),
        ] {
            assert!(check(&wanted, id, next).is_err(), "{next}");
        }
        assert!(check(&wanted(5, 9, true), "one", 4).is_ok());
    }
}
