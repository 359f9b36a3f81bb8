//! The account that the private Postgres runs under: the current user, or `postgres` for root.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use nix::unistd::{Gid, Uid, User, chown, geteuid};

/// Who runs the server. Postgres refuses root.
#[derive(Clone, Debug)]
pub struct Account {
    /// Set where it is not the current user.
    other: Option<(Uid, Gid)>,
}

impl Account {
    /// The current user, or for root the system user `postgres`.
    ///
    /// # Errors
    /// A sentence, where root finds no such user.
    pub fn choose() -> anyhow::Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self { other: None });
        }
        let user = User::from_name("postgres").context("looking for the system user `postgres`")?.context(
            "Postgres refuses to run as root, and there is no system user `postgres` to run it under: \
             install your system's Postgres package (it makes the user), or run playledger as another user",
        )?;
        Ok(Self { other: Some((user.uid, user.gid)) })
    }

    /// Whether it is another user than this process's.
    pub fn is_other(&self) -> bool {
        self.other.is_some()
    }

    /// A command that runs as this account, with an environment of its own, and in a process group
    /// of its own: a Ctrl-C on the terminal is for this process, which stops its parts in order.
    pub fn command(&self, program: impl Into<PathBuf>) -> Command {
        let mut command = Command::new(program.into());
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir("/").process_group(0);
        if let Some((uid, gid)) = self.other {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command
    }

    /// Makes a folder that only this account can enter, where there is none.
    ///
    /// # Errors
    /// When it can't be made or given away.
    pub fn make_folder(&self, path: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        if !path.is_dir() {
            std::fs::DirBuilder::new().mode(0o700).create(path)?;
        }
        self.give(path)
    }

    /// Gives a path to this account.
    ///
    /// # Errors
    /// When the owner can't be changed.
    pub fn give(&self, path: &Path) -> std::io::Result<()> {
        match self.other {
            None => Ok(()),
            Some((uid, gid)) => chown(path, Some(uid), Some(gid)).map_err(std::io::Error::from),
        }
    }

    /// Whether this account can come to a folder of its own through all that lies above it.
    pub fn can_enter(&self, folder: &Path) -> bool {
        if self.other.is_none() {
            return true;
        }
        let mut look = self.command("/bin/sh");
        look.args(["-c", "cd -- \"$1\"", "sh"]).arg(folder);
        look.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        look.status().is_ok_and(|status| status.success())
    }
}
