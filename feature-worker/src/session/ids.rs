//! The ids of a session without seq.

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::tag::{mixed, words, write_words};
use crate::cow::Set;

/// The ids of a session without seq, 64 bits of each, in two generations: when there is no more room
/// the older one is forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    newest: Set,
    /// Never empty.
    before: Option<Arc<Set>>,
    /// Whether any were forgotten.
    worn: bool,
}

impl Ids {
    /// Whether the id is among them.
    pub fn contains(&self, id: Uuid) -> bool {
        let id = mixed(id);
        self.newest.contains(id) || self.before.as_ref().is_some_and(|before| before.contains(id))
    }

    /// Adds an id; false when it was there. Where there are two times `most` already, the older half
    /// of them is forgotten.
    pub fn insert(&mut self, id: Uuid, most: usize) -> bool {
        if self.contains(id) {
            return false;
        }
        if self.newest.len() >= most {
            self.worn |= self.before.is_some();
            self.before = Some(Arc::new(std::mem::take(&mut self.newest)));
        }
        self.newest.insert(mixed(id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.newest.len() + self.before.as_ref().map_or(0, |before| before.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty() && self.before.is_none()
    }

    /// Whether any were forgotten.
    pub fn is_worn(&self) -> bool {
        self.worn
    }
}

/// One row of words, as the release before reads it too: the older generation comes first and its last id
/// twice, three times where any were forgotten. No set holds an id twice.
impl Serialize for Ids {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = self.before.as_ref().map(|before| before.sorted()).unwrap_or_default();
        if let Some(last) = all.last().copied() {
            all.extend(std::iter::repeat_n(last, 1 + usize::from(self.worn)));
        }
        all.extend(self.newest.sorted());
        write_words(all.iter().map(|id| id.to_le_bytes()), all.len(), serializer)
    }
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = words(deserializer)?;
        let (words, rest) = bytes.as_chunks();
        if !rest.is_empty() {
            return Err(D::Error::custom("ids that are cut off"));
        }
        let all: Vec<u64> = words.iter().copied().map(u64::from_le_bytes).collect();
        let Some(twice) = all.windows(2).position(|pair| pair[0] == pair[1]) else {
            return Ok(Self { newest: all.into_iter().collect(), ..Self::default() });
        };
        let (before, newest) = all.split_at(twice + 1);
        let worn = newest.get(1) == Some(&all[twice]);
        let newest = newest.iter().skip(1 + usize::from(worn));
        let before = Some(Arc::new(before.iter().copied().collect()));
        Ok(Self { newest: newest.copied().collect(), before, worn })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n << 70 | n)
    }

    /// Written and read again.
    fn stored(ids: &Ids) -> Ids {
        serde_json::from_str(&serde_json::to_string(ids).unwrap()).unwrap()
    }

    #[test]
    fn within_its_bound_every_id_is_known() {
        let mut ids = Ids::default();
        for n in 0..200 {
            assert!(ids.insert(id(n), 100));
            assert!((0..=n).all(|n| !ids.clone().insert(id(n), 100)));
            assert_eq!(stored(&ids), ids);
        }
        assert_eq!((ids.len(), ids.is_worn()), (200, false));
    }

    #[test]
    fn beyond_its_bound_the_newest_are_known_and_it_says_so() {
        for most in [1, 5, 40] {
            let mut ids = Ids::default();
            for n in 0..500 {
                assert!(ids.insert(id(n), most));
                let known = u128::try_from(most).unwrap().min(n);
                assert!((n - known..=n).all(|n| ids.contains(id(n))), "{n} of {most}");
                assert!(ids.len() <= 2 * most);
                assert_eq!(ids.is_worn(), n >= 2 * u128::try_from(most).unwrap());
                assert_eq!(ids.contains(id(0)), !ids.is_worn());
                assert_eq!(stored(&ids), ids);
            }
        }
    }

    #[test]
    fn ids_that_earlier_releases_wrote_are_one_generation() {
        let words: Vec<u8> = [3_u64, 9, 12].iter().flat_map(|word| word.to_le_bytes()).collect();
        let text = format!("\"{}\"", STANDARD_NO_PAD.encode(words));
        let ids: Ids = serde_json::from_str(&text).unwrap();
        assert_eq!((ids.len(), ids.is_worn()), (3, false));
        assert_eq!(serde_json::to_string(&ids).unwrap(), text);
        assert!(serde_json::from_str::<Ids>("\"AAAA\"").is_err());
    }
}
