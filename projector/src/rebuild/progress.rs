//! Says how far a rebuild is.

use std::time::Duration;

use tokio::time::Instant;

/// How often it is said.
const EVERY: Duration = Duration::from_secs(2);

/// What takes the lines: standard error, or a test.
pub type Lines = Box<dyn FnMut(&str) + Send + Sync>;

/// How far a stretch of a fill is.
pub(super) struct Progress {
    lines: Lines,
    began: Instant,
    told: Instant,
    rows: usize,
    offsets: i64,
    all: i64,
}

impl Progress {
    pub(super) fn new(lines: Lines) -> Self {
        let now = Instant::now();
        Self { lines, began: now, told: now, rows: 0, offsets: 0, all: 0 }
    }

    /// Says a line.
    pub(super) fn say(&mut self, line: &str) {
        (self.lines)(line);
    }

    /// Says a line, now and then.
    pub(super) fn say_rarely(&mut self, line: &str) {
        if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            self.say(line);
        }
    }

    /// A stretch of so many offsets begins.
    pub(super) fn begin(&mut self, offsets: i64) {
        self.began = Instant::now();
        (self.rows, self.offsets, self.all) = (0, 0, offsets);
    }

    /// So many records and offsets are on their way into the tables.
    pub(super) fn handed(&mut self, records: usize, offsets: i64) {
        self.rows += records;
        self.offsets += offsets;
    }

    /// Says how far it is, now and then; at once where it stops.
    pub(super) fn tell(&mut self, stopping: bool) {
        let now = Instant::now();
        if !stopping && now.duration_since(self.told) < EVERY {
            return;
        }
        self.told = now;
        let line = line(self.rows, self.offsets, self.all, now.duration_since(self.began));
        self.say(&line);
    }
}

fn line(rows: usize, offsets: i64, all: i64, taken: Duration) -> String {
    let left = (all - offsets).max(0);
    // Offsets are far below 2^53, and an estimate is no sum.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let eta = (offsets > 0).then(|| taken.as_secs_f64() * left as f64 / offsets as f64);
    let eta = eta.map_or("?".to_owned(), |eta| format!("{eta:.0} s"));
    format!("filling: {rows} records, {offsets} of {all} offsets, {:.0} s so far, {eta} to go", taken.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_records_offsets_and_the_time_that_is_left() {
        let told = line(900, 1_000, 4_000, Duration::from_secs(10));
        assert_eq!(told, "filling: 900 records, 1000 of 4000 offsets, 10 s so far, 30 s to go");
        assert!(line(0, 0, 4_000, Duration::ZERO).ends_with("? to go"));
    }
}
