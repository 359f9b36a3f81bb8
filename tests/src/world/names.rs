//! What a world has on a broker: topics and groups of its own, since the worlds of one run may share it.
//! They go with the world, also from a broker that stays.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;

use crate::kafka::KafkaBroker;

/// How long the broker may take to answer, and to let go of a topic or of a member.
const PATIENCE: Duration = Duration::from_secs(30);
/// Groups are named by these behind the prefix.
const GROUPS: [&str; 2] = ["worker", "projector"];

/// A broker, and what the names of a world's topics and groups begin with. Dropped, they are gone.
#[derive(Debug)]
pub(super) struct Names {
    broker: KafkaBroker,
    prefix: String,
}

impl Names {
    /// A prefix that no other world has.
    pub(super) fn new(broker: KafkaBroker) -> Self {
        Self { broker, prefix: format!("t{}.", uuid::Uuid::new_v4().simple()) }
    }

    pub(super) fn broker(&self) -> &KafkaBroker {
        &self.broker
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of the group of a daemon.
    pub(super) fn group(&self, daemon: &str) -> String {
        format!("{}{daemon}", self.prefix)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        // They go with their broker, which may not even run.
        if self.broker.is_own() {
            return;
        }
        // On a thread of its own: the test's runtime can't be waited on from here.
        let forgotten = std::thread::scope(|scope| {
            let work = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(forget(self.broker.bootstrap(), &self.prefix))
            });
            work.join().unwrap_or_else(|_| Err(anyhow::anyhow!("it crashed")))
        });
        if let Err(error) = forgotten {
            assert!(std::thread::panicking(), "the world's names outlive it on {}: {error:#}", self.broker.bootstrap());
        }
    }
}

/// Deletes the topics and groups of a prefix, and waits until the broker knows none of them.
async fn forget(bootstrap: &str, prefix: &str) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().context("reaching the broker")?;
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let found = topics(&admin, prefix)?;
    if !found.is_empty() {
        let names: Vec<&str> = found.iter().map(String::as_str).collect();
        for deleted in admin.delete_topics(&names, &options).await.context("deleting its topics")? {
            deleted.map_err(|(topic, code)| anyhow::anyhow!("deleting the topic {topic}: {code}"))?;
        }
    }
    let began = Instant::now();
    loop {
        let (topics, groups) = (topics(&admin, prefix)?, groups(&admin, prefix)?);
        if topics.is_empty() && groups.is_empty() {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "still there: {topics:?} {groups:?}");
        // One that still has members is refused: who was killed is a member for a while.
        let names: Vec<&str> = groups.iter().map(String::as_str).collect();
        if !names.is_empty() {
            admin.delete_groups(&names, &options).await.context("deleting its groups")?;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn topics(admin: &AdminClient<DefaultClientContext>, prefix: &str) -> anyhow::Result<Vec<String>> {
    let known = admin.inner().fetch_metadata(None, PATIENCE).context("asking for topics")?;
    Ok(known.topics().iter().map(|topic| topic.name().to_owned()).filter(|name| name.starts_with(prefix)).collect())
}

fn groups(admin: &AdminClient<DefaultClientContext>, prefix: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for daemon in GROUPS {
        let name = format!("{prefix}{daemon}");
        let known = admin.inner().fetch_group_list(Some(&name), PATIENCE).context("asking for groups")?;
        // The broker tells of a group that it doesn't know as of a dead one.
        found
            .extend(known.groups().iter().filter(|group| group.state() != "Dead").map(|group| group.name().to_owned()));
    }
    Ok(found)
}
