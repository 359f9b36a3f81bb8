//! What sessions' news means for the days on which their players played.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::changes::DayChange;

/// Changes of days, by tenant, game, player and day.
#[derive(Default)]
pub(super) struct Days<'a>(BTreeMap<(&'a str, &'a str, &'a str, NaiveDate), i64>);

/// Where a play session counts: game, player and day.
pub(super) type Place<'a> = (&'a str, &'a str, NaiveDate);

impl<'a> Days<'a> {
    /// A session counts at `new` from now on, and no more at `old`.
    pub(super) fn replace(&mut self, tenant: &'a str, old: Option<Place<'a>>, new: Option<Place<'a>>) {
        for (place, sessions) in [(old, -1), (new, 1)] {
            if let Some((game, player, day)) = place {
                *self.0.entry((tenant, game, player, day)).or_default() += sessions;
            }
        }
    }

    /// What remains when gains and losses are set off: most revisions move nothing.
    pub(super) fn into_rows(self) -> Vec<DayChange<'a>> {
        let moved = self.0.into_iter().filter(|(_, sessions)| *sessions != 0);
        moved
            .map(|((tenant, game, player_id, day), sessions)| DayChange { tenant, game, player_id, day, sessions })
            .collect()
    }
}
