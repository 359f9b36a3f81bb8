//! Addresses and what is answered there.

use askama::Template as _;
use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use daemon::Shell;
use http::{HeaderMap, StatusCode, Uri, header};
use schemas::Tenant;
use serde::Deserialize;
use uuid::Uuid;

use crate::assets::{VERSION, asset};
use crate::error::Failure;
use crate::fragment::{Fragments, View};
use crate::guard::{Door, guard};
use crate::hosts::Hosts;
use crate::range::Range;
use crate::store::Scope;
use crate::stream::stream;
use crate::view::error_page::{Choice, ErrorPage};
use crate::view::{LiveAt, Page};

/// What handlers need. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) fragments: Fragments,
    pub(crate) shell: Shell,
}

/// What may stand behind the question mark of a page's address.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    range: Option<String>,
    tenant: Option<String>,
}

type Asking = Result<Query<Asked>, QueryRejection>;
type Id = Result<Path<String>, PathRejection>;

/// All addresses. A page, its fragment alone, and its stream of updates stand beside one another.
pub(crate) fn routes(fragments: Fragments, shell: Shell, hosts: Hosts) -> Router {
    let door = Door { hosts, clock: shell.clock.clone() };
    Router::new()
        .route("/", get(overview_page))
        .route("/fragment", get(overview_fragment))
        .route("/stream", get(overview_stream))
        .route("/sessions/{id}", get(session_page))
        .route("/sessions/{id}/fragment", get(session_fragment))
        .route("/sessions/{id}/stream", get(session_stream))
        .route("/assets/{version}/{name}", get(asset))
        .fallback(nothing_here)
        .with_state(App { fragments, shell })
        .layer(axum::middleware::from_fn_with_state(door, guard))
}

async fn overview_page(State(app): State<App>, asking: Asking) -> Result<Response, Failure> {
    page(&app, &overview(asking)?).await
}

async fn overview_fragment(State(app): State<App>, asking: Asking, headers: HeaderMap) -> Result<Response, Failure> {
    fragment(&app, &overview(asking)?, &headers).await
}

async fn overview_stream(State(app): State<App>, asking: Asking) -> Result<Response, Failure> {
    Ok(stream(&app, overview(asking)?))
}

async fn session_page(State(app): State<App>, id: Id, asking: Asking) -> Result<Response, Failure> {
    let id = session_id(id)?;
    let asked = asked(asking)?;
    if asked.tenant.is_some() {
        return page(&app, &View::Session { tenant: wanted(&asked)?, id }).await;
    }
    let tenants = app.fragments.tenants_of(&Scope::default(), id).await?;
    match tenants.as_slice() {
        [] => Err(Failure::NotFound(format!("There is no session {id}."))),
        [tenant] => page(&app, &View::Session { tenant: tenant.clone(), id }).await,
        several => {
            let body = Choice { id: &id.to_string(), tenants: several }.render()?;
            Ok((StatusCode::MULTIPLE_CHOICES, frame("Which session?", &body, None, false)?).into_response())
        }
    }
}

async fn session_fragment(
    State(app): State<App>,
    id: Id,
    asking: Asking,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let view = View::Session { id: session_id(id)?, tenant: wanted(&asked(asking)?)? };
    fragment(&app, &view, &headers).await
}

async fn session_stream(State(app): State<App>, id: Id, asking: Asking) -> Result<Response, Failure> {
    let view = View::Session { id: session_id(id)?, tenant: wanted(&asked(asking)?)? };
    Ok(stream(&app, view))
}

async fn nothing_here(uri: Uri) -> Failure {
    Failure::NotFound(format!("There is no page at {}.", crate::view::format::shortened(uri.path(), 120)))
}

fn asked(asking: Asking) -> Result<Asked, Failure> {
    let Query(asked) = asking.map_err(|error| Failure::Malformed(error.body_text()))?;
    Ok(asked)
}

fn overview(asking: Asking) -> Result<View, Failure> {
    let range = asked(asking)?.range.map_or(Ok(Range::default()), |key| key.parse());
    Ok(View::Overview { scope: Scope::default(), range: range.map_err(Failure::Malformed)? })
}

fn session_id(id: Id) -> Result<Uuid, Failure> {
    const ADVICE: &str = "A session's id is a UUID, such as 8f14e45f-ceea-467f-a8d7-5b1c0f9f2a11.";
    let Path(id) = id.map_err(|_| Failure::Malformed(ADVICE.to_owned()))?;
    let hyphenated = id.len() == 36;
    Uuid::try_parse(&id).ok().filter(|_| hyphenated).ok_or_else(|| Failure::Malformed(ADVICE.to_owned()))
}

/// The tenant that the address names.
fn wanted(asked: &Asked) -> Result<String, Failure> {
    let name = asked.tenant.as_deref().unwrap_or_default();
    let tenant = Tenant::parse(name).map_err(|_| Failure::Malformed("tenant must be a tenant's name.".to_owned()))?;
    Ok(tenant.as_str().to_owned())
}

/// A whole page around a view's fragment.
async fn page(app: &App, view: &View) -> Result<Response, Failure> {
    let fragment = app.fragments.get(view).await?;
    let (stream, poll) = addresses(view);
    let live = LiveAt { stream: &stream, poll: &poll, tag: &fragment.tag };
    Ok(frame(&fragment.title, &fragment.html, fragment.moves.then_some(live), false)?.into_response())
}

/// The fragment alone; 304 where the reader has it already.
async fn fragment(app: &App, view: &View, headers: &HeaderMap) -> Result<Response, Failure> {
    let fragment = app.fragments.get(view).await?;
    let told = [(header::ETAG, fragment.tag.clone()), (header::CACHE_CONTROL, "no-cache, private".to_owned())];
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == fragment.tag.as_bytes());
    if known {
        return Ok((StatusCode::NOT_MODIFIED, told).into_response());
    }
    Ok((told, Html(fragment.html.clone())).into_response())
}

fn addresses(view: &View) -> (String, String) {
    let (place, query) = match view {
        View::Overview { range, .. } => (String::new(), format!("range={}", range.key())),
        // A tenant's name needs no escape in an address.
        View::Session { tenant, id } => (format!("/sessions/{id}"), format!("tenant={tenant}")),
    };
    (format!("{place}/stream?{query}"), format!("{place}/fragment?{query}"))
}

fn frame(title: &str, body: &str, live: Option<LiveAt<'_>>, retry: bool) -> Result<Html<String>, Failure> {
    Ok(Html(Page { title, assets: &VERSION, body, live, retry }.render()?))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let words = ErrorPage::of(&self);
        let (status, retry) = (self.status(), words.retry);
        let html = words.render().map_err(Self::from).and_then(|body| frame(words.title, &body, None, retry));
        let mut response = match html {
            Ok(html) => (status, html).into_response(),
            Err(error) => {
                tracing::error!(%error, "an error page could not be rendered");
                (status, "The page could not be made.\n").into_response()
            }
        };
        if retry {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        response
    }
}
