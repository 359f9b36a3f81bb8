//! Where the private Postgres lies: under the data folder, or where its account can reach it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::account::Account;
use crate::folder::{Folder, describe, read_if_there, write_private};

/// Where clusters go whose account can't enter the data folder.
const ELSEWHERE: &str = "/var/lib/playledger";
/// The longest folder whose sockets every system can address: the name behind it takes 15 bytes of 103.
const LONGEST_SOCKET_FOLDER: usize = 88;

/// The paths of a private Postgres.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Holds the cluster; belongs to the account.
    pub home: PathBuf,
    /// Holds the socket; belongs to the account.
    pub sockets: PathBuf,
    /// The superuser's password; belongs to this process's user.
    pub password: PathBuf,
    /// What the server says; belongs to this process's user.
    pub log: PathBuf,
}

impl Place {
    /// The cluster itself.
    pub(super) fn cluster(&self) -> PathBuf {
        self.home.join("cluster")
    }

    /// The major version of the cluster; none before there is one.
    ///
    /// # Errors
    /// When its version file can't be read or holds no version.
    pub(super) fn major(&self) -> anyhow::Result<Option<u32>> {
        let path = self.cluster().join("PG_VERSION");
        let Some(text) = read_if_there(&path)? else { return Ok(None) };
        let major = text.trim().parse().with_context(|| format!("{}: holds no version", path.display()))?;
        Ok(Some(major))
    }

    /// Finds the place of the folder's Postgres, and makes it on the first start.
    ///
    /// # Errors
    /// A sentence that names the folder that can't be made or used.
    pub(super) fn prepare(folder: &Folder, account: &Account) -> anyhow::Result<Self> {
        let home = home(folder, account)?;
        let sockets = sockets(&home, folder, account)?;
        Ok(Self { home, sockets, password: folder.file("postgres.password"), log: folder.file("postgres.log") })
    }
}

/// Where a data folder says that its Postgres is; none before the first start.
///
/// # Errors
/// When the folder's note can't be read.
pub fn home_of(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let inside = folder.join("postgres");
    if inside.is_dir() {
        return Ok(Some(inside));
    }
    Ok(read_if_there(&folder.join("postgres.location"))?.map(|text| PathBuf::from(text.trim())))
}

/// The clusters outside data folders, each with the folder that it belongs to.
pub fn elsewhere() -> Vec<(PathBuf, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(ELSEWHERE) else { return Vec::new() };
    let homes = entries.flatten().map(|entry| entry.path());
    homes
        .filter_map(|home| {
            let folder = std::fs::read_to_string(home.join("data-folder")).ok()?;
            Some((home, PathBuf::from(folder.trim())))
        })
        .collect()
}

fn home(folder: &Folder, account: &Account) -> anyhow::Result<PathBuf> {
    let failed = |path: &Path, error: &std::io::Error| {
        anyhow::anyhow!(describe("can't make the folder for Postgres", path, error))
    };
    let note = folder.file("postgres.location");
    if let Some(told) = read_if_there(&note)? {
        let told = PathBuf::from(told.trim());
        // Made anew where somebody took it away: the tables come again from the log.
        make_elsewhere(&told, folder, account).map_err(|error| failed(&told, &error))?;
        return Ok(told);
    }
    let inside = folder.file("postgres");
    account.make_folder(&inside).map_err(|error| failed(&inside, &error))?;
    if account.can_enter(&inside) {
        return Ok(inside);
    }
    if inside.join("cluster").exists() {
        bail!(
            "{}: the user `postgres` can't enter it any more: let it pass through all folders above (chmod a+x), or name another folder with --data",
            inside.display()
        );
    }
    let elsewhere = Path::new(ELSEWHERE).join(folder.id().to_string());
    make_elsewhere(&elsewhere, folder, account).map_err(|error| failed(&elsewhere, &error))?;
    write_private(&note, format!("{}\n", elsewhere.display()).as_bytes())?;
    std::fs::remove_dir(&inside).map_err(|error| failed(&inside, &error))?;
    Ok(elsewhere)
}

/// Makes a place outside the data folder, with a note of whose it is.
fn make_elsewhere(path: &Path, folder: &Folder, account: &Account) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if let Some(above) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(above)?;
    }
    account.make_folder(path)?;
    std::fs::write(path.join("data-folder"), format!("{}\n", folder.path().display()))
}

/// A folder for the socket whose path is short enough.
fn sockets(home: &Path, folder: &Folder, account: &Account) -> anyhow::Result<PathBuf> {
    let inside = home.join("run");
    let path = if inside.as_os_str().len() <= LONGEST_SOCKET_FOLDER {
        inside
    } else {
        PathBuf::from(format!("/tmp/playledger-{}", folder.id().simple()))
    };
    account
        .make_folder(&path)
        .map_err(|error| anyhow::anyhow!(describe("can't make the folder for Postgres's socket", &path, &error)))?;
    let found = std::fs::symlink_metadata(&path).with_context(|| format!("{}", path.display()))?;
    let own = std::fs::metadata(home).with_context(|| format!("{}", home.display()))?;
    if !found.is_dir() || found.uid() != own.uid() || found.mode() & 0o077 != 0 {
        bail!("{}: is not a folder of Playledger's own: somebody else made it; take it away", path.display());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::LogKind;
    use std::os::unix::fs::PermissionsExt as _;

    /// A folder whose path everybody can pass through, as a data folder's usually is.
    fn open_home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        home
    }

    #[test]
    fn the_cluster_goes_under_a_folder_that_its_account_can_enter() {
        let home = open_home();
        let folder = Folder::take(&home.path().join("data"), LogKind::Embedded).unwrap();
        let account = Account::choose().unwrap();
        let place = Place::prepare(&folder, &account).unwrap();
        assert_eq!(place.home, folder.file("postgres"));
        assert_eq!(home_of(folder.path()).unwrap(), Some(place.home.clone()));
        assert_eq!(Place::prepare(&folder, &account).unwrap().home, place.home);
        assert_eq!(place.major().unwrap(), None);
    }

    #[test]
    fn where_its_account_cant_enter_the_folder_says_where_the_cluster_is() {
        let account = Account::choose().unwrap();
        if !account.is_other() {
            println!("skipped: only root runs Postgres under another account");
            return;
        }
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let folder = Folder::take(&home.path().join("data"), LogKind::Embedded).unwrap();
        let place = Place::prepare(&folder, &account).unwrap();
        assert!(place.home.starts_with(ELSEWHERE), "{}", place.home.display());
        assert_eq!(home_of(folder.path()).unwrap(), Some(place.home.clone()));
        assert!(!folder.file("postgres").exists());
        assert_eq!(Place::prepare(&folder, &account).unwrap().home, place.home);
        std::fs::remove_dir_all(&place.home).unwrap();
    }

    #[test]
    fn a_deep_folder_gets_a_socket_that_can_be_addressed() {
        let home = open_home();
        let deep = home.path().join("d".repeat(60)).join("e".repeat(60));
        let folder = Folder::take(&deep, LogKind::Embedded).unwrap();
        let place = Place::prepare(&folder, &Account::choose().unwrap()).unwrap();
        assert!(place.sockets.as_os_str().len() <= LONGEST_SOCKET_FOLDER, "{}", place.sockets.display());
        std::fs::remove_dir_all(&place.sockets).unwrap();
    }
}
