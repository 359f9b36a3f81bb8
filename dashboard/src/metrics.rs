//! What the dashboard counts about itself.

use std::time::Duration;

use http::StatusCode;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Tells the recorder what each metric means.
pub(crate) fn describe() {
    describe_counter!("playledger_dashboard_requests_total", "Requests answered, by route and status.");
    describe_histogram!("playledger_dashboard_request_seconds", "Time to the first byte of an answer, by route.");
    describe_histogram!(
        "playledger_dashboard_query_seconds",
        "Time to read one page's data in one transaction, by page."
    );
    describe_counter!("playledger_dashboard_query_failures_total", "Pages whose data could not be read, by page.");
    describe_gauge!("playledger_dashboard_streams_open", "Pages that are being kept up to date by a stream now.");
    describe_counter!(
        "playledger_dashboard_connections_refused_total",
        "Connections closed because too many were open."
    );
}

pub(crate) fn request(route: &str, status: StatusCode, took: Duration) {
    let route = route.to_owned();
    counter!("playledger_dashboard_requests_total", "route" => route.clone(), "status" => status.as_u16().to_string())
        .increment(1);
    histogram!("playledger_dashboard_request_seconds", "route" => route).record(took.as_secs_f64());
}

pub(crate) fn query(page: &'static str, took: Duration, failed: bool) {
    histogram!("playledger_dashboard_query_seconds", "page" => page).record(took.as_secs_f64());
    if failed {
        counter!("playledger_dashboard_query_failures_total", "page" => page).increment(1);
    }
}

pub(crate) fn connection_refused() {
    counter!("playledger_dashboard_connections_refused_total").increment(1);
}

/// One open stream; counted for as long as it lives.
pub(crate) struct OpenStream;

impl OpenStream {
    pub(crate) fn new() -> Self {
        gauge!("playledger_dashboard_streams_open").increment(1.0);
        Self
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        gauge!("playledger_dashboard_streams_open").decrement(1.0);
    }
}
