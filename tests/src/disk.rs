//! A small disk, to be full: a filesystem in memory.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

/// How often an unmount is tried: who used it may only just be ending.
const ATTEMPTS: usize = 50;

/// A mounted filesystem of some megabytes. Dropped, it is gone; what uses it must have ended.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one; none where this process may not mount, which is said.
    pub fn mount(megabytes: u32) -> anyhow::Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix("playledger-disk-").tempdir()?;
        let size = format!("size={megabytes}m");
        let mut command = Command::new("mount");
        let mounted =
            command.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).env("LC_ALL", "C").output();
        let mounted = mounted.context("there is no `mount`")?;
        if mounted.status.success() {
            return Ok(Some(Self { folder }));
        }
        let words = String::from_utf8_lossy(&mounted.stderr).lines().next().unwrap_or_default().to_lowercase();
        if ["superuser", "not permitted", "permission denied", "only root"]
            .iter()
            .any(|refusal| words.contains(refusal))
        {
            // Past the capture of a test's output: what was not tested has to be seen.
            writeln!(
                std::io::stderr(),
                "SKIPPED: no small disk for this test, since mounting is not allowed: {words}"
            )?;
            return Ok(None);
        }
        bail!("mounting a tmpfs failed: {words}")
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it to the last byte; how many that took.
    pub fn fill(&self) -> anyhow::Result<usize> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.filler())?;
        let (chunk, mut written) = ([0; 4096], 0);
        loop {
            match file.write(&chunk) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(written),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes away what [`SmallDisk::fill`] has put there.
    pub fn make_room(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.filler())?)
    }

    fn filler(&self) -> PathBuf {
        self.folder.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        for _ in 0..ATTEMPTS {
            if Command::new("umount").arg(self.folder.path()).output().is_ok_and(|ended| ended.status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        eprintln!("{} is still mounted", self.folder.path().display());
    }
}
