//! Fetches a small document over http or https: one URL, no redirects, bounded in size and time.

use std::time::Duration;

use reqwest::Client;
use reqwest::header::ACCEPT;
use reqwest::redirect::Policy;

/// A larger one is not taken.
const MAX_BYTES: usize = 256 << 10;
/// For so long it may take to arrive, from the look-up of the name to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// What fetches.
pub(super) struct Fetcher(Client);

impl Fetcher {
    /// One with a connection of its own: documents are fetched minutes apart.
    pub(super) fn new() -> Result<Self, String> {
        let builder = Client::builder().redirect(Policy::none()).timeout(PATIENCE).user_agent("playledger-gateway");
        builder.build().map(Self).map_err(words)
    }

    /// The document's bytes; or why there are none, in words without the URL, which may hold a secret.
    pub(super) async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        let mut response = self.0.get(url).header(ACCEPT, "application/json").send().await.map_err(words)?;
        if !response.status().is_success() {
            return Err(format!("the answer was {}", response.status()));
        }
        let mut whole = Vec::new();
        while let Some(part) = response.chunk().await.map_err(words)? {
            if whole.len() + part.len() > MAX_BYTES {
                return Err(format!("the answer is larger than {MAX_BYTES} bytes"));
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole)
    }
}

/// An error and what lies behind it.
fn words(error: reqwest::Error) -> String {
    format!("{:#}", anyhow::Error::from(error.without_url()))
}
