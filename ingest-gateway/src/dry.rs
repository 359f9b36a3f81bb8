//! What would become of events: judged against the window of duplicates, nothing kept. Pure but for the look.

use std::collections::HashMap;

use schemas::record::stamp::Origin;

use crate::answer::{Outcome, Status};
use crate::dedup::Claim;
use crate::gateway::Gateway;
use crate::ingest::{rejected, told};
use crate::judge::{Refused, Sound};
use crate::publish::Facts;

/// The outcome of each event if the request were no dry run.
pub(crate) fn outcomes(gateway: &Gateway, facts: &Facts, verdicts: Vec<Result<Sound<'_>, Refused>>) -> Vec<Outcome> {
    let mut window = gateway.window.lock();
    // Bodies of the ids that came earlier in the request.
    let mut earlier = HashMap::new();
    let any_body = facts.origin == Some(Origin::Close);
    let outcome = |(index, verdict): (usize, Result<Sound<'_>, Refused>)| {
        let sound = match verdict {
            Ok(sound) => sound,
            Err(refused) => return rejected(index, refused),
        };
        let key = window.key(facts.credential.tenant.as_str(), sound.event_id);
        let same_body = match window.look(key, sound.body) {
            Claim::Fresh => earlier.get(&key).map(|body| *body == sound.body),
            // A close whose first body may be lost is written again.
            Claim::Doubtful => (!any_body).then_some(false),
            Claim::Known { same_body } | Claim::InFlight { same_body, .. } => Some(same_body),
        };
        // The first body that breaks no rule stands.
        earlier.entry(key).or_insert(sound.body);
        let status = match same_body {
            None => Status::Accepted,
            Some(same) if same || any_body => Status::Duplicate,
            Some(_) => Status::Conflict,
        };
        told(index, sound.event_id, status)
    };
    verdicts.into_iter().enumerate().map(outcome).collect()
}
