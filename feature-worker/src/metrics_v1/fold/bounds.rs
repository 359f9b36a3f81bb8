//! How much a fold remembers, so that a report and a session's state always fit their topics.
//!
//! Bytes are those of the written report: what comes first in the record is kept, so what is left
//! out is the same whatever the order of arrival.

use serde::{Deserialize, Serialize};

/// How much a fold remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Tasks that it tells apart; figures by task leave out what comes beyond.
    pub tasks: usize,
    /// Bytes of the figures of all tasks, as a report holds them.
    pub task_bytes: usize,
    /// Pieces of evidence.recorded that it keeps; a report holds each in at most [`PIECE_BYTES`].
    pub evidence: usize,
    /// Bytes of each text of session.started, in UTF-8.
    pub text_bytes: usize,
}

/// The figures of a task in a report, but for its name: at most so many bytes.
pub(super) const FIGURES_BYTES: usize = 176;
/// A piece of evidence in a report: at most so many bytes.
pub const PIECE_BYTES: usize = 256;

impl Default for Bounds {
    /// Figures of 512 KB, evidence of 128 KB: a report stays below 1 MB.
    fn default() -> Self {
        Self { tasks: 2_000, task_bytes: 512 << 10, evidence: (128 << 10) / PIECE_BYTES, text_bytes: 1 << 10 }
    }
}

/// Bytes of the figures of a task of that name in a report, at most.
pub(super) fn figures_bytes(task_id: &str) -> usize {
    FIGURES_BYTES + task_id.bytes().map(written).sum::<usize>()
}

/// Bytes of a byte of text as JSON holds it.
fn written(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

/// As much of a text as fits into `bytes`: whole characters.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use schemas::Timestamp;
    use schemas::data::{EvidenceSource, Skill};
    use schemas::report::{Evidence, TaskFigures};

    use super::*;

    #[test]
    fn no_figures_and_no_piece_are_written_larger_than_is_reckoned() {
        let long = "ä\"\\\n\u{1}\u{7f}\u{2028}x".repeat(9);
        let most = 999_999;
        for task_id in ["", "L07", &long] {
            let figures = TaskFigures {
                task_id: task_id.to_owned(),
                starts: most,
                completions: most,
                abandons: most,
                attempts: most,
                successes: most,
                hints: most,
                spent_ms: Some(315_537_897_599_999),
                first_try: Some(false),
            };
            let bytes = serde_json::to_vec(&figures).unwrap().len() + 1;
            let reckoned = figures_bytes(task_id);
            assert!((reckoned - 16..=reckoned).contains(&bytes), "{bytes} of {reckoned}");
        }
        let pieces = Skill::ALL.into_iter().flat_map(|skill| [(skill, f64::MIN_POSITIVE), (skill, 0.1 + 0.2)]);
        for (skill, number) in pieces {
            let piece = Evidence {
                skill,
                source: EvidenceSource::Transcript,
                signal: EvidenceSource::Transcript.as_str().to_owned(),
                ordinal: most,
                successes: number,
                opportunities: number,
                weight: 1.0,
                at: Timestamp::from_ms(1_767_600_000_000),
            };
            assert!(serde_json::to_vec(&piece).unwrap().len() < PIECE_BYTES);
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!((cut("aé", 3), cut("aé", 2), cut("aé", 9), cut("é", 1)), ("aé", "a", "aé", ""));
    }
}
