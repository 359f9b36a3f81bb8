//! Kafka's frames, as far as a proxy has to know them: a length, then for requests the api's number
//! and a correlation id, for answers the correlation id.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The api by which records are appended.
pub(super) const PRODUCE: i16 = 0;
/// No frame of these tests is larger.
const LARGEST: usize = 64 << 20;
const LENGTH: usize = 4;

/// A request's or an answer's bytes, its length in front.
#[derive(Debug)]
pub(super) struct Frame(Vec<u8>);

impl Frame {
    /// The next frame; none where the other side has closed between two.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut length = [0; LENGTH];
        match from.read_exact(&mut length).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let unsound = || io::Error::new(io::ErrorKind::InvalidData, "not a frame of Kafka's");
        let size = usize::try_from(i32::from_be_bytes(length)).map_err(|_| unsound())?;
        if !(LENGTH..=LARGEST).contains(&size) {
            return Err(unsound());
        }
        let mut bytes = vec![0; LENGTH + size];
        bytes[..LENGTH].copy_from_slice(&length);
        from.read_exact(&mut bytes[LENGTH..]).await?;
        Ok(Some(Self(bytes)))
    }

    /// All of it, as it goes on.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Of a request: its api, and the id by which its answer is known.
    pub(super) fn request(&self) -> Option<(i16, i32)> {
        Some((i16::from_be_bytes(self.at(LENGTH)?), i32::from_be_bytes(self.at(LENGTH + 4)?)))
    }

    /// Of an answer: the id of its request.
    pub(super) fn answers(&self) -> Option<i32> {
        Some(i32::from_be_bytes(self.at(LENGTH)?))
    }

    fn at<const N: usize>(&self, place: usize) -> Option<[u8; N]> {
        self.0.get(place..place + N)?.try_into().ok()
    }
}
