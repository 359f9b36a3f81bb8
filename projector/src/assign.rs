//! Takes over partitions: claims their offsets in Postgres, checks that the log goes on there.

use std::collections::HashMap;

use eventlog::{EventLog, LogError, TopicPartition};
use schemas::topics::Topic;

use crate::backoff::Backoff;
use crate::error::StoreError;
use crate::metrics;
use crate::store::{Claim, Store, Wanted};
use crate::topics::Topics;

/// A partition that has been taken over.
pub(crate) struct Taken {
    pub(crate) partition: TopicPartition,
    pub(crate) topic: Topic,
    pub(crate) claim: Claim,
    /// Identity of its topic, of which the rows were made.
    pub(crate) topic_id: String,
    /// Where to read from: the claim's offset, or the oldest record left where older ones are of no use.
    pub(crate) start: i64,
}

/// What became of partitions that were to be taken over.
pub(crate) enum Takeover {
    /// They are; none of them when a drain ran out of time meanwhile.
    Done(Vec<Taken>),
    /// The tables have to be opened again first, for this reason.
    Outdated(String),
}

/// Takes these partitions over.
///
/// # Errors
/// When the log does not go on where the rows end.
pub(crate) async fn take_over(
    log: &dyn EventLog,
    store: &Store,
    topics: &Topics,
    partitions: Vec<TopicPartition>,
    backoff: &mut Backoff,
) -> anyhow::Result<Takeover> {
    loop {
        let why = match try_take_over(log, store, topics, &partitions).await {
            Ok(taken) => {
                backoff.worked();
                return Ok(Takeover::Done(taken));
            }
            Err(Trouble::Log(error @ LogError::Unavailable(_))) => error.to_string(),
            Err(Trouble::Store(error @ StoreError::Away(_))) => {
                metrics::retried(error.sqlstate());
                error.to_string()
            }
            Err(Trouble::Store(StoreError::Outdated(why))) => return Ok(Takeover::Outdated(why)),
            Err(Trouble::Log(error)) => return Err(error.into()),
            Err(Trouble::Store(error)) => return Err(error.into()),
        };
        if !backoff.pause(&why).await {
            return Ok(Takeover::Done(Vec::new()));
        }
    }
}

enum Trouble {
    Log(LogError),
    Store(StoreError),
}

async fn try_take_over(
    log: &dyn EventLog,
    store: &Store,
    topics: &Topics,
    partitions: &[TopicPartition],
) -> Result<Vec<Taken>, Trouble> {
    let mut ids: HashMap<&str, String> = HashMap::new();
    let mut kinds = Vec::with_capacity(partitions.len());
    let mut wanted = Vec::with_capacity(partitions.len());
    for place in partitions {
        let Some(topic) = topics.named(&place.topic) else { continue };
        if !ids.contains_key(&*place.topic) {
            ids.insert(&place.topic, log.topic(&place.topic).await.map_err(Trouble::Log)?.id);
        }
        kinds.push((place, topic));
        wanted.push(Wanted {
            topic: place.topic.to_string(),
            topic_id: ids[&*place.topic].clone(),
            partition: place.partition,
            range: log.offsets(place).await.map_err(Trouble::Log)?,
            // Snapshots are dropped after a day: an older one says nothing of what runs now.
            may_skip: topic == Topic::Live,
        });
    }
    let claims = store.claim(&wanted).await.map_err(Trouble::Store)?;
    let taken = kinds.into_iter().zip(wanted).zip(claims).map(|(((place, topic), wanted), claim)| Taken {
        partition: place.clone(),
        topic,
        claim,
        topic_id: wanted.topic_id,
        start: claim.next_offset.max(wanted.range.low),
    });
    Ok(taken.collect())
}
