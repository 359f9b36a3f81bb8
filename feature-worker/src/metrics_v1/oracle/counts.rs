//! Hints, choices and company over whole lists.

use schemas::data::{Data, HelpDirection};
use schemas::metrics::Metrics;

use super::Session;
use crate::metrics_v1::fold::ratio;

impl<'a> Session<'_, 'a> {
    fn picked<T>(&self, pick: impl Fn(&Data<'a>) -> Option<T>) -> Vec<T> {
        self.events.iter().filter_map(|event| pick(&event.data)).collect()
    }

    pub(super) fn hint_metrics(&self, metrics: &mut Metrics) {
        let hints = self.indexes(|data| matches!(data, Data::HintRequested(_)));
        let started = self.tasks().iter().filter(|task| !self.starts(task).is_empty()).count();
        let (mut early, mut bottom_out) = (0_usize, 0_usize);
        for i in &hints {
            if let Data::HintRequested(hint) = &self.events[*i].data {
                bottom_out += usize::from(hint.bottom_out);
                early += usize::from(!self.attempts(&hint.task_id).iter().any(|(j, _)| j < i));
            }
        }
        metrics.hints = hints.len() as u64;
        metrics.hints_per_task = ratio(hints.len(), started);
        metrics.bottom_out_hint_rate = ratio(bottom_out, hints.len());
        metrics.hint_before_attempt_rate = ratio(early, hints.len());
    }

    pub(super) fn choice_metrics(&self, metrics: &mut Metrics) {
        let choices = self.picked(|data| if let Data::ChoiceMade(choice) = data { Some(choice.clone()) } else { None });
        let judged: Vec<_> = choices.iter().filter(|choice| choice.aligned.is_some()).collect();
        let aligned: Vec<_> = judged.iter().filter(|choice| choice.aligned == Some(true)).collect();
        let timed: Vec<u128> = choices.iter().filter_map(|choice| choice.deliberation_ms).map(u128::from).collect();
        let led = aligned.iter().filter(|choice| choice.skill.as_deref() == Some("leadership"));
        let answers =
            self.picked(|data| if let Data::QuestionAnswered(told) = data { Some(told.correct) } else { None });
        let dialogues = self.picked(|data| match data {
            Data::DialogueViewed { skipped, rereads } => Some((*skipped, *rereads)),
            _ => None,
        });
        metrics.choices = choices.len() as u64;
        metrics.choice_alignment_rate = ratio(aligned.len(), judged.len());
        metrics.mean_deliberation_ms = ratio(timed.iter().sum::<u128>(), timed.len());
        metrics.leadership_choices = led.count() as u64;
        metrics.questions = answers.len() as u64;
        metrics.question_accuracy = ratio(answers.iter().filter(|right| **right).count(), answers.len());
        metrics.dialogues = dialogues.len() as u64;
        metrics.dialogue_skip_rate = ratio(dialogues.iter().filter(|view| view.0).count(), dialogues.len());
        metrics.dialogue_rereads = dialogues.iter().map(|view| view.1).sum();
    }

    pub(super) fn social_metrics(&self, metrics: &mut Metrics) {
        let help = self.picked(|data| if let Data::Help(direction) = data { Some(*direction) } else { None });
        let turns = self.picked(|data| if let Data::Turn { voluntary } = data { Some(*voluntary) } else { None });
        let given = help.iter().filter(|direction| **direction == HelpDirection::Given).count();
        metrics.messages_sent = self.indexes(|data| *data == Data::MessageSent).len() as u64;
        metrics.help_given = given as u64;
        metrics.help_received = (help.len() - given) as u64;
        metrics.help_given_ratio = ratio(given, help.len());
        metrics.turns = turns.len() as u64;
        metrics.voluntary_turn_rate = ratio(turns.iter().filter(|voluntary| **voluntary).count(), turns.len());
    }
}
