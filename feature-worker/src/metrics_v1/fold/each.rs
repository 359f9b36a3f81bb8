//! The tasks of a session, by name and in the order of first mention.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap as _, SerializeSeq as _};
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

/// For people by name, each task with its fields; in memory as tasks lie there.
impl Serialize for Each {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            let mut parts = serializer.serialize_seq(Some(1 + 2 * self.len()))?;
            parts.serialize_element(&self.from)?;
            for (name, packed) in self.names().zip(self.tasks.iter()) {
                parts.serialize_element(name)?;
                parts.serialize_element(packed)?;
            }
            return parts.end();
        }
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, task) in self.in_order() {
            map.serialize_entry(name, &task)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Each {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_map(Reader)
        } else {
            deserializer.deserialize_seq(Reader)
        }
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Each;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tasks by name")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Each, A::Error> {
        let from = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let count = parts.size_hint().unwrap_or(0) / 2;
        let (mut names, mut tasks) = (Names(Vec::with_capacity(count)), Vec::with_capacity(count));
        while let Some(name) = parts.next_element::<schemas::Text<'_>>()? {
            names.add(&name);
            tasks.extend(parts.next_element::<Packed>()?);
        }
        Ok(Each { from, names: Arc::new(names), tasks: tasks.into_iter().collect() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Each, A::Error> {
        let mut names = Names(Vec::with_capacity(map.size_hint().unwrap_or(0)));
        let mut tasks = Vec::with_capacity(names.0.capacity());
        // What was written holds no name twice.
        while let Some(name) = map.next_key::<schemas::Text<'_>>()? {
            names.add(&name);
            tasks.push(map.next_value::<Task>()?);
        }
        let from = tasks.iter().filter_map(Task::earliest).min();
        let packed = tasks.into_iter().map(|task| Packed::new(task, from.unwrap_or(0)));
        Ok(Each { from, names: Arc::new(names), tasks: packed.collect() })
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
