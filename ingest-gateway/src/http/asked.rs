//! What a request asks, as its handler sees it.

use std::borrow::Cow;
use std::sync::Arc;

use http::request::Parts;
use percent_encoding::percent_decode_str;

use super::calls::Call;
use super::rest::Lent;
use crate::access::Noted;
use crate::gateway::Gateway;
use crate::limits::meter::Meter;

/// A request that has passed the limits that need no credential. Everything in it belongs to who carries it through.
pub(super) struct Asked<'a> {
    pub(super) gateway: &'a Arc<Gateway>,
    pub(super) call: Option<Call>,
    pub(super) head: &'a Parts,
    /// The request's id: the caller's if it is sane, else made.
    pub(super) request_id: &'a Arc<str>,
    /// W3C trace context: the caller's if it is sane, else made.
    pub(super) traceparent: &'a Arc<str>,
    pub(super) meter: &'a Meter,
    pub(super) noted: &'a Noted,
    pub(super) body: &'a mut Lent,
}

impl Asked<'_> {
    /// What stands in its path where a call's pattern has a name, decoded; none where that is no text.
    pub(super) fn named(&self, call: Call) -> Option<Cow<'_, str>> {
        percent_decode_str(call.named(self.head.uri.path())?).decode_utf8().ok()
    }
}
