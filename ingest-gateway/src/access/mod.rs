//! One line a request, for operators: written by a thread of its own behind a bounded queue. A request never waits
//! for it: a line that finds the queue full is dropped and counted.

pub(crate) mod entry;
mod noted;
mod sample;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::metrics::Counter;
use anyhow::Context as _;
use clap::Args;
use parking_lot::Mutex;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::metrics;
use entry::Entry;
use sample::Sampler;
use writer::Writer;

pub use noted::Noted;

/// Lines that wait to be written; one takes some hundred bytes.
const QUEUE: usize = 4_096;
/// For so long the last lines may take to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Nowhere.
    Off,
    /// Standard output, where nothing else is written.
    StandardOutput,
    /// The end of a file, which is opened again on SIGHUP.
    File(PathBuf),
}

/// Whether and how requests are told one by one.
#[derive(Args, Clone, Debug)]
pub struct AccessFlags {
    /// Where one JSON line a request goes: a file, which SIGHUP opens again, `-` for standard output, or `off`
    #[arg(long, value_name = "FILE|-|off", default_value = "off", value_parser = destination)]
    pub access_log: Destination,
    /// About so many lines a second are written of answers below 500, and as many of failures; of more, a sample,
    /// each line with its share
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub access_log_rate: u32,
}

/// Takes requests' lines. Cheap to clone.
#[derive(Clone)]
pub struct AccessLog(Option<Arc<Open>>);

struct Open {
    queue: SyncSender<Entry>,
    /// Answers below 500.
    others: Mutex<Sampler>,
    /// Failures: a flood of the one leaves the other its lines.
    failures: Mutex<Sampler>,
    reopen: Arc<AtomicBool>,
    closing: Arc<AtomicBool>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
    is_file: bool,
    /// Counts the requests that have no line.
    sampled_out: OnceLock<Counter>,
}

#[expect(clippy::unnecessary_wraps, reason = "the signature that clap asks for")]
fn destination(text: &str) -> Result<Destination, String> {
    Ok(match text {
        "off" => Destination::Off,
        "-" => Destination::StandardOutput,
        path => Destination::File(path.into()),
    })
}

impl AccessFlags {
    /// Judges what can be judged without making a file.
    ///
    /// # Errors
    /// That there is no folder for it.
    pub fn check(&self) -> Result<(), String> {
        let Destination::File(path) = &self.access_log else { return Ok(()) };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if folder.is_dir() && !path.is_dir() {
            return Ok(());
        }
        Err(format!("--access-log {}: it must be a file in a folder that is there, `-` or `off`", path.display()))
    }

    /// Opens the log.
    ///
    /// # Errors
    /// When the file can't be written to, or there is no thread to be had.
    pub fn open(&self) -> anyhow::Result<AccessLog> {
        let path = match &self.access_log {
            Destination::Off => return Ok(AccessLog(None)),
            Destination::StandardOutput => None,
            Destination::File(path) => Some(path.clone()),
        };
        let named = path.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
        let writer = Writer::new(path).with_context(|| format!("--access-log {named}: can't write to it"))?;
        let (queue, lines) = sync_channel(QUEUE);
        let (tell, ended) = oneshot::channel();
        let (reopen, closing) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (told_to_reopen, told_to_close) = (Arc::clone(&reopen), Arc::clone(&closing));
        std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || {
                writer.run(&lines, &told_to_reopen, &told_to_close);
                // Whoever waited may have given up.
                let _ = tell.send(());
            })
            .context("--access-log: can't start its thread")?;
        let sampler = || Mutex::new(Sampler::new(self.access_log_rate));
        Ok(AccessLog(Some(Arc::new(Open {
            queue,
            others: sampler(),
            failures: sampler(),
            reopen,
            closing,
            ended: Mutex::new(Some(ended)),
            is_file: matches!(self.access_log, Destination::File(_)),
            sampled_out: OnceLock::new(),
        }))))
    }
}

impl AccessLog {
    /// Takes a request's line, or leaves it out: by chance where there are many, and where the queue is full.
    /// `now_ms` is the monotonic time; `make` is asked for the line only if it is wanted.
    pub(crate) fn take(&self, status: u16, now_ms: i64, make: impl FnOnce() -> Entry) {
        let Some(open) = &self.0 else { return };
        let sampler = if status >= 500 { &open.failures } else { &open.others };
        let Some(rate) = sampler.lock().draw(now_ms, rand::random()) else {
            open.sampled_out.get_or_init(metrics::access_sampled_out).increment(1);
            return;
        };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = open.queue.try_send(make().sampled_at(rate))
        {
            metrics::access_dropped("queue_full", 1);
        }
    }

    /// Has the file opened again on each SIGHUP, for ever. Where there is no file, a SIGHUP stays what it is.
    pub(crate) async fn reopen_on_hangup(self) {
        let Some(open) = self.0.filter(|open| open.is_file) else { return };
        let mut hangups = match signal(SignalKind::hangup()) {
            Ok(hangups) => hangups,
            Err(error) => {
                tracing::error!(%error, "SIGHUP can't be heard: the access log is not opened again");
                return;
            }
        };
        while hangups.recv().await.is_some() {
            open.reopen.store(true, Ordering::SeqCst);
        }
    }

    /// Waits until all lines are written, not for long.
    pub(crate) async fn finish(&self) {
        let Some(open) = &self.0 else { return };
        open.closing.store(true, Ordering::SeqCst);
        let ended = open.ended.lock().take();
        if let Some(ended) = ended
            && tokio::time::timeout(LAST_LINES, ended).await.is_err()
        {
            tracing::warn!("the last lines of the access log could not be written in time");
        }
    }
}
