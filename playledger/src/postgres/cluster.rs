//! Makes a new cluster, whole or not at all.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use rand::Rng as _;
use rand::distr::Alphanumeric;

use super::account::Account;
use super::place::Place;
use super::programs::Programs;
use crate::folder::{describe, read_if_there, write_private};

/// What the name of a cluster begins with until it is whole.
const UNFINISHED: &str = "cluster.new-";
/// The superuser of the private Postgres.
pub(super) const USER: &str = "playledger";

/// Makes the cluster where there is none; gives the superuser's password.
///
/// # Errors
/// A sentence: what `initdb` said, or the password that is missing beside an existing cluster.
pub(super) async fn prepare(place: &Place, programs: &Programs, account: &Account) -> anyhow::Result<String> {
    let known = read_if_there(&place.password)?.map(|text| text.trim().to_owned());
    if place.major()?.is_some() {
        return known.with_context(|| {
            format!(
                "{}: is missing, and the Postgres in {} can't be entered without it: move that folder away, and the tables are made anew from the log",
                place.password.display(),
                place.home.display()
            )
        });
    }
    // Kept before the cluster is: a cluster without its password would be of no use.
    let password = known.unwrap_or_else(new_password);
    write_private(&place.password, password.as_bytes())?;
    tracing::info!(version = programs.major, folder = %place.cluster().display(), "making a private Postgres");
    initdb(place, programs, account, &password).await?;
    Ok(password)
}

/// Runs `initdb` beside the cluster's own name, which a half-made cluster thus never bears.
async fn initdb(place: &Place, programs: &Programs, account: &Account, password: &str) -> anyhow::Result<()> {
    // A name of its own: an `initdb` whose `up` was killed may still be writing to the last one.
    let fresh = place.home.join(format!("{UNFINISHED}{}", uuid::Uuid::new_v4().simple()));
    let secret = place.home.join("cluster.password");
    let failed =
        |path: &Path, error: &std::io::Error| anyhow::anyhow!(describe("can't prepare the cluster", path, error));
    clear_unfinished(&place.home);
    write_private(&secret, password.as_bytes())?;
    account.give(&secret).map_err(|error| failed(&secret, &error))?;
    let mut command = account.command(programs.path("initdb"));
    command.arg("--pgdata").arg(&fresh).arg("--pwfile").arg(&secret).args([
        "--username",
        USER,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--data-checksums",
    ]);
    command.stdin(Stdio::null());
    let output = tokio::process::Command::from(command).kill_on_drop(true).output().await;
    std::fs::remove_file(&secret).map_err(|error| failed(&secret, &error))?;
    let output = output.with_context(|| format!("{}: can't run it", programs.path("initdb").display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if said.contains("No space left on device") {
            bail!("{}: the disk is full: make room, then start again", place.home.display());
        }
        bail!("{}: initdb failed: {}", place.home.display(), last_words(&said));
    }
    let cluster = place.cluster();
    std::fs::rename(&fresh, &cluster).map_err(|error| failed(&cluster, &error))
}

/// Takes away what killed starts left; what resists stays until the next start.
fn clear_unfinished(home: &Path) {
    let Ok(entries) = std::fs::read_dir(home) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The last lines that a program said, on one line.
pub(super) fn last_words(said: &str) -> String {
    let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}

fn new_password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(40).map(char::from).collect()
}
