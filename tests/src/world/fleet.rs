//! Daemons of one kind beside each other, by their names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;

use super::Home;
use crate::process::Process;

/// How long one of them may take to say what it is asked for; machines are shared.
const PATIENCE: Duration = Duration::from_secs(90);

/// Processes of one program. Dropped, they end.
#[derive(Debug)]
pub struct Fleet {
    program: &'static str,
    all: BTreeMap<String, Member>,
    http: reqwest::Client,
    /// Where their logs and ready files lie.
    folder: PathBuf,
}

/// One of them, by its name.
#[derive(Debug, Default)]
struct Member {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    process: Option<Process>,
    /// The URL of its ops port, once it has been ready.
    ops: String,
}

impl Fleet {
    /// Of this program, none as yet.
    pub(super) fn of(program: &'static str, home: &Home) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { program, all: BTreeMap::new(), http, folder: home.path().to_path_buf() })
    }

    /// Starts one of this name, which must not run, with these arguments and this environment.
    pub(super) fn launch(
        &mut self,
        name: &str,
        arguments: Vec<String>,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let ready = self.ready_file(name).display().to_string();
        let told = ["--ops", "127.0.0.1:0", "--ready-file", &ready].map(ToOwned::to_owned);
        let arguments = arguments.into_iter().chain(told).collect();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let member = Member { arguments, environment, process: None, ops: String::new() };
        self.all.insert(name.to_owned(), member);
        self.again(name)
    }

    /// Starts one as it was started before.
    pub fn again(&mut self, name: &str) -> anyhow::Result<()> {
        let ready = self.ready_file(name);
        if ready.exists() {
            std::fs::remove_file(&ready)?;
        }
        let Member { arguments, environment, process, .. } = self.all.get_mut(name).context("no such name")?;
        *process = Some(Process::start_within(self.program, name, arguments, environment, &self.folder)?);
        Ok(())
    }

    /// Waits until one is ready.
    pub fn ready(&mut self, name: &str) -> anyhow::Result<()> {
        let file = self.ready_file(name);
        let member = self.all.get_mut(name).context("no such name")?;
        let addresses = member.process.as_mut().context("it does not run")?.ready(&file)?;
        member.ops = format!("http://{}", addresses.get("ops").context("the ready file names no ops port")?);
        Ok(())
    }

    /// Whether one has been ready since it was started.
    pub fn is_ready(&self, name: &str) -> bool {
        self.ready_file(name).exists()
    }

    /// kill −9.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        self.take(name)?.kill()
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str, signal: Signal) -> anyhow::Result<()> {
        self.process(name)?.signal(signal)
    }

    /// SIGTERM to one: its exit status, within 25 s.
    pub fn terminate(&mut self, name: &str) -> anyhow::Result<ExitStatus> {
        self.take(name)?.terminate()
    }

    /// SIGTERM to all that run; each must end with 0.
    pub fn terminate_all(&mut self) -> anyhow::Result<()> {
        for (name, member) in &mut self.all {
            let Some(mut process) = member.process.take() else { continue };
            let status = process.terminate()?;
            ensure!(status.success(), "{name} ended with {status}\n{}", process.last_lines());
        }
        Ok(())
    }

    /// Waits until one ends by itself, which must be with status 1; the last words of its log.
    pub async fn fails(&mut self, name: &str) -> anyhow::Result<String> {
        let began = Instant::now();
        loop {
            let process = self.process_mut(name)?;
            if let Some(status) = process.ended()? {
                ensure!(status.code() == Some(1), "{name} ended with {status}\n{}", process.last_lines());
                let said = process.lines("ended with an error").pop().context("it says no reason")?;
                self.take(name)?;
                return Ok(said);
            }
            ensure!(began.elapsed() < PATIENCE, "{name} goes on after {PATIENCE:?}\n{}", process.last_lines());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// One's process.
    pub fn process(&self, name: &str) -> anyhow::Result<&Process> {
        self.all.get(name).and_then(|member| member.process.as_ref()).context("it does not run")
    }

    pub(super) fn process_mut(&mut self, name: &str) -> anyhow::Result<&mut Process> {
        self.all.get_mut(name).and_then(|member| member.process.as_mut()).context("it does not run")
    }

    /// Lines of one's log with these words, those of its earlier lives included, as JSON.
    pub fn told(&self, name: &str, words: &str) -> anyhow::Result<Vec<serde_json::Value>> {
        let text = std::fs::read_to_string(self.folder.join(format!("{name}.log")))?;
        let lines = text.lines().filter(|line| line.contains(words));
        lines.map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    /// The sum of all lines of a metric of one's page /metrics, whose label it may begin; 0 where it has not been told
    /// yet.
    pub async fn metric(&self, name: &str, metric: &str) -> anyhow::Result<f64> {
        let page = self.http.get(format!("{}/metrics", self.ops(name)?)).send().await?.text().await?;
        let lines = page.lines().filter_map(|line| line.strip_prefix(metric));
        let whole = lines.filter(|rest| metric.contains('{') || rest.starts_with([' ', '{']));
        Ok(whole.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() + 0.0)
    }

    /// The same of a metric that counts things.
    pub async fn count(&self, name: &str, metric: &str) -> anyhow::Result<u64> {
        Ok(format!("{:.0}", self.metric(name, metric).await?).parse()?)
    }

    /// Waits until a metric of one is at least so much.
    pub async fn reaches(&self, name: &str, metric: &str, least: f64) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let found = self.metric(name, metric).await?;
            if found >= least {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "{metric} of {name} is {found} and not {least} after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What /readyz of one answers: its status and its words.
    pub async fn readiness(&self, name: &str) -> anyhow::Result<(u16, String)> {
        let answer = self.http.get(format!("{}/readyz", self.ops(name)?)).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Waits until /readyz of one answers with this status; its words.
    pub async fn answers(&self, name: &str, status: u16) -> anyhow::Result<String> {
        let began = Instant::now();
        loop {
            let (found, words) = self.readiness(name).await?;
            if found == status {
                return Ok(words);
            }
            ensure!(began.elapsed() < PATIENCE, "/readyz of {name} is {found} after {PATIENCE:?}: {words}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether /livez of one says that its loops turn.
    pub async fn lives(&self, name: &str) -> anyhow::Result<bool> {
        Ok(self.http.get(format!("{}/livez", self.ops(name)?)).send().await?.status().is_success())
    }

    fn ops(&self, name: &str) -> anyhow::Result<&str> {
        Ok(&self.all.get(name).context("no such name")?.ops)
    }

    fn take(&mut self, name: &str) -> anyhow::Result<Process> {
        self.all.get_mut(name).and_then(|member| member.process.take()).context("it does not run")
    }

    fn ready_file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.ready"))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for member in self.all.values_mut() {
            let Some(mut process) = member.process.take() else { continue };
            if std::thread::panicking() {
                eprintln!("{}", process.last_lines());
            } else {
                // Drained, it may leave its group; killed, it would stay a member for a while.
                let _ = process.terminate();
            }
        }
    }
}
