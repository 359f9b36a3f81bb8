//! Where a run puts its files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A folder that the `postgres` user may pass through, removed at the end.
///
/// # Errors
/// When it can't be made.
pub fn new_folder(within: Option<&Path>) -> anyhow::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("playledger-bench-");
    let folder = match within {
        Some(within) => builder.tempdir_in(within)?,
        None => builder.tempdir()?,
    };
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}
