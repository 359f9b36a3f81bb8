//! An issuer's public keys at hand: read from a file that is watched, or fetched from a URL now and then.
//! Keys that can't be had, or are broken, leave the last good ones in force.

mod fetch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, interval, sleep, timeout};

use crate::credentials::issuer::{KeySource, Place};
use crate::credentials::key_set::KeySet;
use crate::metrics::{self, Source};
use crate::watched::{EVERY, Watched};
use fetch::Fetcher;

/// Keys are fetched for the sake of an unknown `kid` no more often than this, whoever asks.
const ASK_EVERY: Duration = Duration::from_mins(1);
/// For so long a request waits for them.
const PATIENCE: Duration = Duration::from_secs(3);
/// After the first failure; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LAST_PAUSE: Duration = Duration::from_mins(1);

/// The keys of one issuer.
#[derive(Debug)]
pub struct Jwks {
    /// Names the issuer in log lines.
    issuer: Arc<str>,
    source: KeySource,
    keys: ArcSwap<KeySet>,
    /// Whether the last try to have them went well.
    good: AtomicBool,
    asked: Mutex<Asked>,
    wanted: Notify,
    /// Counts the tries that have ended.
    tries: watch::Sender<u64>,
}

/// Who asked for keys that are not at hand.
#[derive(Debug)]
struct Asked {
    last: Option<Instant>,
    /// Whether they are being fetched, or are about to be, whatever for: who asks now waits for that.
    under_way: bool,
}

impl Jwks {
    /// Keys that have not been had yet.
    pub fn new(issuer: Arc<str>, source: KeySource) -> Self {
        Self {
            issuer,
            source,
            keys: ArcSwap::default(),
            good: AtomicBool::new(false),
            asked: Mutex::new(Asked { last: None, under_way: true }),
            wanted: Notify::new(),
            tries: watch::Sender::new(0),
        }
    }

    /// The keys at hand.
    pub fn keys(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    /// Whether the last try to have them went well.
    pub fn is_good(&self) -> bool {
        self.good.load(Ordering::Relaxed)
    }

    /// Where they come from.
    pub fn source(&self) -> &KeySource {
        &self.source
    }

    /// Reads them for the first time where they are in a file.
    ///
    /// # Errors
    /// When it can't be read or is broken.
    pub fn read(&self) -> anyhow::Result<()> {
        let Place::File(path) = &self.source.place else { return Ok(()) };
        let what = || format!("issuer `{}`: jwks_file {}", self.issuer, path.display());
        let text = std::fs::read_to_string(path).context("can't read it").with_context(what)?;
        let keys = KeySet::parse(text.as_bytes(), self.source.algorithm).map_err(anyhow::Error::msg);
        self.take(keys.with_context(what)?);
        Ok(())
    }

    /// Keeps them up to date, for ever.
    pub async fn keep(self: Arc<Self>) {
        match &self.source.place {
            Place::File(path) => self.watch(path).await,
            Place::Url(url) => self.refresh(url).await,
        }
    }

    /// Waits until they have been fetched anew, for a token whose key is not among them. False at once where
    /// they may not be fetched now: a flood of made-up ids is no flood at the issuer.
    pub async fn renewed(&self) -> bool {
        let mut tries = self.tries.subscribe();
        self.ask() && matches!(timeout(PATIENCE, tries.changed()).await, Ok(Ok(())))
    }

    fn ask(&self) -> bool {
        if matches!(self.source.place, Place::File(_)) {
            return false;
        }
        let mut asked = self.asked.lock();
        if !asked.under_way {
            if asked.last.is_some_and(|last| last.elapsed() < ASK_EVERY) {
                return false;
            }
            *asked = Asked { last: Some(Instant::now()), under_way: true };
            self.wanted.notify_one();
        }
        true
    }

    async fn watch(&self, path: &Path) {
        let mut file = Watched::new([path.to_owned()]);
        let mut told = None;
        let mut turn = interval(EVERY);
        loop {
            turn.tick().await;
            let Some(text) = file.look() else { continue };
            let text = text.map_err(|unread| format!("{unread}: {}", unread.error));
            let keys = text.and_then(|[text]| KeySet::parse(text.as_bytes(), self.source.algorithm));
            if keys.as_ref().err().is_none_or(|words| told.as_ref() != Some(words)) {
                metrics::reloaded(Source::Jwks, keys.is_ok());
            }
            self.settle(keys, &mut told);
        }
    }

    async fn refresh(&self, url: &str) {
        let mut told = None;
        let mut failures = 0;
        loop {
            self.asked.lock().under_way = true;
            let fetched = match Fetcher::new() {
                Ok(fetcher) => fetcher.fetch(url).await,
                Err(words) => Err(words),
            };
            let keys = fetched.and_then(|json| KeySet::parse(&json, self.source.algorithm));
            metrics::jwks_fetched(keys.is_ok());
            failures = if keys.is_ok() { 0 } else { failures + 1 };
            self.settle(keys, &mut told);
            self.asked.lock().under_way = false;
            self.tries.send_modify(|tries| *tries += 1);
            let pause = if failures == 0 { self.source.refresh } else { pause_after(failures) };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.wanted.notified() => {}
            }
        }
    }

    /// Takes up what was read, or says why not: once for each reason.
    fn settle(&self, keys: Result<KeySet, String>, told: &mut Option<String>) {
        match keys {
            Ok(keys) => {
                self.take(keys);
                *told = None;
            }
            Err(words) => {
                self.good.store(false, Ordering::Relaxed);
                if told.as_ref() != Some(&words) {
                    let (issuer, at_hand) = (&self.issuer, self.keys().len());
                    tracing::error!(%issuer, error = words, at_hand, "an issuer's keys are broken; the last good ones stay in force");
                }
                *told = Some(words);
            }
        }
    }

    fn take(&self, keys: KeySet) {
        let known = keys.len();
        self.keys.store(Arc::new(keys));
        if !self.good.swap(true, Ordering::Relaxed) {
            tracing::info!(issuer = %self.issuer, keys = known, "an issuer's keys are at hand");
        }
    }
}

impl KeySource {
    /// The same where a relative path begins at `folder`.
    #[must_use]
    pub fn within(&self, folder: &Path) -> Self {
        let place = match &self.place {
            Place::File(path) => Place::File(PathBuf::from(folder).join(path)),
            Place::Url(url) => Place::Url(url.clone()),
        };
        Self { place, ..self.clone() }
    }
}

/// How long to wait after so many failures in a row.
fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LAST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::issuer::Algorithm;

    #[test]
    fn tries_that_fail_are_further_and_further_apart() {
        let pauses: Vec<_> = (1..=9).map(|failures| pause_after(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause_after(u32::MAX), LAST_PAUSE);
    }

    #[test]
    fn keys_are_asked_for_once_a_minute_whoever_asks() {
        let place = Place::Url("http://127.0.0.1:9/".into());
        let source = KeySource { place, algorithm: Algorithm::ES256, refresh: LAST_PAUSE };
        let jwks = Jwks::new("acme".into(), source);
        assert!(jwks.ask(), "the first fetch is on its way");
        jwks.asked.lock().under_way = false;
        assert!(jwks.ask(), "and was nobody's wish");
        assert!(jwks.ask(), "who comes while they are fetched waits for the same");
        jwks.asked.lock().under_way = false;
        assert!(!jwks.ask());
        jwks.asked.lock().last = Instant::now().checked_sub(ASK_EVERY);
        assert!(jwks.ask());
    }
}
