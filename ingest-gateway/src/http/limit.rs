//! What a request is held to before anything of it is looked into: its address's limit, and the work there
//! is already. Tells every answer how much is left.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderName, Method};
use hyper::body::{Frame, SizeHint};

use crate::gateway::Gateway;
use crate::intake::MAX_BYTES;
use crate::limits::load::Full;
use crate::limits::meter::Meter;
use crate::metrics;
use crate::problem::Problem;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Holds a request to the limits that need no credential.
pub(super) async fn guard(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    // Whoever asks whether the gateway lives has to learn it, most of all when there is much to do.
    if matches!(request.uri().path(), "/livez" | "/readyz") {
        return next.run(request).await;
    }
    let limits = &gateway.limits;
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(peer)| *peer);
    let address = limits.client(peer, request.headers());
    let meter = Meter::new(address, None);
    if let Err(refusal) = limits.arrives(&meter) {
        return told(Problem::from(refusal).into_response(), &meter);
    }
    let brings = request.method() == Method::POST && request.uri().path().starts_with("/v1/");
    let meter = if brings {
        match limits.load.enter(length(&request)) {
            Ok(place) => meter.with_place(place),
            Err(full) => return overloaded(full),
        }
    } else {
        meter
    };
    let meter = Arc::new(meter);
    let (mut head, body) = request.into_parts();
    head.extensions.insert(Arc::clone(&meter));
    let body = Body::new(Held { body, meter: Arc::clone(&meter) });
    let response = next.run(Request::from_parts(head, body)).await;
    // Whoever read the body only saw that it ended early.
    if meter.has_overflowed() {
        return overloaded(Full::Bytes);
    }
    told(response, &meter)
}

fn overloaded(full: Full) -> Response {
    metrics::refused(full.as_str(), "none");
    Problem::from(full).into_response()
}

/// What a body says of its length; one that is refused for it anyway is not waited for.
fn length(request: &Request) -> usize {
    let told = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    told.filter(|length| *length <= MAX_BYTES).unwrap_or(0)
}

fn told(mut response: Response, meter: &Meter) -> Response {
    if let Some(standing) = meter.tightest() {
        let fields = [(POLICY, standing.policy()), (STANDING, standing.told())];
        for (name, value) in fields {
            response.headers_mut().extend(value.map(|value| (name, value)));
        }
    }
    response
}

/// A body whose bytes are counted as they arrive.
struct Held {
    body: Body,
    meter: Arc<Meter>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Err(problem) = self.meter.hold(frame.data_ref().map_or(0, Bytes::len))
        {
            return Poll::Ready(Some(Err(axum::Error::new(std::io::Error::other(problem.detail)))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
