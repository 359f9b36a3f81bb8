//! The tasks of a session, by name and in the order of first mention.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::packed::Packed;
use super::tasks::Task;
use crate::cow::Table;
use crate::intern::intern;

/// Tasks by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Each {
    /// From when on times are packed, in ms since the epoch; none while no task tells one.
    from: Option<i64>,
    names: Arc<Names>,
    tasks: Table<Packed>,
}

/// Names in the order of first mention, each with a part of its hash: a look goes through those.
#[derive(Clone, Debug, Default)]
struct Names(Vec<(u32, Arc<str>)>);

impl Each {
    pub(super) fn len(&self) -> usize {
        self.names.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.0.is_empty()
    }

    /// Changes the task of that name at a time, in ms since the epoch; none where there is no such task.
    pub(super) fn change<R>(&mut self, name: &str, at: i64, change: impl FnOnce(&mut Task) -> R) -> Option<R> {
        let place = self.names.place(name)?;
        let packed = self.tasks.get_mut(place)?;
        let from = *self.from.get_or_insert(at);
        let mut task = packed.task(from);
        let outcome = change(&mut task);
        *packed = Packed::new(task, from);
        Some(outcome)
    }

    /// Adds a task that is mentioned for the first time, at that time.
    pub(super) fn add(&mut self, name: &str, at: i64, task: Task) {
        let from = *self.from.get_or_insert(at);
        Arc::make_mut(&mut self.names).add(name);
        self.tasks.push(Packed::new(task, from));
    }

    /// The names, in the order of first mention.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.0.iter().map(|(_, text)| &**text)
    }

    /// The tasks, in the order of first mention.
    pub(super) fn values(&self) -> impl Iterator<Item = Task> {
        let from = self.from.unwrap_or(0);
        self.tasks.iter().map(move |packed| packed.task(from))
    }

    /// Names and tasks, in the order of first mention.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (&str, Task)> {
        self.names().zip(self.values())
    }
}

impl Names {
    fn place(&self, name: &str) -> Option<usize> {
        let (text, hash) = hashed(name);
        // As a rule it is the very copy, and its bytes need not be looked at.
        self.0.iter().position(|(other, known)| *other == hash && (Arc::ptr_eq(known, &text) || **known == *name))
    }

    fn add(&mut self, name: &str) {
        let (text, hash) = hashed(name);
        // Few sessions have many: room for what does not come is most of what a row of a few takes.
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact((self.0.len() / 4).max(2));
        }
        self.0.push((hash, text));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a part of a hash is one, too")]
fn hashed(name: &str) -> (Arc<str>, u32) {
    let (text, hash) = intern(name);
    (text, hash as u32)
}

impl PartialEq for Each {
    fn eq(&self, other: &Self) -> bool {
        self.in_order().eq(other.in_order())
    }
}

impl Serialize for Each {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.in_order())
    }
}

impl<'de> Deserialize<'de> for Each {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = IndexMap::<String, Task>::deserialize(deserializer)?;
        let from = stored.values().filter_map(Task::earliest).min();
        let (mut names, mut tasks) = (Names::default(), Table::default());
        for (name, task) in stored {
            names.add(&name);
            tasks.push(Packed::new(task, from.unwrap_or(0)));
        }
        Ok(Self { from, names: Arc::new(names), tasks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_tasks_are_told_apart_and_come_back_in_order() {
        let (mut each, at) = (Each::default(), 1_780_000_000_000);
        for number in 0..3_000 {
            each.add(&format!("task {number}"), at, Task { starts: number, mark: Some(at), ..Task::default() });
        }
        let copy = each.clone();
        for number in (0..3_000).rev() {
            let name = format!("task {number}");
            assert_eq!(each.change(&name, at, |task| std::mem::replace(&mut task.starts, 7)), Some(number));
        }
        assert_eq!(each.change("another", at, |_| ()), None);
        assert!(copy.values().map(|task| task.starts).eq(0..3_000), "a copy stays what it was");
        let read: Each = serde_json::from_str(&serde_json::to_string(&copy).unwrap()).unwrap();
        assert_eq!(read, copy);
        assert_ne!(read, each);
    }
}
