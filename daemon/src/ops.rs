//! The ops server: /livez, /readyz, /metrics. For the operator's network only.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::Shell;
use crate::health::{Health, Verdict};

/// Bounds of latency histograms, in seconds.
const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Makes the process's metrics go to one Prometheus recorder.
///
/// # Errors
/// When the process has a recorder already.
pub fn install_recorder() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .context("histogram bounds")?
        .install_recorder()
        .context("installing the metrics recorder")
}

/// Serves the ops port until the process ends; answers with the address that came of it.
///
/// # Errors
/// When the address can't be listened on.
pub async fn serve(address: &str, recorder: PrometheusHandle, shell: &Shell) -> anyhow::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("--ops {address}: can't listen there (port 0 takes a free one)"))?;
    let local = listener.local_addr()?;
    let health = shell.health.clone();
    let upkeep = recorder.clone();
    tokio::spawn(async move {
        let mut turn = tokio::time::interval(Duration::from_secs(5));
        loop {
            turn.tick().await;
            upkeep.run_upkeep();
        }
    });
    let collector = metrics_process::Collector::default();
    collector.describe();
    let routes = Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(health).route(
        "/metrics",
        get(async move || {
            collector.collect();
            recorder.render()
        }),
    );
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the ops server ended");
        }
    });
    Ok(local)
}

async fn livez(State(health): State<Health>) -> impl IntoResponse {
    answer(&health.liveness())
}

async fn readyz(State(health): State<Health>) -> impl IntoResponse {
    answer(&health.readiness())
}

fn answer(verdict: &Verdict) -> impl IntoResponse + use<> {
    let status = if verdict.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let lines: Vec<_> = verdict.parts.iter().map(|(name, word)| format!("{name}: {word}\n")).collect();
    (status, if lines.is_empty() { "ok\n".to_owned() } else { lines.concat() })
}
