//! The tasks of a session, by name and in the order of first mention.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tasks::Task;
use crate::cow::Sorted;

/// Tasks by name; each knows how many were mentioned before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Each(Sorted<Arc<str>, (usize, Task)>);

impl Each {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The task of that name.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Task> {
        self.0.get_mut(name).map(|(_, task)| task)
    }

    /// Adds a task that is mentioned for the first time.
    pub(super) fn add(&mut self, name: &str, task: Task) {
        self.0.insert(name.into(), (self.0.len(), task));
    }

    /// The names, in no order that matters.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The tasks, in no order that matters.
    pub(super) fn values(&self) -> impl Iterator<Item = &Task> {
        self.0.iter().map(|(_, (_, task))| task)
    }

    /// The tasks in the order of first mention.
    pub(super) fn in_order(&self) -> Vec<(&str, &Task)> {
        let mut all: Vec<_> = self.0.iter().map(|(name, (place, task))| (*place, &**name, task)).collect();
        all.sort_unstable_by_key(|(place, ..)| *place);
        all.into_iter().map(|(_, name, task)| (name, task)).collect()
    }
}

impl Serialize for Each {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.in_order())
    }
}

impl<'de> Deserialize<'de> for Each {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let each = IndexMap::<Arc<str>, Task>::deserialize(deserializer)?;
        Ok(Self(each.into_iter().enumerate().map(|(place, (name, task))| (name, (place, task))).collect()))
    }
}
