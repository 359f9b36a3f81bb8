//! A gateway on a port of its own, over an embedded log in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args as _, FromArgMatches as _};
use daemon::{Clock, Health, Shell};
use eventlog::embedded::EmbeddedLog;
use eventlog::{Cleanup, EventLog, ReadRequest, Record, Stretch, TopicPartition, TopicSpec};
use ingest_gateway::Config;
use ingest_gateway::credentials::Scope;
use ingest_gateway::keys::{self, NewKey};
use reqwest::{Method, RequestBuilder};
use schemas::topics::Topic;
use schemas::{Tenant, Timestamp};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::told::{Told, read, value};

/// Partitions of every topic.
const PARTITIONS: i32 = 3;

/// A gateway and what lies around it.
pub(crate) struct World {
    /// `http://…`, without a slash at the end.
    pub(crate) url: String,
    /// A key with the scope `ingest` for game `runner` of tenant `acme`.
    pub(crate) key: String,
    /// Where everything lies.
    pub(crate) folder: Arc<tempfile::TempDir>,
    /// The log.
    pub(crate) log: Arc<dyn EventLog>,
    /// The gateway's shell.
    pub(crate) shell: Shell,
    client: reqwest::Client,
    running: Option<JoinHandle<anyhow::Result<()>>>,
}

/// Puts a log in front of another one.
pub(crate) type Between = Arc<dyn Fn(Arc<dyn EventLog>) -> Arc<dyn EventLog> + Send + Sync>;

/// How a world differs from the plain one.
#[derive(Clone, Default)]
pub(crate) struct Setting {
    /// More flags.
    pub(crate) flags: Vec<String>,
    /// Schema files: name below the folder, text.
    pub(crate) schemas: Vec<(String, String)>,
    /// More of the credentials file, from the start on.
    pub(crate) credentials: String,
    /// Files beside it: name, text.
    pub(crate) files: Vec<(String, String)>,
    /// Stands between the gateway and the log.
    pub(crate) between: Option<Between>,
    /// The gateway's clock; the host's if none.
    pub(crate) clock: Option<Clock>,
    /// The text of a file of tiers.
    pub(crate) tiers: Option<String>,
    /// It speaks TLS with the files `tls.pem` and `tls.key`; who trusts this authority, as PEM, trusts it.
    pub(crate) authority: Option<String>,
    /// After how long its loops count as hung; as in life if none.
    pub(crate) hung_after: Option<Duration>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Setting::default()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let opened = EmbeddedLog::open(folder.path().join("log.sqlite")).await.unwrap();
        let log: Arc<dyn EventLog> = Arc::new(opened);
        log.ensure_topics(&specs()).await.unwrap();
        let key = new_key(&folder.path().join("credentials.toml"), &["runner"], &[Scope::Ingest], None);
        let credentials = folder.path().join("credentials.toml");
        let keys = std::fs::read_to_string(&credentials).unwrap();
        std::fs::write(credentials, keys + &setting.credentials).unwrap();
        for (name, text) in &setting.files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        for (name, text) in &setting.schemas {
            let path = folder.path().join("schemas").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut world = Self {
            url: String::new(),
            key,
            folder,
            log,
            shell: Shell::detached(),
            client: client(&setting).build().unwrap(),
            running: None,
        };
        world.start(&setting).await;
        world
    }

    /// Another gateway on the same log.
    pub(crate) async fn beside(&self, setting: &Setting) -> Self {
        let mut world = Self {
            url: String::new(),
            key: self.key.clone(),
            folder: Arc::clone(&self.folder),
            log: Arc::clone(&self.log),
            shell: Shell::detached(),
            client: self.client.clone(),
            running: None,
        };
        world.start(setting).await;
        world
    }

    /// Starts a gateway; the one before must have been stopped.
    pub(crate) async fn start(&mut self, setting: &Setting) {
        let config = config(self.folder.path(), setting);
        self.shell = shell(setting);
        let log =
            setting.between.as_ref().map_or_else(|| Arc::clone(&self.log), |between| between(Arc::clone(&self.log)));
        self.running = Some(tokio::spawn(ingest_gateway::run(config, log, self.shell.clone())));
        let patience = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let address = self.shell.ready.addresses().get("gateway").copied();
            if let Some(address) = address {
                let scheme = if setting.authority.is_some() { "https" } else { "http" };
                self.url = format!("{scheme}://{address}");
                if self.get("/readyz").await.status == 200 {
                    return;
                }
            }
            assert!(tokio::time::Instant::now() < patience, "the gateway is not ready");
            assert!(!self.running.as_ref().unwrap().is_finished(), "the gateway ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Drains the gateway and waits for its end.
    pub(crate) async fn stop(&mut self) {
        self.shell.shutdown.drain();
        self.ended().await;
    }

    /// Waits for the gateway's end.
    pub(crate) async fn ended(&mut self) {
        let running = self.running.take().unwrap();
        tokio::time::timeout(Duration::from_secs(25), running).await.expect("it ends in time").unwrap().unwrap();
    }

    /// Waits until /readyz answers so; gives what the gateway says of its part.
    pub(crate) async fn becomes(&self, status: u16, part: &str) -> String {
        for _ in 0..200 {
            if self.get("/readyz").await.status == status {
                return self.says(part);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("/readyz never became {status}: {:?}", self.shell.health.readiness());
    }

    /// What the gateway says of a part's readiness.
    pub(crate) fn says(&self, part: &str) -> String {
        let parts = self.shell.health.readiness().parts;
        parts.into_iter().find(|(name, _)| *name == part).unwrap().1
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.folder.path().join("credentials.toml")
    }

    /// A key of tenant `acme`.
    pub(crate) fn key(&self, games: &[&str], scopes: &[Scope]) -> String {
        new_key(&self.credentials(), games, scopes, None)
    }

    /// A key of a tier, for game `runner`, that the gateway knows already.
    pub(crate) async fn tier_key(&self, tier: &str) -> String {
        let key = new_key(&self.credentials(), &["runner"], &[Scope::Ingest], Some(tier));
        self.learns(&key).await;
        key
    }

    /// A key that the gateway knows already.
    pub(crate) async fn known_key(&self, games: &[&str], scopes: &[Scope]) -> String {
        self.knows(self.key(games, scopes)).await
    }

    /// A key of game `runner` that everybody may see, and that the gateway knows already.
    pub(crate) async fn publishable_key(&self) -> String {
        self.knows(made(&self.credentials(), &NewKey { publishable: true, ..plain(&[Scope::Ingest]) })).await
    }

    /// A key of game `runner` that ends after a while.
    pub(crate) fn key_that_expires(&self, after: Duration) -> String {
        let at = Clock::system().now_ms() + i64::try_from(after.as_millis()).unwrap();
        let new = NewKey { expires_at: Some(Timestamp::from_ms(at)), ..plain(&[Scope::Ingest]) };
        made(&self.credentials(), &new)
    }

    async fn knows(&self, key: String) -> String {
        self.learns(&key).await;
        key
    }

    async fn learns(&self, key: &str) {
        for _ in 0..100 {
            if self.as_key(key, "/v1/whoami").await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the gateway never learnt of a new key");
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Told {
        read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn as_key(&self, key: &str, path: &str) -> Told {
        read(self.request(Method::GET, path).bearer_auth(key).send().await.unwrap()).await
    }

    /// POST with the world's key.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Told {
        self.post_as(&self.key, path, body).await
    }

    pub(crate) async fn post_as(&self, key: &str, path: &str, body: &Value) -> Told {
        self.send(self.request(Method::POST, path).bearer_auth(key).json(body)).await
    }

    /// POST of bytes, as JSON.
    pub(crate) async fn post_bytes(&self, path: &str, body: impl Into<reqwest::Body>) -> Told {
        let request = self.request(Method::POST, path).bearer_auth(&self.key);
        self.send(request.header("content-type", "application/json").body(body)).await
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Told {
        read(request.send().await.unwrap()).await
    }

    /// All records of a topic: partition by partition, in order.
    pub(crate) async fn records(&self, topic: Topic) -> Vec<Record> {
        let name = topic.name("play.");
        let mut stretches = Vec::new();
        for number in 0..PARTITIONS {
            let partition = TopicPartition::new(name.as_str(), number);
            let range = self.log.offsets(&partition).await.unwrap();
            stretches.push(Stretch { partition, from: range.low, until: Some(range.high) });
        }
        let mut reader = self.log.read(ReadRequest { stretches, read_committed: true }).await.unwrap();
        let mut records = Vec::new();
        while let Some(batch) = reader.next().await.unwrap() {
            records.extend(batch.records);
        }
        records
    }

    /// The stamps of play.events, events and holes, as JSON.
    pub(crate) async fn stamps(&self) -> Vec<Value> {
        self.records(Topic::Events).await.iter().map(value).collect()
    }

    /// The stamps that hold events.
    pub(crate) async fn events(&self) -> Vec<Value> {
        self.stamps().await.into_iter().filter(|stamp| stamp.get("event").is_some()).collect()
    }

    /// The holes.
    pub(crate) async fn holes(&self) -> Vec<Value> {
        self.stamps().await.into_iter().filter_map(|mut stamp| stamp.get_mut("hole").map(Value::take)).collect()
    }

    /// Reasons in the quarantine.
    pub(crate) async fn quarantined(&self) -> Vec<String> {
        let records = self.records(Topic::Quarantine).await;
        records.iter().map(|record| record.headers.text("reason").unwrap().to_owned()).collect()
    }

    /// Nothing at all was produced.
    pub(crate) async fn assert_untouched(&self) {
        assert!(self.stamps().await.is_empty());
        assert!(self.records(Topic::Quarantine).await.is_empty());
    }
}

/// What calls a gateway of that setting.
pub(crate) fn client(setting: &Setting) -> reqwest::ClientBuilder {
    let trusted = setting.authority.iter().map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).unwrap());
    trusted.fold(reqwest::Client::builder(), reqwest::ClientBuilder::add_root_certificate)
}

/// The settings of a gateway in a world's folder.
pub(crate) fn config(folder: &Path, setting: &Setting) -> Config {
    let credentials = folder.join("credentials.toml");
    let schemas = folder.join("schemas");
    let mut line = vec!["gateway", "--listen", "127.0.0.1:0", "--instance", "gw", "--linger", "0ms", "--credentials"];
    line.push(credentials.to_str().unwrap());
    if !setting.schemas.is_empty() {
        line.extend(["--schemas", schemas.to_str().unwrap()]);
    }
    let tiers = folder.join("tiers.toml");
    if let Some(text) = &setting.tiers {
        std::fs::write(&tiers, text).unwrap();
        line.extend(["--tiers", tiers.to_str().unwrap()]);
    }
    let (certificate, private) = (folder.join("tls.pem"), folder.join("tls.key"));
    if setting.authority.is_some() {
        line.extend(["--tls-certificate", certificate.to_str().unwrap(), "--tls-key", private.to_str().unwrap()]);
    }
    line.extend(setting.flags.iter().map(String::as_str));
    let command = Config::augment_args(clap::Command::new("gateway")).args_override_self(true);
    Config::from_arg_matches(&command.get_matches_from(line)).unwrap()
}

fn shell(setting: &Setting) -> Shell {
    let clock = setting.clock.clone().unwrap_or_else(Clock::system);
    let health = setting.hung_after.map_or_else(Health::new, Health::hung_after);
    Shell { clock, health, ..Shell::detached() }
}

fn new_key(file: &Path, games: &[&str], scopes: &[Scope], tier: Option<&str>) -> String {
    let games = games.iter().map(|game| (*game).to_owned()).collect();
    made(file, &NewKey { games, tier: tier.map(ToOwned::to_owned), ..plain(scopes) })
}

fn plain(scopes: &[Scope]) -> NewKey {
    NewKey {
        tenant: Tenant::parse("acme").unwrap(),
        games: vec!["runner".to_owned()],
        environment: None,
        publishable: false,
        scopes: scopes.to_vec(),
        tier: None,
        expires_at: None,
    }
}

fn made(file: &Path, new: &NewKey) -> String {
    keys::create(file, new, Timestamp::from_ms(Clock::system().now_ms())).unwrap().key
}

fn specs() -> Vec<TopicSpec> {
    let spec = |topic: Topic| TopicSpec {
        name: topic.name("play."),
        partitions: PARTITIONS,
        replication: 1,
        cleanup: Cleanup::Delete { retention: None },
        max_message_bytes: topic.max_message_bytes(),
    };
    Topic::ALL.into_iter().map(spec).collect()
}
