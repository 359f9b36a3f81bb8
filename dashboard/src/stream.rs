//! Keeps an open page up to date: server-sent events with the fragment whenever it has changed.
//!
//! | event | data | when |
//! |---|---|---|
//! | `fragment` | the tag, a line break, the HTML | it differs from what was sent last; first of all, always |
//! | `tick` | ms since the epoch | it is still the same: as of then |
//! | `away` | why, in words | the database does not answer; what is shown stays |
//! | `bye` | nothing | the server ends: come again |

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderValue, header};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::fragment::{Fragments, View};
use crate::metrics::OpenStream;
use crate::pages::App;

/// How often a page is looked at anew.
const EVERY: Duration = Duration::from_secs(1);
/// An unchanged page is confirmed every so many looks.
const CONFIRM_EVERY: u32 = 3;

/// A reader of one page.
struct Reader {
    fragments: Fragments,
    shell: daemon::Shell,
    view: View,
    turn: Interval,
    sent: Option<String>,
    quiet: u32,
    over: bool,
    _open: OpenStream,
}

/// The stream of a view's updates; it ends when the server drains.
pub(crate) fn stream(app: &App, view: View) -> Response {
    let mut turn = interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reader = Reader {
        fragments: app.fragments.clone(),
        shell: app.shell.clone(),
        view,
        turn,
        sent: None,
        quiet: 0,
        over: false,
        _open: OpenStream::new(),
    };
    let events = stream::unfold(reader, async |mut reader| {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let mut response = Sse::new(events).into_response();
    // Proxies that gather answers would hold updates back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Reader {
    /// The next thing to tell; none when all is told.
    async fn next(&mut self) -> Option<Event> {
        while !self.over {
            let draining = self.shell.shutdown.clone();
            tokio::select! {
                () = draining.draining() => {
                    self.over = true;
                    return Some(Event::default().event("bye").data(""));
                }
                _ = self.turn.tick() => {}
            }
            if let Some(event) = self.look().await {
                return Some(event);
            }
        }
        None
    }

    async fn look(&mut self) -> Option<Event> {
        let fragment = match self.fragments.get(&self.view).await {
            Ok(fragment) => fragment,
            Err(failure) => {
                // Said as often as an unchanged page is confirmed, so that a lost connection shows as well.
                self.sent = None;
                return self.due().then(|| Event::default().event("away").data(failure.status().as_str()));
            }
        };
        if self.sent.as_deref() != Some(&fragment.tag) {
            self.sent = Some(fragment.tag.clone());
            self.quiet = 0;
            return Some(Event::default().event("fragment").data(format!("{}\n{}", fragment.tag, fragment.html)));
        }
        self.due().then(|| Event::default().event("tick").data(self.shell.clock.now_ms().to_string()))
    }

    /// Whether something has to be said by now.
    fn due(&mut self) -> bool {
        self.quiet += 1;
        let due = self.quiet >= CONFIRM_EVERY;
        if due {
            self.quiet = 0;
        }
        due
    }
}
