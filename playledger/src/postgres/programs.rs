//! Finds the machine's Postgres programs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest major version that the tables work with.
pub const OLDEST: u32 = 15;

/// Folders whose sub-folders each hold one version: the folder, and the way from there to the programs.
const VERSIONED: [(&str, &str, &str); 6] = [
    // Debian, Ubuntu
    ("/usr/lib/postgresql", "", "bin"),
    // Red Hat and its kin, from the packages of the Postgres project
    ("/usr", "pgsql-", "bin"),
    // Homebrew on Apple silicon, on Intel, on Linux
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    // Postgres.app
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// The programs of one Postgres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// The folder that holds `postgres` and `initdb`.
    pub bin: PathBuf,
    /// Their major version.
    pub major: u32,
}

impl Programs {
    /// The path of one of them.
    pub fn path(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

/// Every Postgres of this machine, newest first, however old.
pub fn installed() -> Vec<Programs> {
    let mut folders: Vec<PathBuf> =
        VERSIONED.iter().flat_map(|(root, prefix, bin)| versions_under(Path::new(root), prefix, bin)).collect();
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path).filter(|folder| folder.is_absolute()));
    }
    folders.extend(told_by_pg_config());
    let mut found: Vec<Programs> = Vec::new();
    for bin in folders.into_iter().filter_map(|bin| bin.canonicalize().ok()) {
        if found.iter().all(|known| known.bin != bin) {
            found.extend(probe(&bin));
        }
    }
    found.sort_by_key(|programs| std::cmp::Reverse(programs.major));
    found
}

/// Chooses among the installed: the newest that is new enough, or exactly the version that an
/// existing cluster needs.
///
/// # Errors
/// A sentence that says what to install.
pub fn choose(installed: &[Programs], cluster: Option<u32>) -> Result<Programs, String> {
    let fits = |programs: &&Programs| match cluster {
        Some(major) => programs.major == major,
        None => programs.major >= OLDEST,
    };
    if let Some(chosen) = installed.iter().filter(fits).min_by_key(|programs| std::cmp::Reverse(programs.major)) {
        return Ok(chosen.clone());
    }
    let versions: Vec<_> = installed.iter().map(|programs| programs.major.to_string()).collect();
    let there = match versions.as_slice() {
        [] => "Postgres is not installed on this machine".to_owned(),
        some => format!("this machine has Postgres {} only", some.join(", ")),
    };
    Err(match cluster {
        None => format!(
            "{there}, and local mode needs {OLDEST} or newer: {}, or name a server with --database-url",
            advice(None)
        ),
        Some(major) => format!(
            "{there}, and the tables in the data folder are of Postgres {major}: {}, or move the folder's Postgres away: the tables are then made anew from the log",
            advice(Some(major))
        ),
    })
}

/// How to install what is missing, on this kind of machine.
pub fn advice(major: Option<u32>) -> String {
    let version = major.map(|major| major.to_string());
    let of = |plain: &str, dash: &str| version.as_ref().map_or_else(|| plain.to_owned(), |v| format!("{dash}{v}"));
    if cfg!(target_os = "macos") {
        format!("install it with `brew install {}`", of("postgresql@17", "postgresql@"))
    } else if Path::new("/usr/bin/apt-get").exists() {
        format!("install it with `sudo apt-get install {}`", of("postgresql", "postgresql-"))
    } else if Path::new("/usr/bin/dnf").exists() {
        format!("install it with `sudo dnf install {}`", of("postgresql-server", "postgresql-server-"))
    } else {
        format!("install the package `{}` of your system", of("postgresql", "postgresql "))
    }
}

/// The major version in what `postgres --version` says.
pub(super) fn major_of(said: &str) -> Option<u32> {
    let number = said.strip_prefix("postgres (PostgreSQL) ")?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn versions_under(root: &Path, prefix: &str, bin: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(bin))
        .filter(|bin| bin.is_dir())
        .collect()
}

fn told_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    output.status.success().then(|| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// A folder counts when it has both programs and the server says its version.
fn probe(bin: &Path) -> Option<Programs> {
    if !bin.join("initdb").is_file() || !bin.join("postgres").is_file() {
        return None;
    }
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let major = major_of(&String::from_utf8_lossy(&output.stdout))?;
    Some(Programs { bin: bin.to_path_buf(), major })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(major: u32) -> Programs {
        Programs { bin: PathBuf::from(format!("/p/{major}")), major }
    }

    #[test]
    fn the_newest_that_is_new_enough_wins() {
        let installed = [programs(13), programs(16), programs(15)];
        assert_eq!(choose(&installed, None).unwrap().major, 16);
    }

    #[test]
    fn a_cluster_gets_its_own_version_whatever_else_is_there() {
        let installed = [programs(17), programs(15)];
        assert_eq!(choose(&installed, Some(15)).unwrap().major, 15);
        let refused = choose(&installed, Some(16)).unwrap_err();
        assert!(refused.contains("17, 15") && refused.contains("Postgres 16"), "{refused}");
    }

    #[test]
    fn what_is_missing_is_named_with_the_way_to_get_it() {
        let none = choose(&[], None).unwrap_err();
        assert!(
            none.contains("not installed") && none.contains("install") && none.contains("--database-url"),
            "{none}"
        );
        let old = choose(&[programs(13)], None).unwrap_err();
        assert!(old.contains("has Postgres 13 only") && old.contains("15 or newer"), "{old}");
    }

    #[test]
    fn the_version_is_read_as_the_program_says_it() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_of("mysqld 8"), None);
    }

    #[test]
    fn a_folder_per_version_is_looked_through() {
        let root = tempfile::tempdir().unwrap();
        for version in ["14", "16"] {
            std::fs::create_dir_all(root.path().join(version).join("bin")).unwrap();
        }
        std::fs::create_dir_all(root.path().join("doc")).unwrap();
        let mut found = versions_under(root.path(), "", "bin");
        found.sort();
        assert_eq!(found, [root.path().join("14/bin"), root.path().join("16/bin")]);
    }

    #[test]
    fn a_folder_without_a_server_is_no_postgres() {
        let bin = tempfile::tempdir().unwrap();
        std::fs::write(bin.path().join("initdb"), "").unwrap();
        assert_eq!(probe(bin.path()), None);
    }
}
