//! An issuer of tokens: what stands of it in the credentials file, the tokens' claims, and its keys over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

use crate::signer::Signer;
use crate::told::at;
use crate::world::{Setting, World};

/// The entry of an issuer of tenant `acme`, game `runner`; `keys` says where its keys are.
pub(crate) fn issuer(name: &str, algorithm: &str, keys: &str, more: &str) -> String {
    format!(
        "\n[[issuer]]\nname = \"{name}\"\niss = \"https://{name}.example/\"\naud = [\"playledger\"]\n\
         algorithm = \"{algorithm}\"\n{keys}\ntenant = \"acme\"\ngames = [\"runner\"]\nscopes = [\"ingest\"]\n{more}\n"
    )
}

/// Claims of a sound token of that issuer.
pub(crate) fn claims(name: &str) -> Value {
    json!({"iss": format!("https://{name}.example/"), "aud": "playledger", "sub": "u-1", "exp": seconds(600)})
}

/// The same with one more, or another, or without it where it is null.
pub(crate) fn claiming(name: &str, claim: &str, value: Value) -> Value {
    let mut claims = claims(name);
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(claim);
    } else {
        members.insert(claim.to_owned(), value);
    }
    claims
}

/// So many seconds from now, as tokens tell time.
pub(crate) fn seconds(from_now: i64) -> i64 {
    schemas::Timestamp::parse(&at(from_now * 1_000)).unwrap().ms() / 1_000
}

/// A world that knows the issuer `login` by a file of keys.
pub(crate) async fn world_of(signer: &Signer, more: &str) -> World {
    let credentials = issuer("login", signer.alg, "jwks_file = \"login.json\"", more);
    let files = vec![("login.json".to_owned(), crate::signer::jwks(&[signer]))];
    World::with(Setting { credentials, files, ..Setting::default() }).await
}

/// What serves keys over HTTP, as well or badly as it is told.
pub(crate) struct KeyServer {
    pub(crate) url: String,
    state: Arc<State>,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct State {
    asked: AtomicUsize,
    answer: Mutex<Answer>,
}

#[derive(Clone, Default)]
struct Answer {
    status: u16,
    body: String,
    after: Duration,
}

impl KeyServer {
    pub(crate) async fn start(body: String) -> Self {
        let state = Arc::new(State::default());
        *state.answer.lock() = Answer { status: 200, body, after: Duration::ZERO };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let serve = {
            let state = Arc::clone(&state);
            move || answer(Arc::clone(&state))
        };
        let routes = Router::new().route("/jwks.json", get(serve));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, state, _serving: AbortOnDropHandle::new(serving) }
    }

    pub(crate) fn answers(&self, status: u16, body: String) {
        *self.state.answer.lock() = Answer { status, body, after: Duration::ZERO };
    }

    pub(crate) fn hangs(&self) {
        self.state.answer.lock().after = Duration::from_mins(5);
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn issuer(&self, name: &str, algorithm: &str) -> String {
        issuer(name, algorithm, &format!("jwks_url = \"{}\"", self.url), "")
    }
}

async fn answer(state: Arc<State>) -> Response {
    state.asked.fetch_add(1, Ordering::SeqCst);
    let answer = state.answer.lock().clone();
    tokio::time::sleep(answer.after).await;
    (StatusCode::from_u16(answer.status).unwrap(), [("location", "http://127.0.0.1:9/")], answer.body).into_response()
}
