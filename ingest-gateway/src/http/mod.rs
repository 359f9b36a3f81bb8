//! The public listener: connections, and what carries their requests through.
//!
//! A request's way: `around` (id, account, drain) → `limit` (address, load) → `dispatch` → `ingest`, `inform` or
//! `document`. Each is a plain function that calls the next, all of it one future without a box.

mod account;
mod activity;
mod answer;
mod around;
mod asked;
mod auth;
mod body;
pub mod calls;
mod connection;
mod dispatch;
mod document;
mod handshake;
mod http1;
mod http2;
mod inform;
mod ingest;
mod limit;
pub mod listener;
mod marks;
mod rest;
mod stream;

use std::net::IpAddr;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;

use crate::gateway::Gateway;

/// An answer, whole.
pub type Response = http::Response<http_body_util::Full<bytes::Bytes>>;

/// What answers requests.
pub trait Serve: Send + Sync + 'static {
    /// Answers a request of a peer.
    fn serve(
        self: Arc<Self>,
        peer: IpAddr,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response> + Send + 'static;
}

impl Serve for Gateway {
    async fn serve(self: Arc<Self>, peer: IpAddr, request: Request<Incoming>) -> Response {
        around::request(&self, peer, request).await
    }
}
