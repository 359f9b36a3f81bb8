//! Files of the folder: written whole or not at all, and readable by nobody else.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Writes a file whole, with mode 0600, and on disk before it takes the place of an older one.
///
/// # Errors
/// A sentence that names the file.
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    replace(path, bytes).map_err(|error| anyhow::anyhow!(describe("can't write", path, &error)))
}

/// The same for who has a sentence of its own for a failure.
///
/// # Errors
/// What the system said.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.to_path_buf().into_os_string();
    beside.push(".tmp");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

/// Reads a file; none where there is none.
///
/// # Errors
/// A sentence that names the file.
pub fn read_if_there(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::anyhow!(describe("can't read", path, &error))),
    }
}

/// A sentence for a failure at a path: what, where, and what to do.
pub fn describe(what: &str, path: &Path, error: &io::Error) -> String {
    let place = path.display();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("{place}: {what}: the disk is full: make room, then start again; nothing acknowledged is lost")
        }
        io::ErrorKind::PermissionDenied => {
            format!("{place}: {what}: permission denied: use a folder of your own (--data DIR), or mend its owner")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("{place}: {what}: the file system is read-only: name another folder with --data")
        }
        _ => format!("{place}: {what}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_private_file_is_replaced_whole_and_read_by_its_owner_only() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("api-key");
        assert_eq!(read_if_there(&path).unwrap(), None);
        write_private(&path, b"first, and longer").unwrap();
        write_private(&path, b"second").unwrap();
        assert_eq!(read_if_there(&path).unwrap().as_deref(), Some("second"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let said = describe("can't write", Path::new("/x"), &io::Error::from(io::ErrorKind::StorageFull));
        assert!(said.contains("disk is full"), "{said}");
    }
}
