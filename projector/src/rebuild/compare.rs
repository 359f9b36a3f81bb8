//! Compares two generations, both at one vector of offsets: rows, sums, and rows that differ.

use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use super::tables::{Table, listed};

/// So many differing rows of a table are shown.
const SHOWN: i64 = 20;
/// So much is shown of a text in them.
const LETTERS: usize = 500;

/// How a table of the one generation compares with the same of the other.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    pub(super) name: String,
    live: Sums,
    rebuilt: Sums,
    /// Rows that are in one of them only, or not the same in both.
    pub(super) differing: i64,
    sample: Vec<Value>,
}

/// Count of rows, and the sum of each column of numbers, exact and as text.
#[derive(Clone, Debug)]
struct Sums {
    rows: i64,
    sums: Value,
}

/// Compares a table of two data schemas.
pub(super) async fn compare(
    on: &mut PgConnection,
    table: &Table,
    live: &str,
    rebuilt: &str,
) -> anyhow::Result<Compared> {
    let name = &table.name;
    let sums_live = sums(on, table, live).await?;
    let sums_rebuilt = sums(on, table, rebuilt).await?;
    let same_key = table.key.iter().map(|key| format!("a.\"{key}\" = b.\"{key}\"")).collect::<Vec<_>>().join(" AND ");
    let (a, b) = (listed(&table.columns, "a."), listed(&table.columns, "b."));
    let differing = format!(
        "FROM {live}.{name} a FULL JOIN {rebuilt}.{name} b ON {same_key} WHERE ROW({a}) IS DISTINCT FROM ROW({b})"
    );
    let count = format!("SELECT count(*) {differing}");
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut *on).await?;
    let mut sample = Vec::new();
    if count > 0 {
        let order = table.key.iter().map(|key| format!("coalesce(a.\"{key}\", b.\"{key}\")")).collect::<Vec<_>>();
        let order = order.join(", ");
        let rows = format!("SELECT to_jsonb(a), to_jsonb(b) {differing} ORDER BY {order} LIMIT {SHOWN}");
        let rows: Vec<(Option<Value>, Option<Value>)> = sqlx::query_as(AssertSqlSafe(rows)).fetch_all(on).await?;
        sample = rows.into_iter().map(|(live, rebuilt)| difference(&table.key, live, rebuilt)).collect();
    }
    Ok(Compared { name: name.clone(), live: sums_live, rebuilt: sums_rebuilt, differing: count, sample })
}

async fn sums(on: &mut PgConnection, table: &Table, data: &str) -> anyhow::Result<Sums> {
    let name = &table.name;
    let each = table.numbers.iter().map(|column| format!(", sum(\"{column}\"::numeric)::text AS \"{column}\""));
    let sql = format!(
        "SELECT \"*\", to_jsonb(s) - '*' FROM (SELECT count(*) AS \"*\"{} FROM {data}.{name}) s",
        each.collect::<String>()
    );
    let (rows, sums) = sqlx::query_as(AssertSqlSafe(sql)).fetch_one(on).await?;
    Ok(Sums { rows, sums })
}

/// A row's key and both sides of it: whole where there is one side only, else the columns that differ.
fn difference(key: &[String], live: Option<Value>, rebuilt: Option<Value>) -> Value {
    let columns = |row: Option<Value>| match row {
        Some(Value::Object(columns)) => Some(columns),
        _ => None,
    };
    let (mut live, mut rebuilt) = (columns(live), columns(rebuilt));
    let of = |row: &Option<Map<String, Value>>, name: &str| row.as_ref().and_then(|row| row.get(name).cloned());
    let named: Map<String, Value> = key
        .iter()
        .map(|name| (name.clone(), of(&live, name).or_else(|| of(&rebuilt, name)).unwrap_or(Value::Null)))
        .collect();
    if let (Some(live), Some(rebuilt)) = (&mut live, &mut rebuilt) {
        let other = rebuilt.clone();
        rebuilt.retain(|name, value| live.get(name) != Some(value));
        live.retain(|name, value| other.get(name) != Some(value));
    }
    for value in live.iter_mut().chain(&mut rebuilt).flat_map(|row| row.iter_mut().map(|(_, value)| value)) {
        shorten(value);
    }
    json!({ "key": named, "live": live, "rebuilt": rebuilt })
}

/// Cuts a long text: raw bytes of refused records are megabytes.
fn shorten(value: &mut Value) {
    if let Value::String(text) = value
        && let Some((end, _)) = text.char_indices().nth(LETTERS)
    {
        text.truncate(end);
        text.push('…');
    }
}

impl Compared {
    /// Whether both hold the same.
    pub(super) fn equal(&self) -> bool {
        self.differing == 0
    }

    /// One line for a person.
    pub(super) fn line(&self) -> String {
        let Self { name, live, rebuilt, differing, .. } = self;
        let judged = if *differing == 0 { "equal".to_owned() } else { format!("{differing} rows differ") };
        format!("{name}: {} rows, rebuilt {}: {judged}", live.rows, rebuilt.rows)
    }

    /// As it stands in the file.
    pub(super) fn as_json(&self) -> Value {
        let side = |side: &Sums| json!({ "rows": side.rows, "sums": side.sums });
        json!({
            "model": self.name, "equal": self.equal(), "live": side(&self.live), "rebuilt": side(&self.rebuilt),
            "differing_rows": self.differing, "sample": self.sample,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_the_key_and_both_values_of_what_differs() {
        let key = ["id".to_owned()];
        let told = difference(&key, Some(json!({"id": 1, "a": 2, "b": 3})), Some(json!({"id": 1, "a": 4, "b": 3})));
        assert_eq!(told, json!({"key": {"id": 1}, "live": {"a": 2}, "rebuilt": {"a": 4}}));
        let told = difference(&key, None, Some(json!({"id": 1, "raw": "x".repeat(9_000)})));
        assert_eq!((&told["key"], &told["live"]), (&json!({"id": 1}), &Value::Null));
        assert_eq!(told["rebuilt"]["raw"].as_str().unwrap().chars().count(), LETTERS + 1);
    }
}
