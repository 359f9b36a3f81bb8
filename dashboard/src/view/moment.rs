//! A point in time on a page: UTC in the HTML, the viewer's own zone once the script has run.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

/// A point in time, written as a `<time>` element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    at: DateTime<Utc>,
    style: Style,
}

/// How much of it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Date and time to the minute.
    Full,
    /// How long ago, kept up by the script.
    Ago,
}

impl Moment {
    /// Date and time.
    pub fn full(at: DateTime<Utc>) -> Self {
        Self { at, style: Style::Full }
    }

    /// How long ago.
    pub fn ago(at: DateTime<Utc>) -> Self {
        Self { at, style: Style::Ago }
    }
}

/// RFC 3339 in UTC, to the ms.
pub fn machine(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// For people, in UTC, to the second.
pub fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = match self.style {
            Style::Full => "full",
            Style::Ago => "ago",
        };
        write!(
            out,
            "<time datetime=\"{}\" title=\"{}\" data-time=\"{style}\">{}</time>",
            machine(self.at),
            utc(self.at),
            self.at.format("%Y-%m-%d %H:%M UTC"),
        )
    }
}

// All of its text is made of digits and our own words.
impl askama::filters::HtmlSafe for Moment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_whole_without_the_script() {
        let at = DateTime::from_timestamp_millis(1_767_600_751_204).unwrap();
        assert_eq!(
            Moment::full(at).to_string(),
            "<time datetime=\"2026-01-05T08:12:31.204Z\" title=\"2026-01-05 08:12:31 UTC\" \
             data-time=\"full\">2026-01-05 08:12 UTC</time>"
        );
    }
}
