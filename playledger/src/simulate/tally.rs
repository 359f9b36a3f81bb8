//! What a simulation did.

use serde::Serialize;

use super::event::Request;
use crate::gateway::{Answer, GivenUp};

/// Counts of a run. What was sent ends as one of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Sessions begun.
    pub sessions: u64,
    /// Requests sent, those sent again on purpose included.
    pub requests: u64,
    /// Events in them.
    pub events: u64,
    /// Events that the gateway keeps.
    pub accepted: u64,
    /// Events that it had already.
    pub duplicates: u64,
    /// Events whose id it knew with another body.
    pub conflicts: u64,
    /// Events that it rejected, and those of requests refused as a whole.
    pub rejected: u64,
    /// Events whose requests were given up without an answer: kept or not, nobody said.
    pub unanswered: u64,
    /// The first few refusals in words.
    pub troubles: Vec<String>,
}

impl Tally {
    /// Counts the outcome of a request.
    pub(super) fn count(&mut self, request: &Request, outcome: Result<Answer, GivenUp>) {
        let events = u64::try_from(request.events()).unwrap_or(u64::MAX);
        self.requests += 1;
        self.events += events;
        match outcome {
            Ok(Answer::Judged(judged)) => {
                self.accepted += judged.accepted;
                self.duplicates += judged.duplicates;
                self.conflicts += judged.conflicts;
                self.rejected += judged.rejected;
                for verdict in judged.results.iter().filter(|verdict| verdict.status != "duplicate") {
                    let fault = verdict.errors.first().map(|error| format!(" {} {}", error.pointer, error.message));
                    self.trouble(format!(
                        "{}: {}{}",
                        verdict.status,
                        verdict.code.as_deref().unwrap_or("no code"),
                        fault.unwrap_or_default()
                    ));
                }
            }
            Ok(Answer::Refused(problem)) => {
                self.rejected += events;
                self.trouble(format!("{} {}: {}", problem.status, problem.code, problem.detail));
            }
            Err(GivenUp { why }) => {
                self.unanswered += events;
                self.trouble(format!("given up: {why}"));
            }
        }
    }

    /// Whether all that was sent is kept.
    pub fn is_clean(&self) -> bool {
        self.conflicts == 0 && self.rejected == 0 && self.unanswered == 0
    }

    /// The run in one sentence.
    pub fn words(&self, seconds: i64) -> String {
        let Self { sessions, requests, events, accepted, duplicates, conflicts, rejected, unanswered, .. } = self;
        format!(
            "{seconds} s: {sessions} sessions, {events} events in {requests} requests; {accepted} accepted, \
             {duplicates} duplicates, {conflicts} conflicts, {rejected} rejected, {unanswered} unanswered"
        )
    }

    fn trouble(&mut self, words: String) {
        if self.troubles.len() < 5 && !self.troubles.contains(&words) {
            self.troubles.push(words);
        }
    }
}
