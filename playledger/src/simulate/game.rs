//! The game that the simulated players play: its levels, talks, choices and questions.

/// What a level teaches and asks.
pub(super) const CONCEPTS: [&str; 4] = ["balance", "levers", "pulleys", "gears"];

/// A level of the game.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    /// Its id.
    pub id: &'static str,
    /// The chapter that it belongs to.
    pub chapter: &'static str,
    /// Index of what it teaches, in [`CONCEPTS`].
    pub concept: usize,
    /// From 0 to 1.
    pub difficulty: f64,
    /// How long its makers think that it takes, in ms.
    pub expected_ms: u64,
}

/// A choice in the story.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// Its id.
    pub id: &'static str,
    /// The skill that it shows.
    pub skill: &'static str,
    /// The option that shows the skill, and one that does not.
    pub options: [&'static str; 2],
}

/// The levels, in the order in which they are played.
pub(super) const LEVELS: [Level; 12] = [
    level("workshop-1", "workshop", 0, 0.10, 9_000),
    level("workshop-2", "workshop", 0, 0.22, 12_000),
    level("workshop-3", "workshop", 1, 0.25, 14_000),
    level("harbour-1", "harbour", 1, 0.35, 16_000),
    level("harbour-2", "harbour", 1, 0.48, 20_000),
    level("harbour-3", "harbour", 2, 0.42, 20_000),
    level("mill-1", "mill", 2, 0.55, 24_000),
    level("mill-2", "mill", 2, 0.62, 28_000),
    level("mill-3", "mill", 3, 0.60, 28_000),
    level("clocktower-1", "clocktower", 3, 0.70, 34_000),
    level("clocktower-2", "clocktower", 3, 0.80, 40_000),
    level("clocktower-3", "clocktower", 0, 0.88, 45_000),
];

/// The choices of the story.
pub(super) const CHOICES: [Choice; 4] = [
    choice("lost-toolbox", "empathy", ["ask-how-they-feel", "walk-on"]),
    choice("shared-crane", "collaboration", ["take-turns", "keep-it"]),
    choice("storm-plan", "problem_solving", ["compare-two-plans", "first-idea"]),
    choice("broken-gear", "communication", ["explain-the-fault", "say-nothing"]),
];

/// What is said between levels.
pub(super) const DIALOGUES: [&str; 5] =
    ["mara-hello", "harbour-master", "miller-worries", "clock-legend", "mara-thanks"];

/// Questions, each about one concept of the same index.
pub(super) const QUESTIONS: [&str; 4] = ["q-balance-point", "q-long-lever", "q-two-pulleys", "q-gear-turns"];

/// Ways to go at a level.
pub(super) const STRATEGIES: [&str; 3] = ["trial", "measure", "sketch"];

/// Platform, device and share of the players, in percent.
pub(super) const PLATFORMS: [(&str, &str, u32); 4] =
    [("web", "chromebook", 45), ("web", "laptop", 25), ("android", "tablet", 18), ("ios", "tablet", 12)];

/// Locales.
pub(super) const LOCALES: [&str; 5] = ["en-US", "en-GB", "es-ES", "de-DE", "pt-BR"];

const fn level(id: &'static str, chapter: &'static str, concept: usize, difficulty: f64, expected_ms: u64) -> Level {
    Level { id, chapter, concept, difficulty, expected_ms }
}

const fn choice(id: &'static str, skill: &'static str, options: [&'static str; 2]) -> Choice {
    Choice { id, skill, options }
}
