//! The folder of local mode: what lies in it, who holds it, which version made it.
//!
//! ```text
//! layout.json            version and identity of the folder
//! lock                   held while `up` runs on it
//! log/                   the embedded log
//! credentials.toml       the gateway's credentials: hashes of keys
//! api-key                the key that `up` made
//! running.json           addresses of the `up` that runs, or ran last
//! postgres/              the private Postgres, or
//! postgres.location      where it is instead
//! postgres.password      its password
//! postgres.log           what it says
//! ```

mod file;
mod layout;
mod lock;
mod running;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

pub use file::{describe, read_if_there, replace, write_private};
pub use layout::{Fault, LAYOUT, Layout, LogKind};
pub use running::Running;

/// What has to be free under the folder for `up` to begin.
pub const ROOM_TO_START: u64 = 200 << 20;

/// A data folder that this process holds: no other `up` runs on it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    layout: Layout,
    _lock: lock::Lock,
}

impl Folder {
    /// Takes the folder for this process, and makes it where there is none.
    ///
    /// # Errors
    /// A sentence: the folder is held by another process, comes of a newer version, holds
    /// something else, or can't be written.
    pub fn take(path: &Path, log: LogKind) -> anyhow::Result<Self> {
        let path = make(path)?;
        refuse_foreign(&path)?;
        let lock = lock::Lock::take(&path)?;
        let room = room(&path)?;
        if room < ROOM_TO_START {
            bail!(
                "{}: only {} MB are free there, and local mode needs {} MB to start: make room, or name another folder with --data",
                path.display(),
                room >> 20,
                ROOM_TO_START >> 20
            );
        }
        let layout = layout::open(&path, log)?;
        Ok(Self { path, layout, _lock: lock })
    }

    /// Where it is: absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which folder it is, wherever it is moved.
    pub fn id(&self) -> uuid::Uuid {
        self.layout.id
    }

    /// The path of one of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// The folder that commands use where none is named: `PLAYLEDGER_DATA`, else the user's own.
pub fn default_path() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    from("PLAYLEDGER_DATA")
        .or_else(|| from("XDG_DATA_HOME").map(|home| home.join("playledger")))
        .or_else(|| from("HOME").map(|home| home.join(".local/share/playledger")))
        .unwrap_or_else(|| PathBuf::from("playledger-data"))
}

/// The file of the log in a data folder.
pub fn log_file(path: &Path) -> PathBuf {
    path.join("log/log.sqlite")
}

/// The process that holds the folder, where one does.
///
/// # Errors
/// When the lock file is there and can't be read.
pub fn holder(path: &Path) -> anyhow::Result<Option<String>> {
    lock::holder(path)
}

/// Bytes that this user may still write on the file system of `path`.
///
/// # Errors
/// When the file system does not say.
pub fn room(path: &Path) -> anyhow::Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path)
        .with_context(|| format!("{}: can't ask how much room there is", path.display()))?;
    // Both are 64 bits wide on Linux and narrower elsewhere.
    #[expect(clippy::useless_conversion, reason = "the width depends on the platform")]
    Ok(u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size())))
}

/// Makes the folder where there is none; gives its absolute path.
fn make(path: &Path) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    if !path.exists() {
        // Root's Postgres runs as another user, who has to pass through; what is secret is 0600.
        let mode = if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(path)
            .map_err(|error| anyhow::anyhow!(describe("can't make the data folder", path, &error)))?;
    }
    if !path.is_dir() {
        bail!("{}: is not a folder: name another with --data", path.display());
    }
    path.canonicalize().map_err(|error| anyhow::anyhow!(describe("can't enter the data folder", path, &error)))
}

/// Refuses to spread files in a folder that is somebody else's.
fn refuse_foreign(path: &Path) -> anyhow::Result<()> {
    if path.join(layout::FILE).exists() {
        return Ok(());
    }
    let entries = std::fs::read_dir(path)
        .map_err(|error| anyhow::anyhow!(describe("can't list the data folder", path, &error)))?;
    // A first start that was killed early leaves these.
    let ours = [lock::FILE, "layout.json.tmp"];
    for entry in entries.flatten() {
        if !ours.iter().any(|name| entry.file_name() == *name) {
            bail!(
                "{}: holds other files and no {}: name an empty or a new folder with --data",
                path.display(),
                layout::FILE
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_and_taken_up_again_as_the_same() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/er");
        let id = Folder::take(&path, LogKind::Embedded).unwrap().id();
        assert_eq!(Folder::take(&path, LogKind::Embedded).unwrap().id(), id);
    }

    #[test]
    fn a_held_folder_is_refused_with_its_holder() {
        let home = tempfile::tempdir().unwrap();
        let held = Folder::take(home.path(), LogKind::Embedded).unwrap();
        let refused = Folder::take(home.path(), LogKind::Embedded).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        assert_eq!(holder(home.path()).unwrap(), Some(std::process::id().to_string()));
        drop(held);
        assert_eq!(holder(home.path()).unwrap(), None);
        Folder::take(home.path(), LogKind::Embedded).unwrap();
    }

    #[test]
    fn a_folder_of_a_newer_version_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        drop(Folder::take(home.path(), LogKind::Embedded).unwrap());
        let newer = format!(
            r#"{{"layout":{},"id":"0198c0de-0000-7000-8000-000000000001","log":"embedded","made_by":"9.9.9"}}"#,
            LAYOUT + 1
        );
        std::fs::write(home.path().join("layout.json"), &newer).unwrap();
        let refused = Folder::take(home.path(), LogKind::Embedded).unwrap_err().to_string();
        assert!(refused.contains("newer") && refused.contains("9.9.9"), "{refused}");
        assert_eq!(std::fs::read_to_string(home.path().join("layout.json")).unwrap(), newer);
    }

    #[test]
    fn a_folder_stays_with_its_kind_of_log() {
        let home = tempfile::tempdir().unwrap();
        drop(Folder::take(home.path(), LogKind::Embedded).unwrap());
        let refused = Folder::take(home.path(), LogKind::Kafka).unwrap_err().to_string();
        assert!(refused.contains("--data"), "{refused}");
    }

    #[test]
    fn a_folder_with_other_things_in_it_is_refused() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("thesis.tex"), "…").unwrap();
        let refused = Folder::take(home.path(), LogKind::Embedded).unwrap_err().to_string();
        assert!(refused.contains("other files"), "{refused}");
        assert!(!home.path().join("layout.json").exists());
    }
}
