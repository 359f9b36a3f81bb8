//! Names that have been judged: what holds one of these types is sound.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// Whose data it is: `[a-z0-9-]{1,40}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Tenant(Arc<str>);

/// Which game, with its environment where that is not `live`: `demo`, `demo@test`. Cheap to clone.
///
/// The game is `[A-Za-z0-9._-]{1,64}`, the environment `[a-z0-9-]{1,40}`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Game(Arc<str>);

/// A player's pseudonym: 1–64 of `A-Z a-z 0-9 . _ : -`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct PlayerId<'a>(Text<'a>);

/// A name that breaks its rule; the message names the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no {what}: {rule}")]
pub struct BadName {
    what: &'static str,
    rule: &'static str,
    found: String,
}

impl std::borrow::Borrow<str> for Tenant {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Game {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Tenant {
    /// The rule, in words.
    pub const RULE: &'static str = "1 to 40 of a-z 0-9 -";

    /// Judges a tenant's name.
    ///
    /// # Errors
    /// When it breaks [`Self::RULE`].
    pub fn parse(name: &str) -> Result<Self, BadName> {
        let sound = (1..=40).contains(&name.len()) && name.bytes().all(is_lower_name);
        if sound { Ok(Self(name.into())) } else { Err(BadName::new("tenant", Self::RULE, name)) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Game {
    /// The rule, in words.
    pub const RULE: &'static str =
        "1 to 64 of A-Z a-z 0-9 . _ -, and after an @ an environment of 1 to 40 of a-z 0-9 -";

    /// Judges a game's name, with its environment behind an `@` where there is one.
    ///
    /// # Errors
    /// When it breaks [`Self::RULE`].
    pub fn parse(name: &str) -> Result<Self, BadName> {
        let (game, environment) = name.split_once('@').map_or((name, None), |(game, env)| (game, Some(env)));
        let game_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let sound = (1..=64).contains(&game.len())
            && game.bytes().all(game_byte)
            && environment.is_none_or(|env| (1..=40).contains(&env.len()) && env.bytes().all(is_lower_name));
        if sound { Ok(Self(name.into())) } else { Err(BadName::new("game", Self::RULE, name)) }
    }

    /// The name, environment included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The game without its environment.
    pub fn base(&self) -> &str {
        self.0.split_once('@').map_or(&*self.0, |(game, _)| game)
    }

    /// The environment: `live` where none is named.
    pub fn environment(&self) -> &str {
        self.0.split_once('@').map_or("live", |(_, environment)| environment)
    }
}

impl<'a> PlayerId<'a> {
    /// The rule, in words.
    pub const RULE: &'static str = "1 to 64 of A-Z a-z 0-9 . _ : -";

    /// Judges a player's pseudonym.
    ///
    /// # Errors
    /// When it breaks [`Self::RULE`].
    pub fn parse(name: impl Into<Text<'a>>) -> Result<Self, BadName> {
        let name = name.into();
        let byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
        let sound = (1..=64).contains(&name.len()) && name.bytes().all(byte);
        if sound { Ok(Self(name)) } else { Err(BadName::new("player_id", Self::RULE, &name)) }
    }

    /// The pseudonym.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A player id that owns what it holds.
    pub fn into_owned(self) -> PlayerId<'static> {
        PlayerId(self.0.into_owned())
    }
}

impl BadName {
    fn new(what: &'static str, rule: &'static str, found: &str) -> Self {
        Self { what, rule, found: found.chars().take(80).collect() }
    }
}

fn is_lower_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

impl<'de: 'a, 'a> Deserialize<'de> for PlayerId<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Text::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Reads a player id that owns what it holds, for records that outlive their bytes.
pub(crate) fn owned_player<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<PlayerId<'static>, D::Error> {
    PlayerId::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

macro_rules! name_conversions {
    ($name:ident) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&Text::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name_conversions!(Tenant);
name_conversions!(Game);

impl fmt::Display for PlayerId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for PlayerId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_to_their_rules() {
        assert!(Tenant::parse("acme-2").is_ok());
        assert!(Tenant::parse("Acme").is_err());
        assert!(Tenant::parse(&"a".repeat(41)).is_err());
        assert_eq!(Game::parse("demo@test").unwrap().environment(), "test");
        assert_eq!(Game::parse("demo@test").unwrap().base(), "demo");
        assert_eq!(Game::parse("demo").unwrap().environment(), "live");
        assert!(Game::parse("demo@").is_err());
        assert!(Game::parse("a/b").is_err());
        assert!(PlayerId::parse("p-1207").is_ok());
        assert!(PlayerId::parse("Ada Lovelace").is_err());
        assert!(PlayerId::parse("").is_err());
    }
}
