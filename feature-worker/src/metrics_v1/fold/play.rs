//! Choices, questions, dialogues, company, and bursts of actions: plain counts.

use schemas::data::{Data, HelpDirection, Skill};
use serde::{Deserialize, Serialize};

use super::time::is_zero;

/// More player's actions than this…
const ANOMALY_ACTIONS: usize = 20;
/// …within the window is not human.
const ANOMALY_WINDOW_MS: i64 = 1_000;

/// Counts of what a player did beside tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Play {
    #[serde(rename = "c", skip_serializing_if = "is_zero")]
    pub(super) choices: u64,
    /// Choices that say whether they were aligned.
    #[serde(rename = "cj", skip_serializing_if = "is_zero")]
    pub(super) judged: u64,
    #[serde(rename = "ca", skip_serializing_if = "is_zero")]
    pub(super) aligned: u64,
    #[serde(rename = "cl", skip_serializing_if = "is_zero")]
    pub(super) leadership: u64,
    /// Choices that say how long they took.
    #[serde(rename = "ct", skip_serializing_if = "is_zero")]
    pub(super) timed: u64,
    #[serde(rename = "cm", skip_serializing_if = "is_zero_wide")]
    pub(super) deliberation_ms: u128,
    #[serde(rename = "q", skip_serializing_if = "is_zero")]
    pub(super) questions: u64,
    #[serde(rename = "qc", skip_serializing_if = "is_zero")]
    pub(super) correct: u64,
    #[serde(rename = "d", skip_serializing_if = "is_zero")]
    pub(super) dialogues: u64,
    #[serde(rename = "ds", skip_serializing_if = "is_zero")]
    pub(super) skipped: u64,
    #[serde(rename = "dr", skip_serializing_if = "is_zero")]
    pub(super) rereads: u64,
    #[serde(rename = "m", skip_serializing_if = "is_zero")]
    pub(super) messages: u64,
    #[serde(rename = "hg", skip_serializing_if = "is_zero")]
    pub(super) help_given: u64,
    #[serde(rename = "hr", skip_serializing_if = "is_zero")]
    pub(super) help_received: u64,
    #[serde(rename = "t", skip_serializing_if = "is_zero")]
    pub(super) turns: u64,
    #[serde(rename = "tv", skip_serializing_if = "is_zero")]
    pub(super) voluntary: u64,
    /// Of each skill: aligned choices, judged choices.
    #[serde(rename = "sc", skip_serializing_if = "is_empty")]
    pub(super) choices_by_skill: [(u64, u64); 7],
    /// Of each skill: right answers, answers.
    #[serde(rename = "sq", skip_serializing_if = "is_empty")]
    pub(super) answers_by_skill: [(u64, u64); 7],
    /// Times of the actions of the last second.
    #[serde(rename = "b", skip_serializing_if = "Vec::is_empty")]
    burst: Vec<i64>,
    #[serde(rename = "x", skip_serializing_if = "std::ops::Not::not")]
    pub(super) anomalous: bool,
}

fn is_zero_wide(value: &u128) -> bool {
    *value == 0
}

fn is_empty(by_skill: &[(u64, u64); 7]) -> bool {
    by_skill.iter().all(|pair| *pair == (0, 0))
}

impl Play {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in the time of a player's action.
    pub(super) fn action(&mut self, at: i64) {
        if self.anomalous {
            return;
        }
        self.burst.retain(|earlier| at - earlier < ANOMALY_WINDOW_MS);
        self.burst.push(at);
        if self.burst.len() > ANOMALY_ACTIONS {
            self.anomalous = true;
            self.burst = Vec::new();
        }
    }

    /// Takes in what an event says.
    pub(super) fn count(&mut self, data: &Data<'_>) {
        match data {
            Data::ChoiceMade(choice) => {
                self.choices += 1;
                if let Some(aligned) = choice.aligned {
                    self.judged += 1;
                    self.aligned += u64::from(aligned);
                    let skill = choice.skill.as_deref();
                    self.leadership += u64::from(aligned && skill == Some("leadership"));
                    if let Some(skill) = skill.and_then(Skill::named) {
                        tally(&mut self.choices_by_skill[skill as usize], aligned);
                    }
                }
                if let Some(ms) = choice.deliberation_ms {
                    self.timed += 1;
                    self.deliberation_ms += u128::from(ms);
                }
            }
            Data::QuestionAnswered(answer) => {
                self.questions += 1;
                self.correct += u64::from(answer.correct);
                for skill in Skill::ALL {
                    if answer.skills.iter().any(|named| named.as_str() == skill.as_str()) {
                        tally(&mut self.answers_by_skill[skill as usize], answer.correct);
                    }
                }
            }
            Data::DialogueViewed { skipped, rereads } => {
                self.dialogues += 1;
                self.skipped += u64::from(*skipped);
                self.rereads = self.rereads.saturating_add(*rereads);
            }
            Data::MessageSent => self.messages += 1,
            Data::Help(HelpDirection::Given) => self.help_given += 1,
            Data::Help(HelpDirection::Received) => self.help_received += 1,
            Data::Turn { voluntary } => {
                self.turns += 1;
                self.voluntary += u64::from(*voluntary);
            }
            _ => {}
        }
    }
}

fn tally(pair: &mut (u64, u64), success: bool) {
    pair.0 += u64::from(success);
    pair.1 += 1;
}
