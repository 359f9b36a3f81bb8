//! What `up` can be told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ingest_gateway::cors::Origin;
use projector::SchemaName;

use crate::folder;

/// Settings of `up`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The folder that keeps everything; taken up again where it exists [default: PLAYLEDGER_DATA, else ~/.local/share/playledger]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where events are taken; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Where the pages are; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    pub dashboard: String,
    /// A name by which the pages may be asked for, besides addresses and localhost; repeatable
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// Where /livez, /readyz and /metrics are
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub ops: String,
    /// The database of the tables [default: a private Postgres in the folder]
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The schema of the tables: another one is filled from the log anew, beside what is there
    #[arg(long, value_name = "NAME", default_value = "play")]
    pub schema: SchemaName,
    /// A Kafka cluster to use instead of the log in the folder
    #[arg(long, value_name = "HOST:PORT[,…]")]
    pub kafka: Option<String>,
    /// Any librdkafka setting, TLS and SASL among them; repeatable
    #[arg(long, value_name = "KEY=VALUE", requires = "kafka")]
    pub kafka_set: Vec<String>,
    /// What stands before every topic's name
    #[arg(long, value_name = "PREFIX", default_value = "play.")]
    pub topic_prefix: String,
    /// Plays so many simulated players
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub simulate: usize,
    /// Closes a session after so long without an event [default: 30m]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub session_timeout: Option<Duration>,
    /// How long a closed session waits for late events [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub grace: Option<Duration>,
    /// Settings by tenant and game
    #[arg(long, value_name = "FILE")]
    pub games: Option<PathBuf>,
    /// The studio's own event types: JSON Schema files, one a type
    #[arg(long, value_name = "DIR")]
    pub schemas: Option<PathBuf>,
    /// Pages of this origin may call the gateway, such as `https://play.example`; repeatable. `*` is every page,
    /// with publishable keys only
    #[arg(long = "cors-origin", value_name = "ORIGIN", value_parser = origin)]
    pub cors_origins: Vec<String>,
    /// Prints one line of JSON when everything is ready, for programs
    #[arg(long)]
    pub json: bool,
}

/// An origin as browsers write it; the gateway reads it again.
fn origin(text: &str) -> Result<String, String> {
    Origin::parse(text).map(|_| text.to_owned())
}

impl Arguments {
    /// The folder that is meant.
    pub fn folder(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(folder::default_path)
    }
}
