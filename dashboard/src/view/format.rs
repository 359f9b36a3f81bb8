//! Numbers as people read them: with units, never with more digits than they bear.

/// A count with thousands apart: `12,345`.
pub fn count(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count that is not exact, with the two digits that it bears: `380,000`, `1.9 million`.
pub fn rough(value: i64) -> String {
    let unit = 10_i64.pow(value.unsigned_abs().checked_ilog10().unwrap_or(0).saturating_sub(1));
    let rounded = value.saturating_add(unit / 2) / unit * unit;
    match rounded {
        1_000_000..1_000_000_000 => format!("{} million", tenths(rounded / 100_000)),
        1_000_000_000.. => format!("{} billion", tenths(rounded / 100_000_000)),
        _ => count(rounded),
    }
}

/// A number of tenths: `19` is `1.9`, `30` is `3`.
fn tenths(value: i64) -> String {
    if value % 10 == 0 { count(value / 10) } else { format!("{}.{}", count(value / 10), value % 10) }
}

/// A count with its noun: `1 event`, `1,204 events`.
pub fn counted(value: i64, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A length of time in its two largest units: `850 ms`, `12.4 s`, `4 min 12 s`, `2 h 05 min`, `3 d 4 h`.
pub fn duration(ms: i64) -> String {
    if ms < 0 {
        return format!("−{}", duration(ms.saturating_neg()));
    }
    let seconds = ms / 1_000;
    match ms {
        0 => "0 s".to_owned(),
        1..1_000 => format!("{ms} ms"),
        // Cut, not rounded: 59.96 s must not read as 60.0 s.
        1_000..60_000 if ms % 1_000 < 100 => format!("{seconds} s"),
        1_000..60_000 => format!("{seconds}.{} s", ms % 1_000 / 100),
        60_000..3_600_000 if seconds % 60 == 0 => format!("{} min", seconds / 60),
        60_000..3_600_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600_000..86_400_000 => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", count(seconds / 86_400), seconds / 3_600 % 24),
    }
}

/// A mean or deviation of times: shown as the time nearest to it.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and times beyond i64 are not times")]
pub fn duration_f64(ms: f64) -> String {
    duration(ms.round() as i64)
}

/// A clock's reading from the start: `0:07`, `12:30`, `1:02:09`.
pub fn elapsed(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    match seconds / 3_600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// A ratio in percent: `83.3%`. Only all is 100%, only none is 0%.
pub fn percent(ratio: f64) -> String {
    let shown = (ratio * 1_000.0).round() / 10.0;
    let bounded = if ratio < 1.0 && shown >= 100.0 {
        99.9
    } else if ratio > 0.0 && shown <= 0.0 {
        return "<0.1%".to_owned();
    } else {
        shown
    };
    format!("{}%", trimmed(bounded, 1))
}

/// A plain number with at most two decimals, none above a thousand: `1.25`, `3`, `1,069`.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and nothing countable lies beyond i64")]
pub fn decimal(value: f64) -> String {
    if value.abs() >= 1_000.0 {
        return count(value.round() as i64);
    }
    if value != 0.0 && value.abs() < 0.005 {
        return format!("{}0.01", if value < 0.0 { ">−" } else { "<" });
    }
    trimmed(value, 2)
}

fn trimmed(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A name of code in words: `longest_focus_ms` → `Longest focus`.
pub fn label(name: &str) -> String {
    let words = name.strip_suffix("_ms").unwrap_or(name).replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// At most `length` characters; an ellipsis stands for the rest.
pub fn shortened(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        None => text.to_owned(),
        Some(_) => text.chars().take(length.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Text from a client inside a sentence of ours: its writing direction ends where it ends.
pub fn isolated(text: &str) -> String {
    format!("\u{2068}{text}\u{2069}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        let shown: Vec<_> = [0, 7, 999, 1_000, 12_345, 1_234_567, -1_000].map(count).into();
        assert_eq!(shown, ["0", "7", "999", "1,000", "12,345", "1,234,567", "−1,000"]);
        assert_eq!(count(i64::MIN), "−9,223,372,036,854,775,808");
    }

    #[test]
    fn a_count_that_is_not_exact_claims_two_digits() {
        let cases = [
            (0, "0"),
            (7, "7"),
            (104, "100"),
            (384_999, "380,000"),
            (996_000, "1 million"),
            (1_949_999, "1.9 million"),
            (12_345_678, "12 million"),
            (994_000_000, "990 million"),
            (2_345_678_901, "2.3 billion"),
        ];
        for (value, text) in cases {
            assert_eq!(rough(value), text, "{value}");
        }
    }

    #[test]
    fn times_read_in_their_two_largest_units() {
        let cases = [
            (0, "0 s"),
            (850, "850 ms"),
            (1_000, "1 s"),
            (12_449, "12.4 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min"),
            (252_951, "4 min 12 s"),
            (3_599_999, "59 min 59 s"),
            (7_500_000, "2 h 05 min"),
            (273_600_000, "3 d 4 h"),
            (-1_500, "−1.5 s"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text, "{ms}");
        }
    }

    #[test]
    fn percents_never_claim_all_or_none_for_nearly() {
        let shown: Vec<_> = [0.0, 0.000_1, 0.108_695, 5.0 / 6.0, 0.999_9, 1.0, 1.204].map(percent).into();
        assert_eq!(shown, ["0%", "<0.1%", "10.9%", "83.3%", "99.9%", "100%", "120.4%"]);
    }

    #[test]
    fn decimals_bear_two_places() {
        let shown = [0.0, 1.25, 3.0, 0.001, 2.152_79, 1_069.4].map(decimal);
        assert_eq!(shown, ["0", "1.25", "3", "<0.01", "2.15", "1,069"]);
    }

    #[test]
    fn names_of_code_become_words() {
        assert_eq!(label("longest_focus_ms"), "Longest focus");
        assert_eq!(label("hints"), "Hints");
    }

    proptest! {
        #[test]
        fn no_number_breaks_a_format(ms in any::<i64>(), ratio in any::<f64>()) {
            prop_assert!(!duration(ms).is_empty() && !elapsed(ms).is_empty() && !count(ms).is_empty());
            prop_assert!(!rough(ms).is_empty());
            prop_assert!(!percent(ratio).is_empty() && !decimal(ratio).is_empty() && !duration_f64(ratio).is_empty());
        }

        #[test]
        fn a_shortened_text_is_never_longer(text in ".{0,120}", length in 1_usize..60) {
            prop_assert!(shortened(&text, length).chars().count() <= length.max(text.chars().count().min(length)));
        }
    }
}
