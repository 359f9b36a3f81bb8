//! Builds the statements that write many rows at once: one array a column, unnested.

/// Rows a statement: enough to make its cost per row small, few enough to keep its arrays modest.
pub(super) const ROWS: usize = 4_000;

/// A column and how its values travel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) wire: Wire,
}

/// The type of the array that carries a column's values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire {
    Text,
    Uuid,
    Bigint,
    Double,
    Boolean,
    Time,
    Date,
    Bytes,
    /// Text that the statement turns into jsonb: it need not be parsed on this side.
    Json,
}

/// What becomes of a row that is there already.
#[derive(Clone, Copy, Debug)]
pub(super) enum Conflict {
    /// The new one takes its place.
    Replace,
    /// The old one stays.
    Keep,
    /// The values of this column are added up.
    Add(&'static str),
    /// The new one takes its place if this column's value is higher.
    Newer(&'static str),
}

/// A column of the name.
pub(super) const fn column(name: &'static str, wire: Wire) -> Column {
    Column { name, wire }
}

/// The statement that writes rows of `columns` into `table`, the first `key` columns of which are its key.
pub(super) fn insert(table: &str, columns: &[Column], key: usize, conflict: Conflict) -> String {
    let names = list(columns, |_, column| quoted(column.name));
    let arrays = list(columns, |at, column| format!("${}::{}[]", at + 1, column.wire.array()));
    let values = list(columns, |_, column| match column.wire {
        Wire::Json => format!("{}::jsonb", quoted(column.name)),
        _ => quoted(column.name),
    });
    let keys = list(&columns[..key], |_, column| quoted(column.name));
    let action = match conflict {
        Conflict::Keep => "NOTHING".to_owned(),
        Conflict::Add(name) => format!("UPDATE SET {name} = {table}.{name} + excluded.{name}"),
        Conflict::Replace => format!("UPDATE SET {}", all(&columns[key..])),
        Conflict::Newer(name) => {
            format!("UPDATE SET {} WHERE excluded.{name} > {table}.{name}", all(&columns[key..]))
        }
    };
    format!(
        "INSERT INTO {table} ({names}) SELECT {values} FROM unnest({arrays}) AS rows ({names}) \
         ON CONFLICT ({keys}) DO {action}"
    )
}

/// The assignments that take over all of these columns.
fn all(columns: &[Column]) -> String {
    list(columns, |_, column| format!("{0} = excluded.{0}", quoted(column.name)))
}

impl Wire {
    fn array(self) -> &'static str {
        match self {
            Self::Text | Self::Json => "text",
            Self::Uuid => "uuid",
            Self::Bigint => "bigint",
            Self::Double => "double precision",
            Self::Boolean => "boolean",
            Self::Time => "timestamptz",
            Self::Date => "date",
            Self::Bytes => "bytea",
        }
    }
}

/// `offset` and `timestamp` are words of SQL.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn list(columns: &[Column], shape: impl Fn(usize, &Column) -> String) -> String {
    columns.iter().enumerate().map(|(at, column)| shape(at, column)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] =
        [column("tenant", Wire::Text), column("offset", Wire::Bigint), column("data", Wire::Json)];

    #[test]
    fn a_statement_takes_one_array_a_column() {
        assert_eq!(
            insert("t", &COLUMNS, 2, Conflict::Replace),
            "INSERT INTO t (\"tenant\", \"offset\", \"data\") SELECT \"tenant\", \"offset\", \"data\"::jsonb \
             FROM unnest($1::text[], $2::bigint[], $3::text[]) AS rows (\"tenant\", \"offset\", \"data\") \
             ON CONFLICT (\"tenant\", \"offset\") DO UPDATE SET \"data\" = excluded.\"data\""
        );
        assert!(insert("t", &COLUMNS, 1, Conflict::Keep).ends_with("ON CONFLICT (\"tenant\") DO NOTHING"));
        assert!(
            insert("t", &COLUMNS, 2, Conflict::Newer("n"))
                .ends_with("DO UPDATE SET \"data\" = excluded.\"data\" WHERE excluded.n > t.n")
        );
        assert!(insert("t", &COLUMNS, 1, Conflict::Add("n")).ends_with("DO UPDATE SET n = t.n + excluded.n"));
    }
}
