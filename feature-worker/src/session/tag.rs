//! Short names of event ids, for remembering many of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::cow::{Row, Set};

/// 32 bits of an event's id: enough to tell a repeat under one seq from another event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(u32);

impl Tag {
    /// Nothing stands here: a refused event's place.
    pub const HOLE: Self = Self(0);
    /// An event stands here whose id is not known as yet.
    pub const UNREAD: Self = Self(1);

    /// The tag of an id.
    pub fn of(id: Uuid) -> Self {
        Self(((mixed(id) >> 32) as u32).max(2))
    }

    /// Whether an event of this tag may be the one that `other` names.
    pub fn matches(self, other: Self) -> bool {
        self == other || self == Self::UNREAD || other == Self::UNREAD
    }
}

/// Spreads an id's 128 bits over 64: the time and the random part of a v7 id alike.
fn mixed(id: Uuid) -> u64 {
    let (high, low) = id.as_u64_pair();
    (high.rotate_left(32) ^ low).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Tags in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Row<Tag>);

impl Tags {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag at a place.
    pub fn get(&self, at: usize) -> Option<Tag> {
        self.0.get(at).copied()
    }

    /// Puts another tag in a place.
    pub fn set(&mut self, at: usize, tag: Tag) {
        self.0.set(at, tag);
    }

    /// Adds a tag at the end.
    pub fn push(&mut self, tag: Tag) {
        self.0.push(tag);
    }

    /// The last tag.
    pub fn last(&self) -> Option<Tag> {
        self.0.last().copied()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Tag> {
        self.0.iter().copied()
    }

    /// The tags before a place, and those after it.
    pub fn around(&self, at: usize) -> (Self, Self) {
        (Self(self.iter().take(at).collect()), Self(self.iter().skip(at + 1).collect()))
    }

    /// Adds others at the end.
    pub fn append(&mut self, others: &Self) {
        others.iter().for_each(|tag| self.push(tag));
    }

    /// Stretches of refused events' places.
    pub fn hole_stretches(&self) -> usize {
        let before = std::iter::once(None).chain(self.iter().map(Some));
        self.iter().zip(before).filter(|(tag, before)| *tag == Tag::HOLE && *before != Some(Tag::HOLE)).count()
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.iter().flat_map(|tag| tag.0.to_le_bytes()).collect();
        serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = words::<4, D>(deserializer)?;
        Ok(Self(words.into_iter().map(|word| Tag(u32::from_le_bytes(word))).collect()))
    }
}

/// The ids of a session without seq, 64 bits of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids(Set);

impl Ids {
    /// Whether the id is among them.
    pub fn contains(&self, id: Uuid) -> bool {
        self.0.contains(mixed(id))
    }

    /// Adds an id; false when it was there.
    pub fn insert(&mut self, id: Uuid) -> bool {
        self.0.insert(mixed(id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Ids {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.sorted().iter().flat_map(|id| id.to_le_bytes()).collect();
        serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = words::<8, D>(deserializer)?;
        Ok(Self(words.into_iter().map(u64::from_le_bytes).collect()))
    }
}

/// The words of a base64 text.
fn words<'de, const N: usize, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[u8; N]>, D::Error> {
    let text = schemas::Text::deserialize(deserializer)?;
    let bytes = STANDARD_NO_PAD.decode(text.as_bytes()).map_err(D::Error::custom)?;
    let (words, rest) = bytes.as_chunks::<N>();
    if rest.is_empty() { Ok(words.to_vec()) } else { Err(D::Error::custom("tags that are cut off")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_ids_survive_their_written_form() {
        let ids: Vec<Uuid> = (1..200_u128).map(|n| Uuid::from_u128(n << 70 | n)).collect();
        let tags = Tags(ids.iter().map(|id| Tag::of(*id)).chain([Tag::HOLE, Tag::UNREAD]).collect());
        let text = serde_json::to_string(&tags).unwrap();
        assert_eq!(serde_json::from_str::<Tags>(&text).unwrap(), tags);
        let mut set = Ids::default();
        assert!(ids.iter().all(|id| set.insert(*id)));
        assert!(ids.iter().all(|id| !set.insert(*id)));
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<Ids>(&text).unwrap(), set);
        assert!(serde_json::from_str::<Ids>("\"AAAA\"").is_err());
    }

    #[test]
    fn no_id_has_the_tag_of_a_hole() {
        for n in 0..100_000_u128 {
            let tag = Tag::of(Uuid::from_u128(n));
            assert!(tag != Tag::HOLE && tag != Tag::UNREAD);
        }
    }
}
