//! What a gateway tells its operator of credentials: whether they are sound, and no secret at any level.
//! A test of its own: log lines and metrics are the whole process's.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![expect(dead_code, reason = "the contract's world has more than is used here")]

#[path = "contract/promised.rs"]
mod promised;
#[path = "contract/told.rs"]
mod told;
#[path = "contract/world.rs"]
mod world;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use told::event;
use world::{Setting, World};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }
}

/// Everything that the gateway's process would log under `RUST_LOG=trace`.
fn listen() -> Lines {
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = fmt::layer().json().flatten_event(true).with_writer(move || writer.clone());
    tracing_subscriber::registry().with(layer).with(EnvFilter::new("trace")).init();
    lines
}

/// Waits until a gauge has that value.
async fn becomes(metrics: &PrometheusHandle, gauge: &str, value: &str) {
    let line = format!("playledger_gateway_{gauge} {value}");
    for _ in 0..100 {
        if metrics.render().lines().any(|found| found == line) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never said {line}: {}", metrics.render());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_and_what_is_broken_is_told() {
    let lines = listen();
    let metrics = PrometheusBuilder::new().install_recorder().unwrap();
    let credentials = "\n[[issuer]]\nname = \"login\"\niss = \"i\"\naud = [\"a\"]\nalgorithm = \"EdDSA\"\n\
                       jwks_url = \"http://127.0.0.1:9/keys?token=t0p-s3cr3t\"\ntenant = \"acme\"\n\
                       games = [\"runner\"]\nscopes = [\"ingest\"]\n";
    let setting = Setting { credentials: credentials.into(), ..Setting::default() };
    let world = World::with(setting).await;
    let publishable = world.publishable_key().await;
    let secrets = use_up(&world, &publishable).await;
    becomes(&metrics, "credentials_good", "1").await;
    becomes(&metrics, "jwks_broken", "1").await;

    let sound = std::fs::read_to_string(world.credentials()).unwrap();
    std::fs::write(world.credentials(), "[[key]]\nid = ").unwrap();
    becomes(&metrics, "credentials_good", "0").await;
    assert_eq!(world.as_key(&world.key, "/v1/whoami").await.status, 200);
    std::fs::write(world.credentials(), sound.split("\n[[issuer]]").next().unwrap()).unwrap();
    becomes(&metrics, "credentials_good", "1").await;
    becomes(&metrics, "jwks_broken", "0").await;

    let text = lines.text();
    for told in ["credentials are broken; the last good ones stay in force", "an issuer's keys are broken"] {
        assert!(text.contains(told), "{told}");
    }
    for heard in ["\"answered\"", "\"target\":\"h2::"] {
        assert!(text.contains(heard), "requests are told at this level, by libraries too: {heard}");
    }
    for secret in secrets.iter().map(String::as_str).chain(["t0p-s3cr3t", "?key=", "app_version="]) {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} stands in {line:?}");
    }
}

/// Presents credentials good and bad, over HTTP/1.1 and HTTP/2; gives what must stand in no log.
async fn use_up(world: &World, publishable: &str) -> Vec<String> {
    let bad = format!("pl_000000000000_{}", "Zz9".repeat(14));
    let token = "eyJhbGciOiJub25lIiwia2lkIjoiayJ9.eyJpc3MiOiJpIn0.c2lnbmF0dXJl";
    let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    for key in [&world.key, publishable, &bad, token] {
        world.as_key(key, "/v1/whoami").await;
        world.get(&format!("/v1/whoami?key={key}")).await;
        world.send(world.request(Method::GET, "/v1/whoami").header("x-api-key", key)).await;
        let path = format!("/v1/events?app_version=1&key={key}");
        world.send(world.request(Method::POST, &path).header("content-type", "text/plain").body("{")).await;
        world.post_as(key, "/v1/batch?app_version=1", &json!({"events": [event(), {"event_id": 1}]})).await;
        let url = format!("{}{path}", world.url);
        let sent = http2.post(url).bearer_auth(key).json(&event()).send().await.unwrap();
        assert_eq!(sent.version(), reqwest::Version::HTTP_2);
    }
    let secret = |key: &str| key.splitn(3, '_').nth(2).unwrap().to_owned();
    vec![secret(&world.key), secret(publishable), secret(&bad), token.rsplit('.').next().unwrap().to_owned()]
}
