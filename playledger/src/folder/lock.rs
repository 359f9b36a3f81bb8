//! The folder's lock: held as long as its process lives, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::bail;

use super::file::describe;

/// The file that is locked; it holds the number of the process.
pub(super) const FILE: &str = "lock";

/// A look at the lock holds it for a moment: whoever takes it tries so often, so long apart.
const TRIES: u32 = 20;
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// A lock that this process holds.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl Lock {
    /// Takes the lock of a folder.
    pub(super) fn take(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let failed = |error| anyhow::anyhow!(describe("can't open the lock", &path, &error));
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match try_patiently(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "{}: another `playledger up` (process {}) runs on this folder: stop it, or name another folder with --data",
                folder.display(),
                said_by(&mut file)
            ),
            Err(TryLockError::Error(error)) => bail!(describe("can't lock the folder", &path, &error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
        written.map_err(|error| anyhow::anyhow!(describe("can't write the lock", &path, &error)))?;
        Ok(Self(file))
    }
}

fn try_patiently(file: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(TRY_AGAIN),
            outcome => return outcome,
        }
    }
    file.try_lock()
}

/// The process that holds a folder's lock; none when nobody does.
pub(super) fn holder(folder: &Path) -> anyhow::Result<Option<String>> {
    let path = folder.join(FILE);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => bail!(describe("can't open the lock", &path, &error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(said_by(&mut file))),
        Err(TryLockError::Error(error)) => bail!(describe("can't look at the lock", &path, &error)),
    }
}

fn said_by(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        // The holder has locked it and not yet written its number.
        _ => "of unknown number".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_for_a_moment_keeps_nobody_from_starting() {
        let home = tempfile::tempdir().unwrap();
        drop(Lock::take(home.path()).unwrap());
        // As `doctor` and `send` do for as long as they look.
        let looking = File::open(home.path().join(FILE)).unwrap();
        looking.try_lock_shared().unwrap();
        let looks = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(60));
            drop(looking);
        });
        Lock::take(home.path()).unwrap();
        looks.join().unwrap();
    }
}
