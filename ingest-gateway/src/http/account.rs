//! Accounts for a request once it is answered, or its connection is gone: metrics and log lines.

use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode, Version};
use tracing::Span;

use super::rest::Rest;
use crate::access::Noted;
use crate::access::entry::{Entry, Target, Told};
use crate::gateway::Gateway;
use crate::metrics;
use crate::problem::Code;

/// Stands for the status of a request that was never answered, as it does in the logs of others.
const UNANSWERED: u16 = 499;

/// A request under way. One that is dropped was not answered: its connection is gone.
pub(super) struct Account {
    pub(super) gateway: Arc<Gateway>,
    pub(super) began: Instant,
    pub(super) request_id: Arc<str>,
    pub(super) traceparent: Arc<str>,
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) route: &'static str,
    pub(super) span: Span,
    pub(super) noted: Arc<Noted>,
    pub(super) rest: Rest,
    pub(super) open: Option<metrics::Open>,
}

impl Account {
    /// It was answered so.
    pub(super) fn answered(mut self, status: StatusCode, code: Option<Code>, bytes: u64) {
        self.end(status.as_u16(), code.map(Code::as_str), bytes);
    }

    fn end(&mut self, status: u16, code: Option<&'static str>, bytes_out: u64) {
        if self.open.take().is_none() {
            return;
        }
        let (route, took) = (self.route, self.began.elapsed());
        metrics::answered(route, status, bytes_out, took);
        self.span.in_scope(|| {
            let (method, ms) = (&self.method, took.as_millis());
            // Why a 503 was given has been told where it came from; in an outage every request gets one.
            if status == 500 {
                tracing::error!(%method, status, ms, "answered");
            } else {
                tracing::debug!(%method, status, ms, "answered");
            }
        });
        let access = &self.gateway.access;
        access.take(status, self.gateway.clock.monotonic_ms(), || Entry {
            time: self.gateway.now(),
            target: Target::Access,
            request_id: Arc::clone(&self.request_id),
            method: self.method.clone(),
            route,
            status,
            code,
            bytes_in: self.rest.bytes(),
            bytes_out,
            duration: took,
            noted: Told::of(&self.noted),
            protocol: self.version,
            // Of `00-<trace id>-…`.
            trace_id: self.traceparent.split('-').nth(1).unwrap_or_default().to_owned(),
            sample_rate: 1.0,
        });
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.end(UNANSWERED, Some("unanswered"), 0);
    }
}
