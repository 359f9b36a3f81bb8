//! What the changelog holds when all is over, and what of it has yet to come to its end.

use std::collections::BTreeMap;

use bytes::Bytes;
use eventlog::Record;
use feature_worker::state::{self, Entry, Kept};

use super::super::content::Content;

impl Content {
    /// What is left of the changelog of a partition: by key the newest.
    pub fn newest(records: &[Record]) -> BTreeMap<&[u8], &Bytes> {
        let mut newest = BTreeMap::new();
        for record in records {
            match &record.value {
                Some(value) => drop(newest.insert(&*record.key, value)),
                None => drop(newest.remove(&*record.key)),
            }
        }
        newest
    }

    /// What has yet to come to its end, if anything.
    pub fn open(&self) -> Option<String> {
        let all = self.events.iter().zip(&self.state).enumerate();
        all.filter(|(_, (events, _))| !events.is_empty()).find_map(|(number, (events, state))| {
            let newest = Self::newest(state);
            let end = events.last().map_or(0, |last| last.offset + 1);
            if !newest.contains_key(state::PARTITION_KEY) {
                return Some(format!("partition {number} has no state"));
            }
            newest.into_iter().find_map(|(key, value)| match state::decode(key, Some(value)) {
                Ok(Some(state::Record::Partition(position))) if position.next_offset < end => {
                    Some(format!("partition {number} is read up to {} of {end}", position.next_offset))
                }
                Ok(Some(state::Record::Session(key, Some(Kept { entry: Entry::Live(_), .. })))) => {
                    Some(format!("{key:?} lives"))
                }
                Ok(_) => None,
                Err(error) => Some(error.to_string()),
            })
        })
    }
}
