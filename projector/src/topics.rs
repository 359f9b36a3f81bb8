//! The topics that a projector reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::topics::Topic;

use crate::config::Config;

/// Whole names of the topics that are read, and which they are.
pub(crate) struct Topics {
    by_name: BTreeMap<Arc<str>, Topic>,
    quarantine: String,
}

impl Topics {
    pub(crate) fn of(config: &Config) -> Self {
        let always = [Topic::Sessions, Topic::Live, Topic::Activity, Topic::Quarantine, Topic::Outcomes];
        let events = config.event_log.then_some(Topic::Events);
        let named = |topic: Topic| (topic.name(&config.topic_prefix).into(), topic);
        let quarantine = Topic::Quarantine.name(&config.topic_prefix);
        Self { by_name: always.into_iter().chain(events).map(named).collect(), quarantine }
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.by_name.keys().cloned().collect()
    }

    /// Which one has this name; none of ours if none.
    pub(crate) fn named(&self, name: &str) -> Option<Topic> {
        self.by_name.get(name).copied()
    }

    /// Name of the one that takes what is refused.
    pub(crate) fn quarantine(&self) -> &str {
        &self.quarantine
    }
}
