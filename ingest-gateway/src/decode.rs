//! Undoes a body's content encoding, under a cap on what comes out.

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Largest window that a zstd frame may ask for: 2^23 bytes, what RFC 8878 wants every decoder to give.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or RFC 1951 without its frame, as some clients send it.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

/// Why a body could not be decoded.
#[derive(Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// More came out than the cap allows.
    TooLarge,
    /// It is not of that encoding, or torn.
    Malformed(String),
}

impl Encoding {
    /// The names that are understood, in lower case.
    pub const NAMES: [(&str, Self); 6] = [
        ("identity", Self::Identity),
        ("gzip", Self::Gzip),
        ("x-gzip", Self::Gzip),
        ("deflate", Self::Deflate),
        ("br", Self::Brotli),
        ("zstd", Self::Zstd),
    ];

    /// The encoding that a `Content-Encoding` names; none if it is not understood.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() {
            return Some(Self::Identity);
        }
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, encoding)| *encoding)
    }
}

/// Decodes a whole body; at most `limit` bytes may come out.
///
/// # Errors
/// [`DecodeError`]; of what comes out no more than one byte beyond `limit` is ever held.
pub async fn decode(encoding: Encoding, body: Bytes, limit: usize) -> Result<Bytes, DecodeError> {
    let encoded = &body[..];
    match encoding {
        Encoding::Identity if body.len() > limit => Err(DecodeError::TooLarge),
        Encoding::Identity => Ok(body),
        Encoding::Gzip => {
            let mut decoder = GzipDecoder::new(encoded);
            decoder.multiple_members(true);
            drain(decoder, limit).await
        }
        Encoding::Deflate if has_zlib_head(encoded) => drain(ZlibDecoder::new(encoded), limit).await,
        Encoding::Deflate => drain(DeflateDecoder::new(encoded), limit).await,
        Encoding::Brotli => drain(BrotliDecoder::new(encoded), limit).await,
        Encoding::Zstd => {
            let bounds = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
            let mut decoder = ZstdDecoder::with_params(encoded, &bounds);
            decoder.multiple_members(true);
            drain(decoder, limit).await
        }
    }
}

/// Whether the bytes begin as RFC 1950 says: method 8 and a check sum over the first two.
fn has_zlib_head(encoded: &[u8]) -> bool {
    matches!(encoded, [method, flags, ..] if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0)
}

async fn drain(decoder: impl AsyncRead + Unpin, limit: usize) -> Result<Bytes, DecodeError> {
    let mut plain = Vec::new();
    let one_over = limit as u64 + 1;
    decoder.take(one_over).read_to_end(&mut plain).await.map_err(|error| DecodeError::Malformed(error.to_string()))?;
    if plain.len() > limit { Err(DecodeError::TooLarge) } else { Ok(plain.into()) }
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::{BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
    use futures_util::FutureExt as _;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    async fn all(mut encoder: impl AsyncRead + Unpin) -> Bytes {
        let mut body = Vec::new();
        encoder.read_to_end(&mut body).await.unwrap();
        body.into()
    }

    async fn encodings(plain: &[u8]) -> [(Encoding, Bytes); 6] {
        [
            (Encoding::Identity, Bytes::copy_from_slice(plain)),
            (Encoding::Gzip, all(GzipEncoder::new(plain)).await),
            (Encoding::Deflate, all(ZlibEncoder::new(plain)).await),
            (Encoding::Deflate, all(DeflateEncoder::new(plain)).await),
            (Encoding::Brotli, all(BrotliEncoder::new(plain)).await),
            (Encoding::Zstd, all(ZstdEncoder::new(plain)).await),
        ]
    }

    #[tokio::test]
    async fn every_encoding_comes_back_as_it_was() {
        let plain = br#"{"events":[{"seq":1},{"seq":2}]}"#;
        for (encoding, body) in encodings(plain).await {
            assert_eq!(decode(encoding, body, 1_000).await.unwrap(), plain.as_slice(), "{encoding:?}");
        }
    }

    #[tokio::test]
    async fn a_bomb_is_stopped_at_the_cap() {
        let plain = vec![b' '; 1 << 20];
        for (encoding, body) in encodings(&plain).await {
            assert_eq!(decode(encoding, body, 10_000).await, Err(DecodeError::TooLarge), "{encoding:?}");
        }
    }

    #[tokio::test]
    async fn a_torn_body_is_malformed() {
        let plain: Vec<u8> =
            (0..2_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for (encoding, body) in encodings(&plain).await.into_iter().skip(1) {
            let torn = body.slice(..body.len() / 2);
            let outcome = decode(encoding, torn, 1 << 20).await;
            assert!(matches!(outcome, Err(DecodeError::Malformed(_))), "{encoding:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_body_comes_back_whole_or_is_over_the_cap(
            piece in prop::collection::vec(any::<u8>(), 0..200),
            times in 1..60_usize,
            limit in 0..12_000_usize,
        ) {
            let plain = piece.repeat(times);
            for (encoding, body) in encodings(&plain).now_or_never().unwrap() {
                let expected = if plain.len() > limit { Err(DecodeError::TooLarge) } else { Ok(plain.clone().into()) };
                prop_assert_eq!(decode(encoding, body, limit).now_or_never().unwrap(), expected, "{:?}", encoding);
            }
        }

        #[test]
        fn of_bytes_that_were_torn_or_changed_no_more_than_the_cap_is_held(
            piece in prop::collection::vec(any::<u8>(), 0..200),
            times in 1..60_usize,
            at in any::<Index>(),
            until in any::<Index>(),
            other in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            for (encoding, body) in encodings(&piece.repeat(times)).now_or_never().unwrap() {
                let mut body = body.to_vec();
                let (at, until) = (at.index(body.len() + 1), until.index(body.len() + 1));
                body.splice(at.min(until)..at.max(until), other.clone());
                match decode(encoding, body.into(), 1_000).now_or_never().unwrap() {
                    Ok(plain) => prop_assert!(plain.len() <= 1_000),
                    Err(DecodeError::Malformed(words)) => prop_assert!(!words.is_empty()),
                    Err(DecodeError::TooLarge) => {}
                }
            }
        }
    }
}
