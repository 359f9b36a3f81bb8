//! What a token's claims make of its issuer's rights: the same or less, never more. Pure.

use std::sync::Arc;

use schemas::{PlayerId, Timestamp};
use serde_json::{Map, Value};

use super::issuer::Issuer;
use super::{Credential, Scope};

/// So far an issuer's clock may be from ours.
const LEEWAY_MS: i64 = 30_000;
/// The last second of the year 9999; a later end is taken for this one.
const LATEST_S: f64 = 253_402_300_799.0;

type Claims = Map<String, Value>;

impl Issuer {
    /// What a token of this issuer may do at `now`, if it is meant for here, in its time, and claims nothing
    /// that is nonsense. What it claims beyond the issuer's rights it does not get.
    pub(super) fn grant(&self, claims: &Claims, kid: &str, now: Timestamp) -> Option<Credential> {
        let expires_at = in_time(claims, now)?;
        if !words(claims.get("aud")?, false)?.iter().any(|aud| self.audiences.iter().any(|own| own == aud)) {
            return None;
        }
        let claim = |name: &str| claims.get(name);
        if let Some(tenant) = claim(&self.claims.tenant)
            && tenant.as_str() != Some(self.tenant.as_str())
        {
            return None;
        }
        let mut games = self.games.clone();
        if let Some(named) = claim(&self.claims.games) {
            let named = words(named, false)?;
            games.retain(|game| named.contains(&game.base()) || named.contains(&game.as_str()));
        }
        let mut scopes = self.scopes.clone();
        if let Some(named) = claim(&self.claims.scopes) {
            let named = words(named, true)?;
            scopes.retain(|scope: &Scope| named.contains(&scope.as_str()));
        }
        let tier = match claim(&self.claims.tier) {
            Some(named) => self.tiers.iter().find(|tier| Some(tier.as_str()) == named.as_str()),
            None => None,
        };
        let player = match claim(&self.claims.player) {
            Some(player) => Some(PlayerId::parse(player.as_str()?).ok()?.into_owned()),
            None if self.player_required => return None,
            None => None,
        };
        (!games.is_empty()).then(|| Credential {
            id: format!("{}:{kid}", self.name),
            tenant: self.tenant.clone(),
            games,
            environment: self.environment.clone(),
            scopes,
            tier: tier.unwrap_or(&self.tier).clone(),
            publishable: false,
            issuer: Some(Arc::clone(&self.name)),
            player,
            created_at: None,
            expires_at: Some(expires_at),
            revoked_at: None,
        })
    }
}

impl Credential {
    /// Whether an event, as JSON, is one of the player that this credential is bound to; any is where it is
    /// bound to none.
    pub fn speaks_for_player_of(&self, event: &str) -> bool {
        #[derive(serde::Deserialize)]
        struct Of<'a> {
            #[serde(borrow)]
            player_id: std::borrow::Cow<'a, str>,
        }
        let Some(player) = &self.player else { return true };
        serde_json::from_str::<Of<'_>>(event).is_ok_and(|of| of.player_id == player.as_str())
    }
}

/// When a token ends, if it has begun and has not ended.
fn in_time(claims: &Claims, now: Timestamp) -> Option<Timestamp> {
    let ends_ms = time_ms(claims.get("exp")?)?;
    if now.ms() >= ends_ms.saturating_add(LEEWAY_MS) {
        return None;
    }
    if let Some(begins) = claims.get("nbf")
        && now.ms() < time_ms(begins)?.saturating_sub(LEEWAY_MS)
    {
        return None;
    }
    Some(Timestamp::from_ms(ends_ms))
}

/// A NumericDate in milliseconds.
fn time_ms(value: &Value) -> Option<i64> {
    let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0)?;
    #[expect(clippy::cast_possible_truncation, reason = "between nought and the year 9999")]
    let ms = (seconds.min(LATEST_S) * 1_000.0) as i64;
    Some(ms)
}

/// A list of words, or one; `spaced` ones may stand in one string, as OAuth's scopes do.
fn words(value: &Value, spaced: bool) -> Option<Vec<&str>> {
    match value {
        Value::String(text) if spaced => Some(text.split(' ').filter(|word| !word.is_empty()).collect()),
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
