//! Short names of event ids, for remembering many of them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::cow::Row;

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
pub(super) fn mixed(id: Uuid) -> u64 {
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
        (Self(self.iter().take(at).collect()), self.after(at + 1))
    }

    /// The tags from a place on.
    pub fn after(&self, at: usize) -> Self {
        Self(self.iter().skip(at).collect())
    }

    /// Adds others at the end.
    pub fn append(&mut self, others: &Self) {
        others.iter().for_each(|tag| self.push(tag));
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_words(self.iter().map(|tag| tag.0.to_le_bytes()), self.len(), serializer)
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = words(deserializer)?;
        let (words, rest) = bytes.as_chunks();
        if rest.is_empty() {
            Ok(Self(words.iter().map(|word| Tag(u32::from_le_bytes(*word))).collect()))
        } else {
            Err(D::Error::custom("tags that are cut off"))
        }
    }
}

/// Writes words as a base64 text where people may read them, else as they are.
pub(super) fn write_words<const N: usize, S: Serializer>(
    words: impl Iterator<Item = [u8; N]>,
    count: usize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut bytes = Vec::with_capacity(count * N);
    words.for_each(|word| bytes.extend_from_slice(&word));
    if serializer.is_human_readable() {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    } else {
        serializer.serialize_bytes(&bytes)
    }
}

/// Reads the bytes of words as [`write_words`] has written them.
pub(super) fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, [u8]>, D::Error> {
    if deserializer.is_human_readable() {
        let text = schemas::Text::deserialize(deserializer)?;
        STANDARD_NO_PAD.decode(text.as_bytes()).map(Cow::Owned).map_err(D::Error::custom)
    } else {
        <&[u8]>::deserialize(deserializer).map(Cow::Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_survive_their_written_form() {
        let ids: Vec<Uuid> = (1..200_u128).map(|n| Uuid::from_u128(n << 70 | n)).collect();
        let tags = Tags(ids.iter().map(|id| Tag::of(*id)).chain([Tag::HOLE, Tag::UNREAD]).collect());
        let text = serde_json::to_string(&tags).unwrap();
        assert_eq!(serde_json::from_str::<Tags>(&text).unwrap(), tags);
        assert!(serde_json::from_str::<Tags>("\"AAA\"").is_err());
    }

    #[test]
    fn no_id_has_the_tag_of_a_hole() {
        for n in 0..100_000_u128 {
            let tag = Tag::of(Uuid::from_u128(n));
            assert!(tag != Tag::HOLE && tag != Tag::UNREAD);
        }
    }
}
