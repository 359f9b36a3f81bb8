//! The public listener: routes, and what stands around every one of them.

mod account;
mod activity;
mod around;
mod auth;
mod body;
pub mod calls;
mod connection;
mod document;
mod handshake;
mod http1;
mod http2;
mod inform;
mod ingest;
mod limit;
pub mod listener;
mod rest;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{MethodRouter, get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::gateway::Gateway;
use calls::Call;

/// All routes.
pub fn routes(gateway: Arc<Gateway>) -> Router {
    Call::ALL
        .into_iter()
        .fold(Router::new(), |router, call| router.route(call.path(), handler(call)))
        .fallback(inform::not_found)
        .method_not_allowed_fallback(inform::method_not_allowed)
        .layer(CatchPanicLayer::custom(around::panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(&gateway), limit::guard))
        .layer(middleware::from_fn_with_state(Arc::clone(&gateway), around::request))
        .with_state(gateway)
}

fn handler(call: Call) -> MethodRouter<Arc<Gateway>> {
    match call {
        Call::Event => post(ingest::event),
        Call::Batch => post(ingest::batch),
        Call::Close => post(ingest::close),
        Call::WhoAmI => get(inform::whoami),
        Call::Schemas => get(inform::schemas),
        Call::Schema => get(inform::schema),
        Call::Livez => get(inform::livez),
        Call::Readyz => get(inform::readyz),
        Call::OpenApi => get(document::openapi),
        Call::Docs => get(document::docs),
    }
}
