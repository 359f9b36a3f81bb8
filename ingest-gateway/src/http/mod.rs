//! The public listener: routes, and what stands around every one of them.

mod account;
mod around;
mod auth;
mod body;
mod connection;
mod handshake;
mod inform;
mod ingest;
mod limit;
pub mod listener;
mod rest;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::gateway::Gateway;

/// All routes.
pub fn routes(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/events", post(ingest::event))
        .route("/v1/batch", post(ingest::batch))
        .route("/v1/sessions/{session_id}/close", post(ingest::close))
        .route("/v1/whoami", get(inform::whoami))
        .route("/v1/schemas", get(inform::schemas))
        .route("/v1/schemas/{event_type}", get(inform::schema))
        .route("/livez", get(inform::livez))
        .route("/readyz", get(inform::readyz))
        .fallback(inform::not_found)
        .method_not_allowed_fallback(inform::method_not_allowed)
        .layer(CatchPanicLayer::custom(around::panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(&gateway), limit::guard))
        .layer(middleware::from_fn_with_state(Arc::clone(&gateway), around::request))
        .with_state(gateway)
}
