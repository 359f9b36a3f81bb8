//! Watches the credentials file: a change is in force within three seconds, a broken or half-written one never.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;

use crate::credentials::Credentials;
use crate::looks::Looks;
use crate::metrics;

/// How often the file is looked at; what is there on two looks in a row is taken.
const EVERY: Duration = Duration::from_secs(1);

/// The keys in force. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CredentialsFile {
    path: Arc<PathBuf>,
    keys: Arc<ArcSwap<Credentials>>,
}

/// What tells one state of the file from another without reading it; none where there is none.
type Mark = Option<(SystemTime, (i64, i64), u64, u64)>;

impl CredentialsFile {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// When it can't be read or is broken: a gateway does not start without keys.
    pub fn open(path: PathBuf) -> anyhow::Result<Self> {
        let keys = read(&path).with_context(|| {
            format!("--credentials {}: `playledger keys create --credentials FILE …` makes such a file", path.display())
        })?;
        metrics::credentials_good(true);
        Ok(Self { path: Arc::new(path), keys: Arc::new(ArcSwap::from_pointee(keys)) })
    }

    /// The keys in force now.
    pub fn keys(&self) -> Arc<Credentials> {
        self.keys.load_full()
    }

    /// Takes up every change of the file, for ever.
    pub async fn watch(self) {
        // Nothing has been judged as yet: the file may have changed between `open` and now.
        let mut looks = Looks::new();
        let mut told = None;
        let mut turn = tokio::time::interval(EVERY);
        loop {
            turn.tick().await;
            let mark = self.mark();
            if !looks.is_due(&mark) {
                continue;
            }
            let text = fs::read_to_string(&*self.path);
            if self.mark() != mark {
                continue;
            }
            // What could not be read may be read the next time, without a change of the file.
            looks.judged(text.is_ok().then_some(mark));
            match text.context("can't read it").and_then(|text| self.judge(&text)) {
                Ok(keys) => {
                    tracing::info!(file = %self.path.display(), keys = keys.len(), "credentials read");
                    self.keys.store(Arc::new(keys));
                    metrics::credentials_good(true);
                    told = None;
                }
                Err(error) => {
                    let words = format!("{error:#}");
                    if told.as_ref() != Some(&words) {
                        tracing::error!(file = %self.path.display(), error = words, "credentials are broken; the last good ones stay in force");
                    }
                    metrics::credentials_good(false);
                    told = Some(words);
                }
            }
        }
    }

    /// A file that lost all its keys is more likely one that is being written than one that is meant.
    fn judge(&self, text: &str) -> anyhow::Result<Credentials> {
        let keys = Credentials::parse(text)?;
        if keys.is_empty() && !self.keys().is_empty() {
            bail!("it holds no key any more; to end them all revoke each, or restart the gateway");
        }
        Ok(keys)
    }

    fn mark(&self) -> Mark {
        use std::os::unix::fs::MetadataExt as _;
        let found = fs::metadata(&*self.path).ok()?;
        Some((found.modified().ok()?, (found.ctime(), found.ctime_nsec()), found.len(), found.ino()))
    }
}

fn read(path: &Path) -> anyhow::Result<Credentials> {
    let text = fs::read_to_string(path).context("can't read it")?;
    Ok(Credentials::parse(&text)?)
}
