//! Whose a body says that it is: the credential decides that, and a claim of another is refused. Pure.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use schemas::parse::each_member;
use schemas::{Game, Tenant};

/// The members by which an object claims a tenant or a game.
#[derive(Clone, Copy, Debug)]
pub struct Claims {
    tenant: &'static [&'static str],
    game: &'static [&'static str],
}

/// Of an event in Playledger's own JSON, and of the body of a close call.
pub const OF_EVENTS: Claims = Claims { tenant: &["tenant", "tenant_id"], game: &["game_id"] };
/// Of what surrounds a batch, whose game is judged elsewhere.
pub const OF_BATCHES: Claims = Claims { game: &[], ..OF_EVENTS };
/// Of a CloudEvent: names of extensions have no underscore, but who would tell a client's library?
pub const OF_CLOUDEVENTS: Claims =
    Claims { tenant: &["tenant", "tenantid", "tenant_id"], game: &["gameid", "game_id"] };

/// How a name that claims something begins; an escape may stand in it.
static TENANT: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\"tenant"));
static GAME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\"game"));
static ESCAPE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\\u"));

/// Whether a JSON object claims another tenant or game than these; null claims nothing. The bytes are
/// looked through before they are parsed: hardly any body says such a thing at all.
pub fn claims_another(json: &str, claims: Claims, tenant: &Tenant, game: &Game) -> bool {
    let has = |finder: &Finder<'_>| finder.find(json.as_bytes()).is_some();
    if !has(&TENANT) && (claims.game.is_empty() || !has(&GAME)) && !has(&ESCAPE) {
        return false;
    }
    let mut another = false;
    each_member(json, |name, value| {
        let is_one_of = |names: &[&str]| names.iter().any(|known| known.as_bytes() == name);
        let names = |own: &dyn Fn(&str) -> bool| {
            value == "null" || serde_json::from_str::<String>(value).is_ok_and(|named| own(&named))
        };
        another |= is_one_of(claims.tenant) && !names(&|named| named == tenant.as_str());
        another |= is_one_of(claims.game) && !names(&|named| named == game.base() || named == game.as_str());
    });
    another
}

#[cfg(test)]
mod tests {
    use super::*;

    fn another(json: &str, claims: Claims) -> bool {
        claims_another(json, claims, &Tenant::parse("acme").unwrap(), &Game::parse("runner@test").unwrap())
    }

    #[test]
    fn own_names_and_null_claim_nothing() {
        for json in [
            "{}",
            "7",
            r#"{"tenant":"acme","tenant_id":null,"game_id":"runner"}"#,
            r#"{"game_id":"runner@test"}"#,
            r#"{"tenantid":"globex"}"#,
            r#"{"data":{"tenant":"globex","game_id":"chess"}}"#,
            r#"[{"tenant":"globex"}]"#,
        ] {
            assert!(!another(json, OF_EVENTS), "{json}");
        }
    }

    #[test]
    fn another_name_is_a_claim_however_it_is_written() {
        for json in [
            r#"{"tenant":"globex"}"#,
            r#"{"tenant":"acme","tenant":"globex"}"#,
            r#"{"tenant":"globex","tenant":"acme"}"#,
            r#"{ "tenant_id" : 7 }"#,
            r#"{"t\u0065nant":"globex"}"#,
            r#"{"game_id":"runner@live"}"#,
            r#"{"\ud800":1,"game_id":"chess"}"#,
        ] {
            assert!(another(json, OF_EVENTS), "{json}");
        }
        assert!(another(r#"{"tenantid":"globex"}"#, OF_CLOUDEVENTS));
        assert!(!another(r#"{"game_id":"chess","events":[]}"#, OF_BATCHES));
    }
}
