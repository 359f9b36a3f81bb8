//! The commands `keys create`, `keys list`, `keys revoke`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use daemon::Clock;
use ingest_gateway::credentials::{Credential, Scope};
use ingest_gateway::keys::{self, NewKey};
use schemas::{Tenant, Timestamp};
use serde_json::json;

use crate::folder;
use crate::output::{data, say};

/// What to do with keys.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Makes a key and prints it, once
    Create(Create),
    /// Lists the keys, without their secrets
    List {
        /// Which file.
        #[command(flatten)]
        file: CredentialsFile,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Revokes a key: a running gateway refuses it within seconds
    Revoke {
        /// The key's public id: what stands between `pl_` and the next `_`
        id: String,
        /// Which file.
        #[command(flatten)]
        file: CredentialsFile,
    },
}

/// Which file.
#[derive(Args, Debug)]
pub struct CredentialsFile {
    /// The gateway's file of keys [default: that of local mode's folder]
    #[arg(long, value_name = "FILE", env = "PLAYLEDGER_CREDENTIALS")]
    credentials: Option<PathBuf>,
}

/// A key to be made.
#[derive(Args, Debug)]
pub struct Create {
    #[command(flatten)]
    file: CredentialsFile,
    /// Whose events it sends: 1 to 40 of a-z 0-9 -
    #[arg(long, value_name = "T", value_parser = Tenant::parse)]
    tenant: Tenant,
    /// The game whose events it sends; several where it names each request's game
    #[arg(long = "game", value_name = "G", required = true)]
    games: Vec<String>,
    /// The games' environment, such as test [default: live]
    #[arg(long, value_name = "E")]
    env: Option<String>,
    /// What it may do: ingest, backfill, evidence, read, admin [default: ingest]
    #[arg(long = "scope", value_name = "S", value_parser = scope)]
    scopes: Vec<Scope>,
    /// Everybody may see it, as in a page: it may also stand in the query as ?key=, with text/plain bodies, and
    /// has the scope ingest only
    #[arg(long)]
    publishable: bool,
    /// The tier of limits that it falls under
    #[arg(long, value_name = "T")]
    tier: Option<String>,
    /// When it expires: after a time such as 90d, or at one such as 2027-01-01T00:00:00Z [default: never]
    #[arg(long, value_name = "D")]
    expires: Option<String>,
    /// Prints id and key as one JSON object
    #[arg(long)]
    json: bool,
}

impl CredentialsFile {
    fn path(&self) -> PathBuf {
        self.credentials.clone().unwrap_or_else(|| folder::default_path().join("credentials.toml"))
    }
}

/// Does it.
///
/// # Errors
/// A sentence that names the file and what is wrong.
pub fn command(action: Action) -> anyhow::Result<ExitCode> {
    let now = Timestamp::from_ms(Clock::system().now_ms());
    match action {
        Action::Create(create) => make(create, now)?,
        Action::List { file, json } => list(&file.path(), now, json)?,
        Action::Revoke { id, file } => {
            let path = file.path();
            keys::revoke(&path, &id, now)?;
            say(&format!("{}: the key {id} is revoked; a running gateway refuses it within seconds", path.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn make(create: Create, now: Timestamp) -> anyhow::Result<()> {
    let path = create.file.path();
    let expires_at = create.expires.as_deref().map(|text| expiry(text, now)).transpose()?;
    let new = NewKey {
        tenant: create.tenant,
        games: create.games,
        environment: create.env,
        publishable: create.publishable,
        scopes: create.scopes,
        tier: create.tier,
        expires_at,
    };
    let made = keys::create(&path, &new, now)?;
    data(&if create.json { json!({ "id": made.id, "key": made.key }).to_string() } else { made.key })?;
    say(&format!(
        "{}: holds the key {} by its hash only: keep the key itself, it is not shown again",
        path.display(),
        made.id
    ));
    Ok(())
}

fn list(path: &std::path::Path, now: Timestamp, json: bool) -> anyhow::Result<()> {
    let keys = keys::list(path)?;
    if json {
        return keys.iter().try_for_each(|key| data(&as_json(key, now).to_string()));
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["id", "tenant", "games", "scopes", "tier", "state"]);
    for key in &keys {
        let games: Vec<_> = key.games.iter().map(ToString::to_string).collect();
        let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        table.add_row([
            key.id.clone(),
            key.tenant.to_string(),
            games.join(", "),
            scopes.join(", ") + if key.publishable { " (publishable)" } else { "" },
            key.tier.clone(),
            state(key, now),
        ]);
    }
    data(&table.trim_fmt())
}

fn as_json(key: &Credential, now: Timestamp) -> serde_json::Value {
    json!({
        "id": key.id, "tenant": key.tenant, "games": key.games, "environment": key.environment, "scopes": key.scopes,
        "tier": key.tier, "publishable": key.publishable, "created_at": key.created_at, "expires_at": key.expires_at, "revoked_at": key.revoked_at,
        "live": key.live_at(now),
    })
}

fn state(key: &Credential, now: Timestamp) -> String {
    match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {at}"),
        (_, Some(at)) if at <= now => format!("expired {at}"),
        (_, Some(at)) => format!("live until {at}"),
        _ => "live".to_owned(),
    }
}

fn scope(name: &str) -> Result<Scope, String> {
    Scope::named(name).ok_or_else(|| {
        let known: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        format!("known are {}", known.join(", "))
    })
}

/// A time, or a time from now.
fn expiry(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Some(at) = Timestamp::parse(text) {
        return Ok(at);
    }
    let Ok(after) = humantime::parse_duration(text) else {
        let words = format!("--expires {text}: give a time from now such as 90d, or one such as 2027-01-01T00:00:00Z");
        return Err(crate::output::Usage(words).into());
    };
    Ok(Timestamp::from_ms(now.ms().saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_or_a_time_from_now() {
        let now = Timestamp::from_ms(1_000);
        assert_eq!(expiry("2s", now).unwrap().ms(), 3_000);
        assert_eq!(expiry("1970-01-01T00:00:09Z", now).unwrap().ms(), 9_000);
        assert!(expiry("soon", now).unwrap_err().is::<crate::output::Usage>());
    }
}
