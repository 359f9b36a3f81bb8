//! Whether records come from the topics that the rows were made from.
//!
//! A topic that is deleted and made again under a projector goes on, for Kafka's client, at the old offset, if it holds
//! that by then: what lies below would be skipped. Asked after the records were read, the log's answer proves where
//! they came from, since an identity never comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use eventlog::{EventLog, LogError};

use crate::load::Slice;

/// The identities of topics, as claims found them.
pub(crate) struct Identities {
    log: Arc<dyn EventLog>,
    known: Mutex<BTreeMap<Arc<str>, String>>,
}

/// Why records may not be written.
#[derive(Debug)]
pub(crate) enum Doubt {
    /// The log does not say at the moment.
    Unknown(String),
    /// A person must act; the message says how.
    Other(String),
}

impl Identities {
    pub(crate) fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, known: Mutex::default() }
    }

    /// The rows were made from this topic.
    pub(crate) fn know(&self, topic: &Arc<str>, id: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(Arc::clone(topic), id.to_owned());
    }

    /// Asks for the topics of all records in a load, from now on.
    pub(crate) fn ask(&self, load: &[Slice]) -> impl Future<Output = Result<(), Doubt>> + use<> {
        let topics: BTreeSet<&Arc<str>> =
            load.iter().filter(|slice| !slice.entries.is_empty()).map(|slice| &slice.partition.topic).collect();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: Vec<(Arc<str>, String)> =
            topics.into_iter().filter_map(|topic| Some((Arc::clone(topic), known.get(topic)?.clone()))).collect();
        drop(known);
        let log = Arc::clone(&self.log);
        async move {
            for (topic, id) in wanted {
                compare(&*log, &topic, &id).await?;
            }
            Ok(())
        }
    }
}

async fn compare(log: &dyn EventLog, topic: &str, id: &str) -> Result<(), Doubt> {
    match log.topic(topic).await {
        Ok(found) if found.id == id => Ok(()),
        Ok(found) => Err(Doubt::Other(format!(
            "topic {topic} was deleted and made again under this projector: it is {} now, the rows were made from {id}; \
             nothing of the new one was written; fill a new --schema from it, or put the old log back",
            found.id
        ))),
        Err(LogError::Unavailable(why)) => Err(Doubt::Unknown(why)),
        Err(LogError::NotFound(_)) => Err(Doubt::Unknown(format!(
            "topic {topic} is gone; its last records wait until it is known whether it comes back"
        ))),
        Err(error) => Err(Doubt::Other(error.to_string())),
    }
}
