//! Postgres's messages, as far as a proxy has to know them: a kind, then a length, then what it says. Only the first
//! of a client have no kind.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Codes in a first message that asks for encryption, by TLS or GSS; a single byte answers it.
const ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];
/// No message of these tests is larger.
const LARGEST: usize = 256 << 20;
/// Kind and length.
const HEAD: usize = 5;

/// A message's bytes, kind and length in front.
#[derive(Debug)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// The next message; none where the other side has closed between two.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut bytes = vec![0; HEAD];
        match from.read_exact(&mut bytes).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let size = length(&bytes[1..])?;
        bytes.resize(1 + size, 0);
        from.read_exact(&mut bytes[HEAD..]).await?;
        Ok(Some(Self(bytes)))
    }

    /// All of it, as it goes on.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Of a client: a query, plain or to be prepared, that says COMMIT.
    pub(super) fn asks_to_commit(&self) -> bool {
        matches!(self.0[0], b'Q' | b'P') && self.words().any(|word| word.eq_ignore_ascii_case(b"COMMIT"))
    }

    /// Of a server: a transaction is committed.
    pub(super) fn says_committed(&self) -> bool {
        self.0[0] == b'C' && self.words().next() == Some(b"COMMIT")
    }

    /// Whether it holds this text anywhere.
    pub(super) fn holds(&self, text: &str) -> bool {
        self.0.windows(text.len()).any(|bytes| bytes == text.as_bytes())
    }

    fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.0[HEAD..].split(|byte| *byte == 0)
    }
}

/// Carries the first messages of a connection; whether there is one then.
pub(super) async fn greet(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    server: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> io::Result<bool> {
    loop {
        let mut first = vec![0; 8];
        client.read_exact(&mut first).await?;
        let (size, code) = (length(&first)?, u32::from_be_bytes([first[4], first[5], first[6], first[7]]));
        first.resize(size, 0);
        client.read_exact(&mut first[8..]).await?;
        server.write_all(&first).await?;
        if !ENCRYPTION.contains(&code) {
            return Ok(true);
        }
        let answer = server.read_u8().await?;
        client.write_u8(answer).await?;
        if answer != b'N' {
            // Encrypted, nothing could be told apart.
            return Ok(false);
        }
    }
}

fn length(bytes: &[u8]) -> io::Result<usize> {
    let unsound = || io::Error::new(io::ErrorKind::InvalidData, "not a message of Postgres's");
    let length: [u8; 4] = bytes.get(..4).and_then(|bytes| bytes.try_into().ok()).ok_or_else(unsound)?;
    let size = usize::try_from(u32::from_be_bytes(length)).map_err(|_| unsound())?;
    if (4..=LARGEST).contains(&size) { Ok(size) } else { Err(unsound()) }
}
