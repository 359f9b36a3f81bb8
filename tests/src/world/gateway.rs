//! A gateway alone, on Apache Kafka.

use anyhow::Context as _;

use super::Home;
use super::daemons::run;
use super::names::Names;
use crate::client::Client;
use crate::kafka::KafkaBroker;
use crate::process::Process;

/// A gateway as a process of its own, on a real broker. Dropped, it ends, and nothing of it is left.
#[derive(Debug)]
pub struct Gateway {
    /// The process.
    pub process: Process,
    /// `HOST:PORT` where it takes events.
    pub address: String,
    /// `HOST:PORT` of its ops port.
    pub ops: String,
    /// A key of tenant `acme`, game `quest`, without limits.
    pub key: String,
    /// After the process, so that its topics go when nobody uses them any more.
    _names: Names,
    _home: Home,
}

impl Gateway {
    /// Starts it with these flags, on topics of its own.
    pub fn start(flags: &[&str]) -> anyhow::Result<Self> {
        let home = Home::new("gateway")?;
        let names = Names::new(KafkaBroker::start());
        let credentials = home.path().join("credentials.toml").display().to_string();
        let place = ["--kafka", names.broker().bootstrap(), "--topic-prefix", names.prefix()];
        run(&home, &[&["topics", "create", "--partitions", "4", "--replication", "1"], &place[..]].concat())?;
        let holder =
            ["--tenant", "acme", "--game", "quest", "--scope", "ingest", "--scope", "backfill", "--tier", "unlimited"];
        let key = run(&home, &[&["keys", "create", "--credentials", &credentials], &holder[..]].concat())?;
        let ready = home.path().join("gateway.ready");
        let ready_file = ready.display().to_string();
        let own = ["--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0", "--ready-file", &ready_file];
        let arguments = [&place[..], &own, &["--credentials", &credentials], flags].concat();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let mut process = Process::start("ingest-gateway", "ingest-gateway", &arguments, home.path())?;
        let addresses = process.ready(&ready)?;
        let address = |name: &str| addresses.get(name).cloned().with_context(|| format!("no address of {name}"));
        let (address, ops) = (address("gateway")?, address("ops")?);
        Ok(Self { process, address, ops, key: key.trim().to_owned(), _names: names, _home: home })
    }

    /// A client with its key.
    pub fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.key)
    }
}
