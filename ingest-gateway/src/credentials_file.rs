//! What is in force of the credentials file: a change within three seconds, a broken or half-written one never.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use schemas::Timestamp;
use tokio_util::task::AbortOnDropHandle;

use crate::credentials::issuer::Issuer;
use crate::credentials::{Credential, Credentials, Verdict};
use crate::jwks::Jwks;
use crate::metrics::{self, Source};
use crate::watched::{EVERY, Watched};

/// The keys and issuers in force. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CredentialsFile {
    path: Arc<PathBuf>,
    in_force: Arc<ArcSwap<InForce>>,
}

/// What one state of the file made.
#[derive(Debug)]
struct InForce {
    credentials: Credentials,
    /// By the issuer's name. One that stays over a change of the file keeps its keys.
    jwks: HashMap<Arc<str>, Arc<Kept>>,
}

/// An issuer's keys and what keeps them up to date.
#[derive(Debug)]
struct Kept {
    jwks: Arc<Jwks>,
    _keeper: AbortOnDropHandle<()>,
}

impl CredentialsFile {
    /// Reads the file for the first time. Wants a runtime, in which issuers' keys are kept up to date.
    ///
    /// # Errors
    /// When it, or a file of keys that it names, can't be read or is broken: a gateway does not start without.
    pub fn open(path: PathBuf) -> anyhow::Result<Self> {
        let credentials = read(&path).with_context(|| {
            format!("--credentials {}: `playledger keys create --credentials FILE …` makes such a file", path.display())
        })?;
        let in_force = InForce::new(credentials, folder(&path), None)
            .with_context(|| format!("--credentials {}", path.display()))?;
        metrics::credentials_good(true);
        Ok(Self { path: Arc::new(path), in_force: Arc::new(ArcSwap::from_pointee(in_force)) })
    }

    /// The credential that an API key belongs to, if it is sound and good at `now`.
    pub fn verify_key(&self, presented: &str, now: Timestamp) -> Option<Arc<Credential>> {
        self.in_force.load().credentials.verify(presented, now)
    }

    /// What a JWT may do, if it is sound and good at `now`. Its issuer may be asked for new keys.
    pub async fn verify_token(&self, presented: &str, now: Timestamp) -> Option<Arc<Credential>> {
        let in_force = self.in_force.load_full();
        match in_force.verdict(presented, now) {
            Verdict::Good(credential) => Some(credential),
            Verdict::Bad => None,
            Verdict::UnknownKey(issuer) => {
                let kept = in_force.jwks.get(&issuer.name)?;
                if !kept.jwks.renewed().await {
                    return None;
                }
                match in_force.verdict(presented, now) {
                    Verdict::Good(credential) => Some(credential),
                    _ => None,
                }
            }
        }
    }

    /// Takes up every change of the file, for ever.
    pub async fn watch(self) {
        // Nothing has been seen as yet: the file may have changed between `open` and now.
        let mut file = Watched::new([self.path.to_path_buf()]);
        let mut told = None;
        let mut turn = tokio::time::interval(EVERY);
        loop {
            turn.tick().await;
            metrics::jwks_broken(self.in_force.load().broken());
            let Some(text) = file.look() else { continue };
            let judged = text.map_err(anyhow::Error::new).and_then(|[text]| self.judge(&text));
            match judged {
                Ok(in_force) => {
                    let (keys, issuers) = (in_force.credentials.all().len(), in_force.jwks.len());
                    tracing::info!(file = %self.path.display(), keys, issuers, "credentials read");
                    self.in_force.store(Arc::new(in_force));
                    metrics::credentials_good(true);
                    metrics::reloaded(Source::Credentials, true);
                    told = None;
                }
                Err(error) => {
                    let words = format!("{error:#}");
                    if told.as_ref() != Some(&words) {
                        metrics::reloaded(Source::Credentials, false);
                        tracing::error!(file = %self.path.display(), error = words, "credentials are broken; the last good ones stay in force");
                    }
                    metrics::credentials_good(false);
                    // A file of keys that it names may be there by then.
                    file.again();
                    told = Some(words);
                }
            }
        }
    }

    /// A file that lost all its keys is more likely one that is being written than one that is meant.
    fn judge(&self, text: &str) -> anyhow::Result<InForce> {
        let credentials = Credentials::parse(text)?;
        let before = self.in_force.load();
        if credentials.is_empty() && !before.credentials.is_empty() {
            bail!("it holds no key any more; to end them all revoke each, or restart the gateway");
        }
        InForce::new(credentials, folder(&self.path), Some(&before))
    }
}

impl InForce {
    /// Begins to keep the keys of issuers that were not there `before`.
    fn new(credentials: Credentials, folder: &Path, before: Option<&Self>) -> anyhow::Result<Self> {
        let mut jwks = HashMap::new();
        for issuer in credentials.issuers() {
            let source = issuer.keys.within(folder);
            let known = before.and_then(|before| before.jwks.get(&issuer.name));
            let kept = if let Some(kept) = known.filter(|kept| *kept.jwks.source() == source) {
                Arc::clone(kept)
            } else {
                let keys = Arc::new(Jwks::new(Arc::clone(&issuer.name), source));
                keys.read()?;
                let keeper = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&keys).keep()));
                Arc::new(Kept { jwks: keys, _keeper: keeper })
            };
            jwks.insert(Arc::clone(&issuer.name), kept);
        }
        Ok(Self { credentials, jwks })
    }

    fn verdict(&self, presented: &str, now: Timestamp) -> Verdict {
        let keys_of = |issuer: &Issuer| self.jwks.get(&issuer.name).map(|kept| kept.jwks.keys()).unwrap_or_default();
        self.credentials.verify_token(presented, &keys_of, now)
    }

    /// How many issuers' keys can't be had, or are broken.
    fn broken(&self) -> usize {
        self.jwks.values().filter(|kept| !kept.jwks.is_good()).count()
    }
}

fn read(path: &Path) -> anyhow::Result<Credentials> {
    let text = fs::read_to_string(path).context("can't read it")?;
    Ok(Credentials::parse(&text)?)
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}
