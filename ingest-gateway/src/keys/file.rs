//! The credentials file on disk: read, kept from other writers, replaced whole.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::KeysError;

/// The file's text; none where there is no file.
pub(super) fn read(path: &Path) -> Result<Option<String>, KeysError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeysError::Io { path: path.into(), error }),
    }
}

/// Keeps other writers out until it is dropped: a lock on the folder leaves no file behind.
pub(super) fn lock(path: &Path) -> Result<File, KeysError> {
    let folder = folder(path);
    let locked = File::open(folder).and_then(|handle| handle.lock().map(|()| handle));
    locked.map_err(|error| KeysError::Io { path: folder.into(), error })
}

/// Puts the new text in the file's place, under the old one's owner and mode: whoever reads sees the
/// old one or the new one, also after a crash.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), KeysError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    let replaced = write(path, &beside, text);
    if replaced.is_err() {
        // It may not even be there.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

fn write(path: &Path, beside: &Path, text: &str) -> Result<(), KeysError> {
    let io = |error| KeysError::Io { path: path.into(), error };
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    // Never what somebody else has put there meanwhile: it could be a link to another file.
    let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(beside).map_err(io)?;
    if let Ok(old) = fs::metadata(path) {
        give(path, &file, &old)?;
        file.set_permissions(old.permissions()).map_err(io)?;
    }
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(beside, path).map_err(io)?;
    File::open(folder(path)).and_then(|folder| folder.sync_all()).map_err(io)
}

/// Gives the new file to whom the old one belongs: a gateway must be able to read it as before.
fn give(path: &Path, new: &File, old: &Metadata) -> Result<(), KeysError> {
    let (uid, gid) = (old.uid(), old.gid());
    let given = new.metadata().and_then(|made| {
        if (made.uid(), made.gid()) == (uid, gid) { Ok(()) } else { fchown(new, Some(uid), Some(gid)) }
    });
    given.map_err(|error| KeysError::Owner { path: path.into(), uid, gid, error })
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown};

    use schemas::Timestamp;

    use super::*;
    use crate::keys::tests::new_key;
    use crate::keys::{create, revoke};

    /// Nobody.
    const GATEWAY: u32 = 65_534;

    #[test]
    fn who_edits_as_root_leaves_the_file_to_the_gateways_user() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        let now = Timestamp::from_ms(0);
        let made = create(&path, &new_key(), now).unwrap();
        chown(&path, Some(GATEWAY), Some(GATEWAY)).unwrap();
        revoke(&path, &made.id, now).unwrap();
        create(&path, &new_key(), now).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid(), found.permissions().mode() & 0o777), (GATEWAY, GATEWAY, 0o600));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_that_cannot_be_given_back_is_left_as_it_was() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        let now = Timestamp::from_ms(0);
        let made = create(&path, &new_key(), now).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let before = fs::read_to_string(&path).unwrap();
        // This thread alone is another user from here on, as far as files go.
        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(GATEWAY));
        let told = revoke(&path, &made.id, now).unwrap_err().to_string();
        assert!(told.contains("belongs to user 0") && told.contains("run this as"), "{told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the file");
    }

    #[test]
    fn what_lies_beside_the_file_is_never_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("credentials.toml"), folder.path().join("other"));
        fs::write(&other, "another's").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join("credentials.toml.tmp")).unwrap();
        create(&path, &new_key(), Timestamp::from_ms(0)).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "another's");
        assert!(path.symlink_metadata().unwrap().is_file());
    }
}
