//! The questions of docs/queries.md: their SQL, their answers, what they are read by.

/// A question.
pub(crate) struct Question {
    /// Its heading.
    pub(crate) title: String,
    /// Its SQL.
    pub(crate) sql: String,
    /// Its answer as the document shows it.
    pub(crate) answer: String,
    /// Indexes that its plan goes by.
    pub(crate) indexes: Vec<String>,
}

/// All of them, in order.
pub(crate) fn questions() -> Vec<Question> {
    let text = include_str!("../../../docs/queries.md");
    let sections = text.split("\n## ").skip(1).filter(|section| section.contains("```sql"));
    sections.map(question).collect()
}

fn question(section: &str) -> Question {
    let block = |opening: &str| {
        let (_, rest) = section.split_once(opening).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let (_, read_by) = section.split_once("Read by ").unwrap();
    let (read_by, _) = read_by.split_once(".\n").unwrap();
    Question {
        title: section.lines().next().unwrap().to_owned(),
        sql: block("```sql\n"),
        answer: block("```text\n"),
        indexes: read_by.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
    }
}
