//! What sessions' news means for the days on which their players played, and these for the days of the game.
//!
//! A row of player_days says all that it gives to daily_players: one active player, so many sessions, a new
//! player where it is the first day, one who returned to the cohort of that first day. So what the touched
//! rows gave before and give now is set off, and daily_players is corrected by the difference.

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
        let row = |((tenant, game, player_id, day), sessions)| DayChange { tenant, game, player_id, day, sessions };
        moved.map(row).collect()
    }
}

/// What is counted of a game's day: active, new, sessions, and who returned after 1, 7 and 30 days.
pub type Totals = [i64; 6];

/// After how many days a return is counted, with its place in [`Totals`].
const RETURNS: [(i64, usize); 3] = [(1, 3), (7, 4), (30, 5)];

/// What the tables say of a player's day: its sessions, the player's first day, the tenant's last frozen day.
pub type Before = (Option<i64>, Option<NaiveDate>, Option<NaiveDate>);

/// The days of one player at one game that a load touches.
#[derive(Clone, Debug)]
pub struct PlayerDays<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Which game.
    pub game: &'a str,
    /// Who.
    pub player_id: &'a str,
    /// The first day before the load; none for a player who is new.
    first_day: Option<NaiveDate>,
    /// Sessions of this day and those before may have been removed: what is known of these days stays as it is.
    frozen: Option<NaiveDate>,
    /// Sessions of each touched day, before and after.
    days: BTreeMap<NaiveDate, (i64, i64)>,
}

/// What becomes of player_days and daily_players.
#[derive(Debug, Default)]
pub struct Settled<'a> {
    /// Rows of player_days as they are to be.
    pub rows: Vec<PlayerDay<'a>>,
    /// Rows of player_days that go.
    pub removed: Vec<PlayerDay<'a>>,
    /// By how much each day of a game grows, by tenant, game and day.
    pub totals: BTreeMap<(&'a str, &'a str, NaiveDate), Totals>,
}

/// A row of player_days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayerDay<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Which game.
    pub game: &'a str,
    /// Who.
    pub player_id: &'a str,
    /// Which day.
    pub day: NaiveDate,
    /// Sessions of that day.
    pub sessions: i64,
    /// The player's first day.
    pub first_day: NaiveDate,
}

impl<'a> PlayerDays<'a> {
    /// The days that these changes touch, one value a player and game. `before` tells of each change, in its order,
    /// the sessions that the day has in the table, the player's first day there and the tenant's last frozen day.
    pub fn of(changes: &[DayChange<'a>], before: &[Before]) -> Vec<Self> {
        let mut players: Vec<Self> = Vec::new();
        for (change, (had, first_day, frozen)) in changes.iter().zip(before) {
            let DayChange { tenant, game, player_id, day, sessions } = *change;
            let last =
                players.last().filter(|last| (last.tenant, last.game, last.player_id) == (tenant, game, player_id));
            if last.is_none() {
                let (first_day, frozen) = (*first_day, *frozen);
                players.push(Self { tenant, game, player_id, first_day, frozen, days: BTreeMap::new() });
            }
            let had = had.unwrap_or_default();
            if let Some(player) = players.last_mut() {
                player.days.insert(day, (had, had + sessions));
            }
        }
        players
    }

    /// Whether the first day moves: then the player's other days change too, and have to be told.
    pub fn moves(&self) -> bool {
        self.first_day.is_some_and(|first| {
            let lost = self.days.get(&first).is_some_and(|(_, has)| *has == 0);
            lost && !self.is_frozen(first) || self.days.iter().any(|(day, (_, has))| *day < first && *has > 0)
        })
    }

    /// Tells of a day in the table.
    pub fn tell(&mut self, day: NaiveDate, sessions: i64) {
        self.days.entry(day).or_insert((sessions, sessions));
    }

    /// Sets off what these days gave against what they give.
    pub fn settle(&self, settled: &mut Settled<'a>) {
        // Of a frozen day the sessions that made it the first one may be gone.
        let stays = self.first_day.filter(|first| self.is_frozen(*first) || !self.days.contains_key(first));
        let left = self.days.iter().filter(|(_, (_, has))| *has > 0).map(|(day, _)| *day);
        let first = left.chain(stays).min();
        for (&day, &(had, has)) in &self.days {
            if let Some(was) = self.first_day.filter(|_| had > 0) {
                self.give(settled, day, had, was, -1);
            }
            let row = |first_day| PlayerDay {
                tenant: self.tenant,
                game: self.game,
                player_id: self.player_id,
                day,
                sessions: has,
                first_day,
            };
            match first {
                Some(first) if has > 0 => {
                    self.give(settled, day, has, first, 1);
                    settled.rows.push(row(first));
                }
                _ => settled.removed.push(row(day)),
            }
        }
    }

    fn is_frozen(&self, day: NaiveDate) -> bool {
        self.frozen.is_some_and(|frozen| day <= frozen)
    }

    fn give(&self, settled: &mut Settled<'a>, day: NaiveDate, sessions: i64, first: NaiveDate, sign: i64) {
        if !self.is_frozen(day) {
            let totals = settled.totals.entry((self.tenant, self.game, day)).or_default();
            totals[0] += sign;
            totals[1] += if day == first { sign } else { 0 };
            totals[2] += sign * sessions;
        }
        let after = day.signed_duration_since(first).num_days();
        if let Some((_, place)) = RETURNS.iter().find(|(days, _)| *days == after && !self.is_frozen(first)) {
            settled.totals.entry((self.tenant, self.game, first)).or_default()[*place] += sign;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(of_january: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, of_january).unwrap()
    }

    fn change(of_january: u32, sessions: i64) -> DayChange<'static> {
        DayChange { tenant: "acme", game: "demo", player_id: "p-1", day: day(of_january), sessions }
    }

    fn totals(settled: &Settled<'_>) -> Vec<(u32, Totals)> {
        use chrono::Datelike as _;
        let changed = settled.totals.iter().filter(|(_, totals)| totals.iter().any(|total| *total != 0));
        changed.map(|((.., day), totals)| (day.day(), *totals)).collect()
    }

    #[test]
    fn a_new_player_is_active_and_new_on_the_first_day_and_returns_on_the_others() {
        let mut settled = Settled::default();
        let players = PlayerDays::of(&[change(2, 2), change(3, 1), change(9, 1)], &[(None, None, None); 3]);
        assert_eq!((players.len(), players[0].moves()), (1, false));
        players[0].settle(&mut settled);
        assert_eq!(totals(&settled), [(2, [1, 1, 2, 1, 1, 0]), (3, [1, 0, 1, 0, 0, 0]), (9, [1, 0, 1, 0, 0, 0])]);
        assert!(settled.rows.iter().all(|row| row.first_day == day(2)) && settled.removed.is_empty());
    }

    #[test]
    fn one_more_session_of_a_day_is_no_more_than_that() {
        let mut settled = Settled::default();
        PlayerDays::of(&[change(5, 1)], &[(Some(1), Some(day(2)), None)])[0].settle(&mut settled);
        assert_eq!(totals(&settled), [(5, [0, 0, 1, 0, 0, 0])]);
    }

    #[test]
    fn a_first_day_that_goes_makes_the_next_one_first_and_takes_its_cohort_along() {
        let mut settled = Settled::default();
        let mut players = PlayerDays::of(&[change(2, -1)], &[(Some(1), Some(day(2)), None)]);
        assert!(players[0].moves());
        for of_january in [2, 3, 10] {
            players[0].tell(day(of_january), 1);
        }
        players[0].settle(&mut settled);
        assert_eq!(totals(&settled), [(2, [-1, -1, -1, -1, 0, 0]), (3, [0, 1, 0, 0, 1, 0])]);
        assert_eq!(settled.removed.len(), 1);
        assert_eq!(settled.rows.iter().map(|row| row.first_day).collect::<Vec<_>>(), [day(3), day(3)]);
    }

    #[test]
    fn a_player_whose_last_day_goes_leaves_nothing() {
        let mut settled = Settled::default();
        let players = PlayerDays::of(&[change(2, -3)], &[(Some(3), Some(day(2)), None)]);
        players[0].settle(&mut settled);
        assert_eq!(totals(&settled), [(2, [-1, -1, -3, 0, 0, 0])]);
        assert_eq!((settled.rows.len(), settled.removed.len()), (0, 1));
    }

    #[test]
    fn a_frozen_day_takes_and_gives_nothing_and_stays_the_first_of_whoever_began_on_it() {
        let frozen = Some(day(4));
        let mut settled = Settled::default();
        let players = PlayerDays::of(&[change(2, -1), change(9, 1)], &[(Some(1), Some(day(2)), frozen); 2]);
        assert!(!players[0].moves());
        players[0].settle(&mut settled);
        assert_eq!(totals(&settled), [(9, [0, 0, 1, 0, 0, 0])]);
        assert_eq!((settled.removed[0].day, settled.rows[0].first_day), (day(2), day(2)));

        // A new player of a frozen day returns to no cohort; one who began even earlier is told of.
        let mut settled = Settled::default();
        PlayerDays::of(&[change(4, 1), change(5, 1)], &[(None, None, frozen); 2])[0].settle(&mut settled);
        assert_eq!(totals(&settled), [(5, [1, 0, 1, 0, 0, 0])]);
        assert!(PlayerDays::of(&[change(1, 1)], &[(None, Some(day(2)), frozen)])[0].moves());
    }
}
