//! A Kafka of a test's own, started by `deploy/kafka/kafka`.
//!
//! Nothing is skipped where it cannot be started: the test fails and says what is missing. With
//! `PLAYLEDGER_TEST_KAFKA=HOST:PORT` a cluster that runs already is used instead, where a test only
//! wants one to talk to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A cluster on this machine; ended, with its data, when dropped or when this process ends.
#[derive(Debug)]
pub struct KafkaBroker {
    bootstrap: String,
    /// None for a cluster that was there before.
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    folder: PathBuf,
}

impl KafkaBroker {
    /// A cluster of one broker: the one named by `PLAYLEDGER_TEST_KAFKA`, else a new one.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start() -> Self {
        Self::named().unwrap_or_else(|| Self::start_own(1, &[]))
    }

    /// The cluster that `PLAYLEDGER_TEST_KAFKA` names.
    pub(crate) fn named() -> Option<Self> {
        std::env::var("PLAYLEDGER_TEST_KAFKA").ok().filter(|bootstrap| !bootstrap.is_empty()).map(Self::at)
    }

    /// A cluster that runs already, and goes on when this is dropped.
    pub(crate) fn at(bootstrap: String) -> Self {
        Self { bootstrap, own: None }
    }

    /// A new cluster of one or three brokers, to be stopped, frozen and killed at will.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_own(brokers: usize, settings: &[&str]) -> Self {
        let count = brokers.to_string();
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        Self::start_with(&["--brokers", &count].into_iter().chain(settings).collect::<Vec<_>>())
    }

    /// A new cluster by these arguments of the script.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("playledger-kafka-{}-{}", std::process::id(), unique()));
        let parent = std::process::id().to_string();
        let ending = ["--throw-away", "--parent-pid", &parent];
        let arguments: Vec<_> = arguments.iter().chain(&ending).map(ToString::to_string).collect();
        let answer = script("start", &folder, &arguments);
        let bootstrap = between(&answer, "\"bootstrap\":\"", "\"").to_owned();
        Self { bootstrap, own: Some(Own { folder }) }
    }

    /// `HOST:PORT` of its brokers, with commas between.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Kills broker `number` (from 1) as a power cut would.
    ///
    /// # Panics
    /// On a cluster that is not this test's own, and when the broker does not run.
    pub fn kill(&self, number: usize) {
        script("stop", self.folder(), &["--kill".to_owned(), "--broker".to_owned(), number.to_string()]);
    }

    /// Starts broker `number` again, on its data and port, and waits until it answers.
    ///
    /// # Panics
    /// On a cluster that is not this test's own, and when it does not start.
    pub fn restart(&self, number: usize) {
        script("start", self.folder(), &["--broker".to_owned(), number.to_string()]);
    }

    /// Stops broker `number` in its tracks: it keeps its connections and answers nothing.
    ///
    /// # Panics
    /// On a cluster that is not this test's own.
    pub fn freeze(&self, number: usize) {
        self.signal(number, Signal::SIGSTOP);
    }

    /// Lets a frozen broker go on.
    ///
    /// # Panics
    /// On a cluster that is not this test's own.
    pub fn thaw(&self, number: usize) {
        self.signal(number, Signal::SIGCONT);
    }

    /// The folder of a cluster of this test's own: each broker has its settings, its data and its log in it.
    ///
    /// # Panics
    /// On a cluster that is not this test's own.
    pub(crate) fn folder(&self) -> &Path {
        &self.own().folder
    }

    fn signal(&self, number: usize, signal: Signal) {
        let file = self.folder().join(format!("broker-{number}/pid"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let pid = text.trim().parse().unwrap_or_else(|e| panic!("{}: {text:?}: {e}", file.display()));
        kill(Pid::from_raw(pid), signal).unwrap_or_else(|e| panic!("{signal} to {pid}: {e}"));
    }

    /// Whether it goes when this is dropped.
    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    fn own(&self) -> &Own {
        assert!(self.is_own(), "this test wants a Kafka of its own: use KafkaBroker::start_own");
        self.own.as_ref().unwrap_or_else(|| unreachable!())
    }
}

impl Drop for KafkaBroker {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            let ended = command("stop", &own.folder).arg("--kill").status();
            if !ended.is_ok_and(|status| status.success()) {
                eprintln!("the Kafka under {} could not be stopped", own.folder.display());
            }
            // The watchdog removes what is left, once this process is gone.
            let _ = std::fs::remove_dir_all(&own.folder);
        }
    }
}

fn script(verb: &str, folder: &Path, arguments: &[String]) -> String {
    let output = command(verb, folder).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|e| panic!("deploy/kafka/kafka cannot be run: {e}"));
    assert!(
        output.status.success(),
        "deploy/kafka/kafka {verb} failed ({}): these tests need a real Kafka. Its message is above; Java 17 and \
         Maven are what it needs (apt-get install openjdk-17-jre-headless maven)",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn command(verb: &str, folder: &Path) -> Command {
    // Every crate of the workspace lies right under its root.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kafka/kafka");
    let mut command = Command::new(script);
    command.arg(verb).arg("--dir").arg(folder).stdin(Stdio::null());
    command
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let from = text.find(start).unwrap_or_else(|| panic!("no {start} in {text:?}")) + start.len();
    let length = text[from..].find(end).unwrap_or_else(|| panic!("no {end} after {start} in {text:?}"));
    &text[from..from + length]
}

/// Differs at every call within this process.
fn unique() -> usize {
    static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
