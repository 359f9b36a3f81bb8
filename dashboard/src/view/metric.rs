//! A session's metrics in words: each with its value, its unit and what it means.

use schemas::metrics::{DEFINITIONS, Definition};
use serde_json::{Map, Value};

use crate::view::format::{count, decimal, duration_f64, label, percent};
use crate::view::geometry::Percent;

/// Metrics that belong together.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// Its metrics, in the order of their definitions.
    pub metrics: Vec<Metric>,
}

/// One metric of one session.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its name in the tables.
    pub name: &'static str,
    /// Its name for people.
    pub label: String,
    /// What it means; the unit stands with the value.
    pub meaning: String,
    /// What its value counts.
    pub unit: &'static str,
    /// Its value with its unit; none where it is a ratio over nothing.
    pub shown: Option<String>,
    /// Its value as the table has it.
    pub exact: String,
    /// For a share of a whole: how much of a bar it fills.
    pub share: Option<Percent>,
}

/// Every metric of METRICS.md, by group; `row` is the session's row of session_metrics as JSON.
pub fn groups(row: &Map<String, Value>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for definition in &DEFINITIONS {
        let metric = metric(definition, row.get(definition.name).unwrap_or(&Value::Null));
        match groups.last_mut() {
            Some(group) if group.name == definition.group => group.metrics.push(metric),
            _ => groups.push(Group { name: definition.group, metrics: vec![metric] }),
        }
    }
    groups
}

fn metric(definition: &Definition, value: &Value) -> Metric {
    Metric {
        name: definition.name,
        label: label(definition.name),
        meaning: definition.meaning.replace(", in ms.", ".").replace('`', ""),
        unit: definition.unit,
        shown: shown(definition.unit, value),
        exact: if value.is_null() { "null".to_owned() } else { value.to_string() },
        share: value
            .as_f64()
            .filter(|share| definition.unit == "ratio" && (0.0..=1.0).contains(share))
            .map(|share| Percent(share * 100.0)),
    }
}

/// A value with its unit; none for null.
pub fn shown(unit: &str, value: &Value) -> Option<String> {
    let number = match value {
        Value::Null => return None,
        Value::Bool(truth) => return Some(if *truth { "Yes" } else { "No" }.to_owned()),
        Value::Number(number) => number,
        other => return Some(other.to_string()),
    };
    let real = number.as_f64().unwrap_or(f64::NAN);
    Some(match (unit, number.as_i64()) {
        ("ms", _) => duration_f64(real),
        ("ratio", _) => percent(real),
        (_, Some(whole)) if unit == "count" => count(whole),
        ("count", None) => decimal(real),
        (unit, _) => format!("{} {unit}", decimal(real)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_metric_is_shown_once_in_its_group() {
        let groups = groups(&Map::new());
        let names: Vec<_> = groups.iter().map(|group| group.name).collect();
        assert_eq!(names, ["Time", "Tasks", "Attempts", "Hints", "Choices", "Company", "Record"]);
        assert_eq!(groups.iter().map(|group| group.metrics.len()).sum::<usize>(), schemas::metrics::COUNT);
    }

    #[test]
    fn values_bear_their_units() {
        let cases = [
            ("ms", json!(252_951), "4 min 12 s"),
            ("ms", json!(17_683.75), "17.6 s"),
            ("ratio", json!(0.833_333), "83.3%"),
            ("count", json!(12_345), "12,345"),
            ("per minute", json!(2.152_79), "2.15 per minute"),
            ("per task", json!(1), "1 per task"),
            ("yes/no", json!(false), "No"),
        ];
        for (unit, value, text) in cases {
            assert_eq!(shown(unit, &value).as_deref(), Some(text));
        }
        assert_eq!(shown("ratio", &Value::Null), None, "a ratio over nothing is not 0%");
    }
}
