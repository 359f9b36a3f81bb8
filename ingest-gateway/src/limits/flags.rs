//! The settings of limits.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use ipnet::IpNet;

use super::Limits;
use super::address::{self, ForwardedHeader, Trust};
use super::load::{Load, LoadBounds};
use super::tiers;

/// What protects the gateway and its users from each other (docs/limits.md).
#[derive(Args, Clone, Debug)]
pub struct LimitFlags {
    /// Tiers of limits by name, which credentials name; `standard` and `unlimited` are there without it
    #[arg(long, value_name = "FILE")]
    pub tiers: Option<PathBuf>,
    /// Requests a second that one address (of IPv6 a /64) may send, whoever it is, with bursts of four seconds' worth; 0: any number
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    pub address_requests: u32,
    /// Whose word on a request's address is taken, a range or an address; repeatable
    #[arg(long, value_name = "CIDR", value_parser = address::range)]
    pub trusted_proxy: Vec<IpNet>,
    /// In which header trusted proxies tell it; the other one is never read
    #[arg(long, value_name = "HEADER", default_value = "x-forwarded-for")]
    pub forwarded_header: ForwardedHeader,
    /// So many connections of one address are open at most, trusted proxies aside; others are closed at once
    #[arg(long, value_name = "N", default_value_t = 4_096)]
    pub max_connections_per_address: usize,
    /// So many requests that bring events are under way at most; then 503
    #[arg(long, value_name = "N", default_value_t = 8_192)]
    pub max_requests_in_flight: usize,
    /// So many bytes of their bodies, encoded and decoded, are held at most; then 503
    #[arg(long, value_name = "BYTES", default_value_t = 128 << 20)]
    pub max_bytes_in_flight: usize,
    /// No new events while one waits for the log's acknowledgement for longer; then 503
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    pub shed_after: Duration,
}

/// One body, encoded and decoded: with less room the largest would never pass.
const LEAST_BYTES: usize = 4 << 20;

impl LimitFlags {
    /// Judges what can be judged without the rest.
    ///
    /// # Errors
    /// A sentence that names the flag.
    pub fn check(&self) -> Result<(), String> {
        if self.max_connections_per_address == 0 || self.max_requests_in_flight == 0 {
            return Err("--max-connections-per-address and --max-requests-in-flight must be at least 1".into());
        }
        if self.max_bytes_in_flight < LEAST_BYTES {
            return Err(format!(
                "--max-bytes-in-flight must be at least {LEAST_BYTES}: one body, as it came and decoded"
            ));
        }
        if self.shed_after.is_zero() {
            return Err("--shed-after must be longer than 0s".into());
        }
        self.tiers().map(drop).map_err(|error| format!("{error:#}"))
    }

    /// Whose word on addresses is taken.
    pub fn trust(&self) -> Trust {
        Trust { proxies: self.trusted_proxy.clone(), header: self.forwarded_header }
    }

    /// The limits that they set.
    ///
    /// # Errors
    /// When the tiers can't be read or are broken.
    pub fn open(&self) -> anyhow::Result<Limits> {
        let load = Load::new(LoadBounds {
            requests: self.max_requests_in_flight,
            bytes: self.max_bytes_in_flight,
            shed_after: self.shed_after,
        });
        Ok(Limits::new(load, self.trust(), NonZeroU32::new(self.address_requests), self.tiers()?))
    }

    fn tiers(&self) -> anyhow::Result<std::collections::BTreeMap<String, tiers::Tier>> {
        let Some(file) = &self.tiers else { return Ok(tiers::built_in()) };
        read(file).with_context(|| format!("--tiers {}", file.display()))
    }
}

fn read(file: &Path) -> anyhow::Result<std::collections::BTreeMap<String, tiers::Tier>> {
    let text = std::fs::read_to_string(file).context("can't read it")?;
    Ok(tiers::parse(&text)?)
}
