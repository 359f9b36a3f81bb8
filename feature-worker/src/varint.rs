//! Numbers in as few bytes as they need: seven bits in each, the lowest first.

/// Writes a number.
pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Writes how far a number is from another, in either direction.
pub(crate) fn put_from(out: &mut Vec<u8>, base: i64, number: i64) {
    let distance = number.wrapping_sub(base);
    put(out, ((distance << 1) ^ (distance >> 63)).cast_unsigned());
}

/// Reads numbers one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next number; what was written by [`put`] and no longer there counts as zeros.
    pub(crate) fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        while let Some((byte, rest)) = self.0.split_first() {
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 || shift > 63 {
                break;
            }
        }
        number
    }

    /// The next number, as far from `base` as was written.
    pub(crate) fn number_from(&mut self, base: i64) -> i64 {
        let told = self.number();
        base.wrapping_add((told >> 1).cast_signed() ^ -(told & 1).cast_signed())
    }

    /// The next bytes, as many as that; none where there are fewer.
    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    /// What has not been read.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_read_as_it_was_written(number: u64, base: i64, other: i64, near in -64_i64..64) {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            put_from(&mut bytes, base, other);
            let before = bytes.len();
            put_from(&mut bytes, base, base.wrapping_add(near));
            prop_assert_eq!(bytes.len() - before, 1);
            bytes.push(7);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.number(), number);
            prop_assert_eq!(reader.number_from(base), other);
            prop_assert_eq!(reader.number_from(base), base.wrapping_add(near));
            prop_assert_eq!(reader.bytes(2), None);
            prop_assert_eq!(reader.bytes(1), Some(&[7][..]));
            prop_assert!(reader.rest().is_empty());
        }
    }
}
