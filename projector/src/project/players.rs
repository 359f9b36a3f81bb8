//! What sessions' news means for their players: the older share goes, the newer one comes.

use std::collections::BTreeMap;

use super::changes::PlayerChange;
use super::known::Share;

/// Changes of players, by tenant and player.
#[derive(Default)]
pub(super) struct Players<'a>(BTreeMap<(&'a str, &'a str), PlayerChange<'a>>);

impl<'a> Players<'a> {
    /// A session counts `new` for `player` from now on, and no more `old` for the player it had.
    pub(super) fn replace(&mut self, tenant: &'a str, old: Option<(&'a str, Share)>, new: Option<(&'a str, Share)>) {
        if let Some((player, share)) = old {
            let row = self.row(tenant, player);
            row.sessions -= 1;
            row.events = row.events.saturating_sub(share.events);
            row.active_ms = row.active_ms.saturating_sub(share.active_ms);
            // Only a share that still covers the old span cannot have moved the player's first or last time inwards.
            let covers = |(heir, new): (&str, Share)| {
                heir == player && new.started_at <= share.started_at && new.ended_at >= share.ended_at
            };
            row.recount |= !new.is_some_and(covers);
        }
        if let Some((player, share)) = new {
            let row = self.row(tenant, player);
            row.sessions += 1;
            row.events = row.events.saturating_add(share.events);
            row.active_ms = row.active_ms.saturating_add(share.active_ms);
            let (first, last) = row.seen.unwrap_or((share.started_at, share.ended_at));
            row.seen = Some((first.min(share.started_at), last.max(share.ended_at)));
        }
    }

    pub(super) fn into_rows(self) -> Vec<PlayerChange<'a>> {
        self.0.into_values().collect()
    }

    fn row(&mut self, tenant: &'a str, player_id: &'a str) -> &mut PlayerChange<'a> {
        self.0.entry((tenant, player_id)).or_insert(PlayerChange {
            tenant,
            player_id,
            sessions: 0,
            events: 0,
            active_ms: 0,
            seen: None,
            recount: false,
        })
    }
}
