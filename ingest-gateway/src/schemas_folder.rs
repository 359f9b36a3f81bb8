//! Watches the folder of a studio's own event types: a change is in force within three seconds, a broken or
//! half-written one never.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;

use crate::looks::Looks;
use crate::metrics::{self, Source};
use crate::types::{Types, files};

/// How often the folder is looked at; what is there on two looks in a row is taken.
const EVERY: Duration = Duration::from_secs(1);

/// The types in force. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SchemasFolder {
    path: Option<Arc<PathBuf>>,
    types: Arc<ArcSwap<Types>>,
}

/// What tells one state of the folder from another without reading its files; none where it can't be looked into.
type Mark = Option<Vec<(PathBuf, FileMark)>>;
type FileMark = (SystemTime, (i64, i64), u64, u64);

impl SchemasFolder {
    /// Reads the folder for the first time; without one there is the catalogue alone.
    ///
    /// # Errors
    /// When it can't be read or a file in it is no schema: a gateway does not start with half of the types.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let types = match path {
            None => Types::default(),
            Some(folder) => Types::read(folder).with_context(|| format!("--schemas {}", folder.display()))?,
        };
        if let Some(folder) = path {
            tracing::info!(folder = %folder.display(), types = types.own(), "a studio's own event types read");
            metrics::schemas_good(true);
        }
        let path = path.map(|path| Arc::new(path.to_owned()));
        Ok(Self { path, types: Arc::new(ArcSwap::from_pointee(types)) })
    }

    /// The types in force now; whoever judges several events by one set holds on to it.
    pub fn types(&self) -> Arc<Types> {
        self.types.load_full()
    }

    /// Takes up every change of the folder, for ever.
    pub async fn watch(self) {
        let Some(folder) = self.path.clone() else { return };
        // Nothing has been judged as yet: the folder may have changed between `open` and now.
        let mut looks = Looks::new();
        let mut told = None;
        let mut turn = tokio::time::interval(EVERY);
        loop {
            turn.tick().await;
            let (this, folder) = (self.clone(), Arc::clone(&folder));
            // Files and compiling take their time: requests do not wait for them.
            let looked = tokio::task::spawn_blocking(move || {
                let judged = this.look(&folder, &mut looks);
                (looks, judged)
            });
            let Ok((after, judged)) = looked.await else {
                tracing::error!("the watch over --schemas ended; changes are taken up after a restart");
                return;
            };
            looks = after;
            if let Some(judged) = judged {
                self.take(judged, &mut told);
            }
        }
    }

    /// Reads the folder if it has changed and come to rest.
    fn look(&self, folder: &Path, looks: &mut Looks<Mark>) -> Option<anyhow::Result<Types>> {
        let before = mark(folder);
        if !looks.is_due(&before) {
            return None;
        }
        let read = Types::read(folder).and_then(|types| self.judge(types));
        if mark(folder) != before {
            return None;
        }
        // What could not be read may be readable the next time, without a change of its mark.
        looks.judged(read.is_ok().then_some(before));
        Some(read)
    }

    /// A folder that lost all its schemas is more likely one that is being filled, or a volume that is not
    /// mounted, than one that is meant.
    fn judge(&self, types: Types) -> anyhow::Result<Types> {
        if types.own() == 0 && self.types().own() > 0 {
            bail!("it holds no schema any more; to end all of a studio's types, restart the gateway");
        }
        Ok(types)
    }

    fn take(&self, judged: anyhow::Result<Types>, told: &mut Option<String>) {
        let folder = self.path.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
        metrics::schemas_good(judged.is_ok());
        match judged {
            Ok(types) => {
                tracing::info!(folder, types = types.own(), "a studio's own event types read");
                self.types.store(Arc::new(types));
                metrics::reloaded(Source::Schemas, true);
                *told = None;
            }
            Err(error) => {
                let words = format!("{error:#}");
                if told.as_ref() != Some(&words) {
                    metrics::reloaded(Source::Schemas, false);
                    tracing::error!(folder, error = words, "schemas are broken; the last good ones stay in force");
                }
                *told = Some(words);
            }
        }
    }
}

fn mark(folder: &Path) -> Mark {
    use std::os::unix::fs::MetadataExt as _;
    let of = |path: PathBuf| {
        let found = std::fs::metadata(&path).ok()?;
        let mark = (found.modified().ok()?, (found.ctime(), found.ctime_nsec()), found.len(), found.ino());
        Some((path, mark))
    };
    files(folder).ok()?.into_iter().map(|(_, path)| of(path)).collect()
}
