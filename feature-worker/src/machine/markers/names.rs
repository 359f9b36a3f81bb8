//! Numbers for the tenants and games of markers: millions of sessions are of a few of them.

use std::collections::HashMap;

use schemas::{Game, Tenant};

/// Tenants and games by number. None is ever taken out: there are as many as credentials name.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<(Tenant, Game), u64>,
    by_number: Vec<(Tenant, Game)>,
}

impl Names {
    /// The number of a tenant's game.
    pub(super) fn number(&mut self, tenant: &Tenant, game: &Game) -> u64 {
        let pair = (tenant.clone(), game.clone());
        if let Some(number) = self.numbers.get(&pair) {
            return *number;
        }
        let number = self.by_number.len() as u64;
        self.by_number.push(pair.clone());
        self.numbers.insert(pair, number);
        number
    }

    /// The tenant and game of a number that was given.
    pub(super) fn of(&self, number: u64) -> &(Tenant, Game) {
        // A number is a place in memory.
        &self.by_number[usize::try_from(number).unwrap_or(usize::MAX)]
    }

    /// Bytes in memory, at least.
    pub(super) fn bytes(&self) -> usize {
        let each = size_of::<(Tenant, Game)>();
        self.by_number.capacity() * each + self.numbers.capacity() * (each + size_of::<u64>())
    }
}
