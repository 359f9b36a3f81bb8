//! Accounts for a request once it is answered, or its connection is gone: metrics and log lines.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use http::request::Parts;
use tracing::Span;

use super::calls::{self, Call};
use super::marks;
use super::rest::Lent;
use crate::access::Noted;
use crate::access::entry::{Entry, Target, Told};
use crate::gateway::Gateway;
use crate::metrics;
use crate::problem::Code;

/// Stands for the status of a request that was never answered, as it does in the logs of others.
const UNANSWERED: u16 = 499;

/// A request under way, and all that belongs to it. One that is dropped was not answered: its connection is gone.
pub(super) struct Account<'a> {
    pub(super) gateway: &'a Arc<Gateway>,
    pub(super) began: Instant,
    pub(super) head: Parts,
    pub(super) body: Lent,
    /// By its path; none where there is no such path.
    pub(super) call: Option<Call>,
    pub(super) request_id: Arc<str>,
    pub(super) traceparent: Arc<str>,
    /// Where lines are told of it; [`Span::none`] where there will be hardly any.
    pub(super) span: Span,
    pub(super) noted: Noted,
    pub(super) open: Option<metrics::Open>,
}

impl Account<'_> {
    /// It was answered so.
    pub(super) fn answered(mut self, status: StatusCode, code: Option<Code>, bytes: u64) {
        self.end(status.as_u16(), code.map(Code::as_str), bytes);
    }

    fn end(&mut self, status: u16, code: Option<&'static str>, bytes_out: u64) {
        if self.open.take().is_none() {
            return;
        }
        let took = self.began.elapsed();
        self.gateway.measured.answered(self.call, status, bytes_out, took);
        if self.span.is_none() && status == 500 {
            self.span = marks::span(&self.request_id, self.call);
        }
        self.span.in_scope(|| {
            let (method, ms) = (&self.head.method, took.as_millis());
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
            method: self.head.method.clone(),
            route: calls::route(self.call),
            status,
            code,
            bytes_in: self.body.bytes(),
            bytes_out,
            duration: took,
            noted: Told::of(&self.noted),
            protocol: self.head.version,
            // Of `00-<trace id>-…`.
            trace_id: self.traceparent.split('-').nth(1).unwrap_or_default().to_owned(),
            sample_rate: 1.0,
        });
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        self.end(UNANSWERED, Some("unanswered"), 0);
    }
}
