//! What a partition holds of a session beside its state.

use crate::session::Session;
use crate::session::rest::{Pace, Rest};

/// A live session in its partition.
#[derive(Debug)]
pub(super) struct Slot {
    body: Body,
    /// The layer that knows what it was before.
    pub(super) layer: u64,
    /// The earliest deadline in the queue.
    pub(super) queued: i64,
    /// The earliest entry in the queue of reports.
    pub(super) report_queued: i64,
    /// What the changelog has of it.
    pub(super) saved: Saved,
    /// Whether the open layer writes it.
    pub(super) due: bool,
    /// Whether the open layer reckons with its bytes.
    pub(super) weighed: bool,
    /// When its last snapshot went, or the next is to go, by the monotonic clock.
    pub(super) snapshot: Snapshot,
}

/// A live session as it is held.
#[derive(Debug)]
enum Body {
    /// As its type says.
    Loose(Box<Session>),
    /// At rest; the same unpacked, while it is looked at.
    Packed { rest: Rest, awake: Option<Box<Session>> },
}

/// What a session was, for an abort.
#[derive(Debug)]
pub(super) enum Image {
    Packed(Rest),
    /// A large one: a copy that shares what has not changed since.
    Shared(Box<Session>),
}

/// What the changelog has of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// Bytes of its state when it was written last.
    pub(super) written: usize,
    /// One past the last record that the written state knows of.
    pub(super) until: i64,
    /// The first record of it since; none where the written state is all.
    pub(super) since: Option<Since>,
}

/// The first record that a session's written state lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Since {
    pub(super) offset: i64,
    /// Log time at that record, in ms.
    pub(super) log_time: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Snapshot {
    Never,
    Sent(i64),
    Queued(i64),
}

impl Slot {
    pub(super) fn new(session: Box<Session>, saved: Saved) -> Self {
        Self::of(Body::Loose(session), saved)
    }

    /// A slot with the session that an abort brings back.
    pub(super) fn again(image: Image, saved: Saved) -> Self {
        let body = match image {
            Image::Packed(rest) => Body::Packed { rest, awake: None },
            Image::Shared(session) => Body::Loose(session),
        };
        Self::of(body, saved)
    }

    fn of(body: Body, saved: Saved) -> Self {
        Self {
            body,
            layer: 0,
            queued: i64::MAX,
            report_queued: i64::MAX,
            saved,
            due: false,
            weighed: false,
            snapshot: Snapshot::Never,
        }
    }

    /// The session, to be changed. Whoever may have to go back has taken an [`Slot::image`] before.
    pub(super) fn session(&mut self) -> &mut Session {
        self.loosen();
        self.awake()
    }

    /// The session, to be looked at.
    pub(super) fn look(&mut self) -> &Session {
        self.awake()
    }

    /// What the session is now, for an abort.
    pub(super) fn image(&mut self) -> Image {
        if let Some(rest) = self.loosen() {
            return Image::Packed(rest);
        }
        let session = self.awake();
        Rest::of(session).map_or_else(|| Image::Shared(Box::new(session.clone())), Image::Packed)
    }

    /// Puts the session to rest, if it is small enough; with `awake` it stays unpacked as well, for it is likely to
    /// be changed soon.
    pub(super) fn settle(&mut self, awake: bool) {
        if let Body::Loose(session) = &self.body
            && let Some(rest) = Rest::of(session)
        {
            let loose = std::mem::replace(&mut self.body, Body::Packed { rest, awake: None });
            if let (true, Body::Loose(session), Body::Packed { awake, .. }) = (awake, loose, &mut self.body) {
                *awake = Some(session);
            }
        } else if !awake {
            self.lull();
        }
    }

    /// Drops what is packed as well.
    pub(super) fn lull(&mut self) {
        if let Body::Packed { awake, .. } = &mut self.body {
            *awake = None;
        }
    }

    /// Whether it takes no more than it must.
    pub(super) fn is_at_rest(&self) -> bool {
        matches!(self.body, Body::Packed { awake: None, .. })
    }

    /// When the session is to be looked at again.
    pub(super) fn pace(&self) -> Pace {
        match &self.body {
            Body::Loose(session) => session.pace(),
            Body::Packed { rest, .. } => rest.pace(),
        }
    }

    /// Events and holes that wait behind a gap, and the events' bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        match &self.body {
            Body::Loose(session) => session.waiting(),
            Body::Packed { rest, .. } => rest.waiting(),
        }
    }

    /// The session as it is, of which no more is kept than before.
    #[cfg(test)]
    pub(super) fn copied(&self) -> Box<Session> {
        match &self.body {
            Body::Loose(session) => session.clone(),
            Body::Packed { rest, .. } => rest.session(),
        }
    }

    fn awake(&mut self) -> &mut Session {
        match &mut self.body {
            Body::Loose(session) => session,
            Body::Packed { rest, awake } => awake.get_or_insert_with(|| rest.session()),
        }
    }

    /// Sees to it that the session may be changed; answers with what was packed.
    fn loosen(&mut self) -> Option<Rest> {
        let Body::Packed { rest, awake } = &mut self.body else { return None };
        let session = awake.take().unwrap_or_else(|| rest.session());
        match std::mem::replace(&mut self.body, Body::Loose(session)) {
            Body::Packed { rest, .. } => Some(rest),
            Body::Loose(_) => None,
        }
    }
}
