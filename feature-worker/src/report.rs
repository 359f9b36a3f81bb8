//! Makes the reports of a session: facts in canonical bytes, provenance apart.

use schemas::record::VERSION;
use schemas::record::live::Live;
use schemas::report::{Bounds, Facts, Flag, Provenance, Report, Status};
use schemas::topics::Topic;
use schemas::{Tenant, Timestamp, canonical};
use uuid::Uuid;

use crate::closing::Closing;
use crate::session::told::{Context, Told};
use crate::session::{Owner, Session, Terms};

/// Room in a record for what stands beside a report's facts, in bytes.
const BESIDE_BYTES: usize = 64 << 10;

/// Where and when a session is reported.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Partition of play.events.
    pub partition: i32,
    /// Whose session it is.
    pub tenant: &'a Tenant,
    /// The session.
    pub session: Uuid,
    /// The partition's log time, in ms.
    pub log_time: i64,
    /// The worker's build.
    pub worker: &'a str,
}

/// Facts that have no canonical bytes: a number in them is not finite.
#[derive(Debug, thiserror::Error)]
#[error("the facts of session {session} can't be written: {error}")]
pub struct NoBytes {
    session: Uuid,
    error: serde_json::Error,
}

/// The reports of a session's next revision: one for each version of the metrics, the oldest version first.
///
/// # Errors
/// When facts hold a number that is not finite.
pub fn reports(
    session: &Session,
    owner: &Owner,
    whole: &Told,
    status: Status,
    place: &Place<'_>,
) -> Result<Vec<Report>, NoBytes> {
    facts(session, whole).into_iter().map(|facts| report(session, owner, facts, status, place)).collect()
}

fn report(
    session: &Session,
    owner: &Owner,
    mut facts: Facts,
    status: Status,
    place: &Place<'_>,
) -> Result<Report, NoBytes> {
    let written = |facts: &Facts| canonical::to_vec(facts).map_err(|error| NoBytes { session: place.session, error });
    let mut bytes = written(&facts)?;
    // The fold's bounds see to it that this never happens; a report that the log refuses would end the worker.
    if bytes.len() + BESIDE_BYTES > Topic::Sessions.max_message_bytes() as usize {
        facts.leave_out_tasks();
        bytes = written(&facts)?;
    }
    Ok(Report {
        v: VERSION,
        tenant: place.tenant.clone(),
        game: owner.game.clone(),
        player: owner.player.clone(),
        session: place.session,
        kind: session.kind(),
        revision: session.reported.revision + 1,
        status,
        provenance: provenance(session, &facts, place),
        facts,
        facts_sha256: canonical::sha256_hex(&bytes),
    })
}

fn facts(session: &Session, whole: &Told) -> Vec<Facts> {
    let rules = whole.rules.clone().unwrap_or_default();
    let flags = [(session.prefix.has_skipped(), Flag::GapSkipped), (session.is_outgrown(), Flag::Truncated)];
    let flags: Vec<Flag> = flags.into_iter().filter_map(|(holds, flag)| holds.then_some(flag)).collect();
    whole.facts(&Closing {
        reason: session.close_reason(whole.close),
        complete: session.complete(),
        seqs: session.seqs(),
        flags: &flags,
        idle_ms: rules.idle_ms,
        emits: &rules.emits,
    })
}

fn provenance(session: &Session, facts: &Facts, place: &Place<'_>) -> Provenance {
    let (terms, trail) = (&session.terms, &session.trail);
    Provenance {
        partition: place.partition,
        first_offset: trail.first_offset,
        last_offset: trail.last_offset,
        repeats: trail.repeats,
        clock_offset_ms: trail.skew_ms,
        started_at: corrected(facts.started.ms(), session),
        ended_at: corrected(facts.ended.ms(), session),
        app_version: trail.app_version.as_deref().map(str::to_owned),
        session_timeout_ms: terms.timeout_ms,
        grace_ms: terms.grace_ms,
        cap_ms: terms.cap_ms,
        bounds: Some(bounds(terms)),
        worker: place.worker.to_owned(),
        reported_at: Timestamp::from_ms(place.log_time),
    }
}

fn bounds(terms: &Terms) -> Bounds {
    Bounds {
        events: terms.events,
        buffer_events: terms.buffer_events,
        buffer_bytes: terms.buffer_bytes,
        tasks: terms.fold.tasks,
        task_bytes: terms.fold.task_bytes,
        evidence: terms.fold.evidence,
        text_bytes: terms.fold.text_bytes,
    }
}

/// A snapshot of a running session; none before its first event that has a time.
pub fn snapshot(session: &Session, tenant: &Tenant, id: Uuid, context: &Context<'_>) -> Option<Live> {
    let owner = session.owner.as_ref()?;
    let copy;
    let told = if session.is_whole() {
        &session.told
    } else {
        // What can't be read again stops the worker where it counts: at the report.
        copy = session.whole(context).ok()?;
        &copy
    };
    Some(Live {
        v: VERSION,
        tenant: tenant.clone(),
        game: owner.game.clone(),
        player: owner.player.clone(),
        session: id,
        started_at: corrected(told.first_at()?, session),
        last_event_at: corrected(told.last_at()?, session),
        event_count: told.event_count(),
        active_ms: told.active_ms(),
    })
}

/// A time on the client's clock, corrected by the session's clock offset.
fn corrected(at: i64, session: &Session) -> Timestamp {
    Timestamp::from_ms(at.saturating_add(session.trail.skew_ms.unwrap_or(0)))
}
