//! Makes, lists and revokes keys in a credentials file, whole or not at all.

mod file;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore as _;
use schemas::{Tenant, Timestamp};

use crate::credentials::{
    Credential, Credentials, CredentialsError, DEFAULT_TIER, PREFIX, Scope, fingerprint, fit_for_all_eyes, game_in,
    hex, hexadecimal,
};

use file::{lock, read, replace};

/// What stands at the head of a file that is made here.
const HEAD: &str = "# API keys of the ingest-gateway, which reads this file again when it changes.\n\
                    # `playledger keys create|list|revoke` edits it; a secret is kept as its SHA-256 only.\n";

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose.
    pub tenant: Tenant,
    /// The games that it may name, without environment; at least one.
    pub games: Vec<String>,
    /// The games' environment; `live` if none.
    pub environment: Option<String>,
    /// What it may do; `ingest` if empty.
    pub scopes: Vec<Scope>,
    /// Whether everybody may see it; then it may do `ingest` only.
    pub publishable: bool,
    /// Names its limits; `standard` if none.
    pub tier: Option<String>,
    /// From when on it is good no more.
    pub expires_at: Option<Timestamp>,
}

/// A key that has been made; its whole text is told once and kept nowhere.
#[derive(Clone, Debug)]
pub struct MadeKey {
    /// Its public id.
    pub id: String,
    /// The whole key: `pl_<public id>_<secret>`.
    pub key: String,
}

/// Why a credentials file could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file or its folder.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file would come to belong to somebody else, and those who read it now could do so no more.
    #[error(
        "{path}: belongs to user {uid}, group {gid}, and the new file can't be given to them ({error}); run this as a \
         user who may do that, such as root",
        path = path.display()
    )]
    Owner {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
        /// Its group.
        gid: u32,
        /// What the system says.
        error: std::io::Error,
    },
    /// What the file holds.
    #[error("{path}: {error}; mend the file first", path = path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What is wrong in it.
        error: CredentialsError,
    },
    /// The key asked for is not there.
    #[error("{path}: there is no key `{id}` that could be revoked; `playledger keys list` shows all", path = path.display())]
    Unknown {
        /// Which file.
        path: PathBuf,
        /// The id asked for.
        id: String,
    },
    /// A name breaks its rule.
    #[error("{0}")]
    BadName(String),
    /// A key that everybody may see would do more than send events.
    #[error("{0}")]
    TooMuch(String),
}

/// Makes a key and writes it to the file, which is made if absent, for the owner's eyes only.
///
/// # Errors
/// [`KeysError`]; then the file is as it was.
pub fn create(path: &Path, new: &NewKey, now: Timestamp) -> Result<MadeKey, KeysError> {
    let _lock = lock(path)?;
    let text = read(path)?.unwrap_or_else(|| HEAD.to_owned());
    let known = parse(path, &text)?;
    let environment = new.environment.as_deref().unwrap_or("live");
    for game in &new.games {
        game_in(game, environment).map_err(KeysError::BadName)?;
    }
    if new.publishable {
        fit_for_all_eyes(&scopes_of(new)).map_err(KeysError::TooMuch)?;
    }
    let id = loop {
        let id = random_hex();
        if known.all().iter().all(|credential| credential.id != id) {
            break id;
        }
    };
    let secret = secret();
    let text = text.trim_end().to_owned() + "\n\n" + &entry(new, environment, &id, &secret, now);
    parse(path, &text)?;
    replace(path, &text)?;
    Ok(MadeKey { key: format!("{PREFIX}{id}_{secret}"), id })
}

/// All keys of the file, by id.
///
/// # Errors
/// [`KeysError`] when it can't be read.
pub fn list(path: &Path) -> Result<Vec<Arc<Credential>>, KeysError> {
    let text = fs::read_to_string(path).map_err(|error| KeysError::Io { path: path.into(), error })?;
    Ok(parse(path, &text)?.all())
}

/// Revokes a key from `now` on; a gateway that runs learns of it from the file.
///
/// # Errors
/// [`KeysError`]; then the file is as it was.
pub fn revoke(path: &Path, id: &str, now: Timestamp) -> Result<(), KeysError> {
    let _lock = lock(path)?;
    let text = read(path)?.unwrap_or_default();
    let unknown = || KeysError::Unknown { path: path.into(), id: id.into() };
    let known = parse(path, &text)?;
    let found = known.all().into_iter().find(|credential| credential.id == id).ok_or_else(unknown)?;
    if found.revoked_at.is_some() {
        return Ok(());
    }
    // The line is put in by hand: the operator's comments stay where they are.
    let names_it = |line: &str| {
        line.split_once('=').is_some_and(|(name, value)| {
            name.trim() == "id" && value.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']) == id
        })
    };
    let mut edited = String::with_capacity(text.len() + 64);
    for line in text.lines() {
        edited.push_str(line);
        edited.push('\n');
        if names_it(line) {
            edited.extend(["revoked_at = ", now.to_string().as_str(), "\n"]);
        }
    }
    let now_known = parse(path, &edited)?;
    if !now_known.all().iter().any(|credential| credential.id == id && credential.revoked_at.is_some()) {
        return Err(unknown());
    }
    replace(path, &edited)
}

fn entry(new: &NewKey, environment: &str, id: &str, secret: &str, now: Timestamp) -> String {
    let quoted = |words: Vec<&str>| {
        let words: Vec<_> = words.into_iter().map(|word| toml::Value::from(word).to_string()).collect();
        format!("[{}]", words.join(", "))
    };
    let scopes = scopes_of(new);
    let mut text = format!(
        "[[key]]\nid = \"{id}\"\nsha256 = \"{}\"\ntenant = \"{}\"\ngames = {}\nenvironment = \"{environment}\"\n\
         scopes = {}\ntier = {}\ncreated_at = {now}\n",
        hex(&fingerprint(secret)),
        new.tenant,
        quoted(new.games.iter().map(String::as_str).collect()),
        quoted(scopes.iter().map(|scope| scope.as_str()).collect()),
        toml::Value::from(new.tier.as_deref().unwrap_or(DEFAULT_TIER)),
    );
    if new.publishable {
        text.push_str("publishable = true\n");
    }
    if let Some(at) = new.expires_at {
        text.extend(["expires_at = ", at.to_string().as_str(), "\n"]);
    }
    text
}

fn scopes_of(new: &NewKey) -> Vec<Scope> {
    if new.scopes.is_empty() { vec![Scope::Ingest] } else { new.scopes.clone() }
}

/// 256 random bits in URL-safe base64.
fn secret() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn random_hex() -> String {
    let mut bytes = [0; 6];
    rand::rng().fill_bytes(&mut bytes);
    hexadecimal(&bytes)
}

fn parse(path: &Path, text: &str) -> Result<Credentials, KeysError> {
    Credentials::parse(text).map_err(|error| KeysError::Broken { path: path.into(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn new_key() -> NewKey {
        NewKey {
            tenant: Tenant::parse("acme").unwrap(),
            games: vec!["runner".into()],
            environment: None,
            publishable: false,
            scopes: vec![Scope::Ingest, Scope::Backfill],
            tier: None,
            expires_at: None,
        }
    }

    #[test]
    fn a_made_key_is_good_until_it_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        let now = Timestamp::from_ms(1_790_000_000_000);
        let made = create(&path, &new_key(), now).unwrap();
        let other = create(&path, &new_key(), now).unwrap();
        let verify = |key: &str| Credentials::parse(&fs::read_to_string(&path).unwrap()).unwrap().verify(key, now);
        assert_eq!(verify(&made.key).unwrap().scopes, [Scope::Ingest, Scope::Backfill]);
        revoke(&path, &made.id, now).unwrap();
        assert!(verify(&made.key).is_none());
        assert!(verify(&other.key).is_some());
        assert_eq!(list(&path).unwrap().len(), 2);
        assert!(!fs::read_to_string(&path).unwrap().contains(other.key.splitn(3, '_').nth(2).unwrap()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the file");
    }

    #[test]
    fn a_key_that_everybody_may_see_sends_events_and_does_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        let now = Timestamp::from_ms(1_790_000_000_000);
        let publishable = |scopes: &[Scope]| NewKey { publishable: true, scopes: scopes.to_vec(), ..new_key() };
        for scopes in [&[Scope::Read][..], &[Scope::Ingest, Scope::Backfill], &[Scope::Admin]] {
            assert!(matches!(create(&path, &publishable(scopes), now), Err(KeysError::TooMuch(_))));
        }
        assert!(!path.exists());
        let made = create(&path, &publishable(&[]), now).unwrap();
        assert!(list(&path).unwrap().iter().all(|key| key.publishable && key.id == made.id));
        let secret = create(&path, &new_key(), now).unwrap();
        assert!(list(&path).unwrap().iter().any(|key| !key.publishable && key.id == secret.id));
    }

    #[test]
    fn a_comment_of_the_operator_survives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        let now = Timestamp::from_ms(1_790_000_000_000);
        let made = create(&path, &new_key(), now).unwrap();
        let text = fs::read_to_string(&path).unwrap().replace("tenant =", "# of the old build\ntenant =");
        fs::write(&path, text).unwrap();
        revoke(&path, &made.id, now).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("# of the old build"));
    }

    #[test]
    fn an_unknown_key_or_a_broken_file_is_an_error_that_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        let now = Timestamp::from_ms(0);
        fs::write(&path, "nonsense").unwrap();
        assert!(matches!(create(&path, &new_key(), now), Err(KeysError::Broken { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "nonsense");
        fs::write(&path, "").unwrap();
        assert!(matches!(revoke(&path, "k1", now), Err(KeysError::Unknown { .. })));
        let bad = NewKey { games: vec!["a b".into()], ..new_key() };
        assert!(matches!(create(&path, &bad, now), Err(KeysError::BadName(_))));
    }
}
