//! The ops server: /livez, /readyz, /metrics, and orders such as /resume. For the operator's network only.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::Shell;
use crate::health::{Health, Verdict};
use crate::orders::{Orders, Refused};

/// Bounds of latency histograms, in seconds.
const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Bounds of histograms of what may take long: ages of events, restores, hand-overs. In seconds.
const LONG_SECONDS: [f64; 14] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0];
/// What the names of such histograms end with.
const LONG: [&str; 4] = ["_age_seconds", "_restore_seconds", "_replay_seconds", "_handover_seconds"];
/// Bounds of histograms of records.
const RECORDS: [f64; 10] = [1.0, 10.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 25_000.0, 50_000.0];

/// Makes the process's metrics go to one Prometheus recorder.
///
/// # Errors
/// When the process has a recorder already.
pub fn install_recorder() -> anyhow::Result<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new().set_buckets(&SECONDS).context("histogram bounds")?;
    let ends = LONG.map(|end| (end, &LONG_SECONDS[..]));
    for (end, bounds) in ends.into_iter().chain([("_records", &RECORDS[..])]) {
        builder =
            builder.set_buckets_for_metric(Matcher::Suffix(end.to_owned()), bounds).context("histogram bounds")?;
    }
    builder.install_recorder().context("installing the metrics recorder")
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
    let routes = routes(health, shell.orders.clone()).route(
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

fn routes(health: Health, orders: Orders) -> Router {
    let asked = Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(health);
    asked.merge(Router::new().route("/resume", post(resume)).with_state(orders))
}

async fn resume(State(orders): State<Orders>) -> impl IntoResponse {
    match orders.give("resume").await {
        Ok(line) => (StatusCode::OK, line + "\n"),
        Err(refused) => {
            let status = match refused {
                Refused::Unknown => StatusCode::NOT_FOUND,
                Refused::Unanswered => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, format!("{refused}\n"))
        }
    }
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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn call(routes: &Router, method: &str, path: &str) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = routes.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn who_may_be_told_to_resume_is_and_its_answer_comes_back() {
        let (health, orders) = (Health::new(), Orders::default());
        let routes = routes(health, orders.clone());
        assert_eq!(call(&routes, "POST", "/resume").await.0, StatusCode::NOT_FOUND);
        let mut inbox = orders.take("resume");
        let taker = tokio::spawn(async move { inbox.next().await.unwrap().answer("going on".into()) });
        assert_eq!(call(&routes, "GET", "/resume").await.0, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(call(&routes, "POST", "/resume").await, (StatusCode::OK, "going on\n".into()));
        taker.await.unwrap();
        assert_eq!(call(&routes, "POST", "/resume").await.0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn what_a_part_waits_for_is_told() {
        let health = Health::new();
        let routes = routes(health.clone(), Orders::default());
        health.component("part").not_ready("restoring partition 3");
        let readiness = call(&routes, "GET", "/readyz").await;
        assert_eq!(readiness, (StatusCode::SERVICE_UNAVAILABLE, "part: restoring partition 3\n".into()));
        assert_eq!(call(&routes, "GET", "/livez").await.0, StatusCode::OK);
    }
}
