//! From a call to what answers it; a handler that panics fails its request alone.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use tracing::Span;

use super::answer::{self, Response};
use super::asked::Asked;
use super::calls::Call;
use super::{document, inform, ingest, marks};
use crate::intake;
use crate::problem::{Code, Problem};

/// Answers a request whose path is that call's, or nobody's.
pub(super) async fn dispatch(asked: &mut Asked<'_>) -> Response {
    let Some(call) = asked.call else {
        return answer::failed(Problem::new(Code::NotFound, "there is no such path here"));
    };
    if !call.takes(&asked.head.method) {
        let detail = "this path does not take that method; see the Allow header";
        return answer::failed(Problem::new(Code::MethodNotAllowed, detail));
    }
    // What a panic leaves of a request is thrown away with it.
    let answered = AssertUnwindSafe(handle(call, asked)).catch_unwind().await;
    answered.unwrap_or_else(|cause| Err(panicked(asked, &*cause))).unwrap_or_else(answer::failed)
}

async fn handle(call: Call, asked: &mut Asked<'_>) -> Result<Response, Problem> {
    match call {
        Call::Event => ingest::take(&intake::Call::Event, asked).await,
        Call::Batch => ingest::take(&intake::Call::Batch, asked).await,
        Call::Close => ingest::close(asked).await,
        Call::WhoAmI => inform::whoami(asked).await,
        Call::Schemas => inform::schemas(asked).await,
        Call::Schema => inform::schema(asked).await,
        Call::Livez => Ok(inform::livez(asked)),
        Call::Readyz => Ok(inform::readyz(asked)),
        Call::OpenApi => document::openapi(asked).await,
        Call::Docs => document::docs(),
    }
}

/// The answer to a panic: nothing of the inside leaks.
fn panicked(asked: &Asked<'_>, cause: &(dyn Any + Send)) -> Problem {
    let words = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    let tell = || tracing::error!(cause = words.unwrap_or("not in words"), "a request's handler panicked");
    if Span::current().is_none() {
        marks::span(asked.request_id, asked.call).in_scope(tell);
    } else {
        tell();
    }
    Problem::internal()
}
