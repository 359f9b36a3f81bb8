//! One load on gateways of its own, measured.

use std::time::Duration;

use daemon::Clock;

use super::bare::{self, Arguments as Bare};
use super::connections::{Pace, Sent, send};
use super::events::Play;
use super::ground::{Gateway, Ground, PARTITIONS};
use crate::numbers::{count, milliseconds};

/// One measurement of gateways.
pub(super) struct Measured {
    pub(super) events: usize,
    pub(super) sent: Sent,
    cpu: Duration,
    /// The highest of any of the processes, in bytes.
    pub(super) peak_memory: u64,
    /// The topics that it went to.
    prefix: String,
}

/// A load and who takes it.
#[derive(Clone, Copy)]
pub(super) struct Load<'a> {
    pub(super) events: usize,
    pub(super) batch: usize,
    pub(super) bytes: usize,
    pub(super) connections: usize,
    pub(super) pace: Pace,
    pub(super) gateways: usize,
    pub(super) flags: &'a [&'a str],
}

impl Measured {
    pub(super) fn cpu_s_per_million(&self) -> f64 {
        self.cpu.as_secs_f64() / (count(self.events) / 1e6)
    }

    pub(super) fn events_a_second(&self) -> f64 {
        count(self.events) / self.sent.took.as_secs_f64()
    }

    pub(super) fn line(&self, name: &str) -> String {
        let at = |share| milliseconds(self.sent.answers.value_at_quantile(share));
        format!(
            "{name:<44} {:>9} events {:>9.0}/s {:>7.2} CPU-s/M  p50 {:>6.1} ms  p99 {:>6.1} ms  {:>4} MB",
            self.events,
            self.events_a_second(),
            self.cpu_s_per_million(),
            at(0.5),
            at(0.99),
            self.peak_memory >> 20,
        )
    }
}

impl Ground {
    /// One load on gateways and topics of its own.
    pub(super) async fn measure(&self, load: Load<'_>) -> anyhow::Result<Measured> {
        let (prefix, gateways) = self.start(load).await?;
        let measured = self.run_load(load, prefix, &gateways).await?;
        stop(gateways).await?;
        Ok(measured)
    }

    /// Gateways for a load, and the prefix of their topics.
    pub(super) async fn start(&self, load: Load<'_>) -> anyhow::Result<(String, Vec<Gateway>)> {
        let prefix = self.new_topics().await?;
        let mut gateways = Vec::new();
        for number in 0..load.gateways {
            gateways.push(self.gateway(&prefix, &format!("gateway{number}"), load.flags).await?);
        }
        Ok((prefix, gateways))
    }

    /// One load on gateways that are there.
    pub(super) async fn run_load(
        &self,
        load: Load<'_>,
        prefix: String,
        gateways: &[Gateway],
    ) -> anyhow::Result<Measured> {
        let seed = u64::from_be_bytes(*uuid::Uuid::new_v4().as_bytes().first_chunk().unwrap_or(&[0; 8]));
        let mut play = Play::new(seed, load.bytes, Clock::system().now_ms());
        let requests = play.requests(load.events / load.batch, load.batch, &gateways[0].address, self.key());
        let addresses: Vec<_> = gateways.iter().map(|gateway| gateway.address.clone()).collect();
        let mut before = Duration::ZERO;
        for gateway in gateways {
            before += gateway.process.reading()?.cpu;
        }
        let sent = send(&addresses, load.connections, requests, load.pace).await?;
        // What comes after the answers belongs to them, too: the tail reads what was appended last.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (mut cpu, mut peak_memory) = (Duration::ZERO, 0);
        for gateway in gateways {
            cpu += gateway.process.reading()?.cpu;
            peak_memory = peak_memory.max(gateway.process.peak_memory()?);
        }
        let events = load.events / load.batch * load.batch;
        Ok(Measured { events, sent, cpu: cpu.saturating_sub(before), peak_memory, prefix })
    }

    /// The same records by the bare producer, at a pace if one is told.
    pub(super) async fn bare(&self, measured: &Measured, paced: Option<(f64, usize)>) -> anyhow::Result<bare::Sent> {
        let other = self.new_topics().await?;
        let topics = [&measured.prefix, &other].map(|prefix| format!("{prefix}events"));
        let sent = Bare::new(self.bootstrap(), [&topics[0], &topics[1]], PARTITIONS, paced).run().await?;
        anyhow::ensure!(sent.records == measured.events as u64, "the gateway left {} records", sent.records);
        Ok(sent)
    }
}

/// Ends them.
pub(super) async fn stop(gateways: Vec<Gateway>) -> anyhow::Result<()> {
    for gateway in gateways {
        gateway.process.stop().await?;
    }
    Ok(())
}
