//! What can be seen without a server: programs, folder, room, ports.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::folder::{self, ROOM_TO_START, Running};
use crate::postgres::{self, Account, programs};

/// The ports that `up` takes where nothing else is said, and the flags that change them.
const PORTS: [(&str, u16); 2] = [("--listen", 8080), ("--dashboard", 8090)];

pub(super) fn version() -> Finding {
    Finding::ok(
        "playledger",
        format!("{} on {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH),
    )
}

/// Whether a private Postgres can be made, and run for the cluster that is there.
pub(super) fn postgres_programs(folder: &Path) -> Vec<Finding> {
    const WHAT: &str = "Postgres programs";
    let installed = programs::installed();
    let cluster = postgres::home_of(folder).ok().flatten();
    let cluster =
        cluster.and_then(|home| std::fs::read_to_string(home.join("cluster/PG_VERSION")).ok()?.trim().parse().ok());
    let mut findings = vec![match programs::choose(&installed, cluster) {
        Ok(chosen) => Finding::ok(WHAT, format!("{} in {}", chosen.major, chosen.bin.display())),
        Err(words) => Finding::bad(WHAT, words, programs::advice(cluster)),
    }];
    if let Err(error) = Account::choose() {
        findings.push(Finding::bad(
            "Postgres account",
            format!("{error:#}"),
            "install Postgres from your system's packages, which make the user, or run as another user than root",
        ));
    }
    findings
}

/// The data folder: whose, which version, how much room.
pub(super) fn data_folder(path: &Path) -> Vec<Finding> {
    const WHAT: &str = "data folder";
    let place = path.display();
    let mut findings = vec![match std::fs::read_to_string(path.join("layout.json")) {
        Err(_) if !path.exists() => Finding::ok(WHAT, format!("{place}: `up` will make it")),
        Err(_) => Finding::note(WHAT, format!("{place}: is no data folder"), "`up` takes an empty or a new folder"),
        Ok(text) => match folder::Layout::parse(&text) {
            Ok(layout) => Finding::ok(WHAT, format!("{place}, layout {}", layout.layout)),
            Err(fault) => Finding::bad(WHAT, format!("{place}/layout.json: {fault}"), fault.advice()),
        },
    }];
    findings.push(match folder::holder(path) {
        Ok(Some(process)) => Finding::ok("local mode", format!("runs on {place}: process {process}")),
        Ok(None) => Finding::ok("local mode", "does not run"),
        Err(error) => Finding::bad("local mode", format!("{error:#}"), "mend the folder's owner"),
    });
    findings.extend(room(path));
    findings
}

fn room(path: &Path) -> Option<Finding> {
    const WHAT: &str = "room on disk";
    // The folder may not be there yet: what counts is the file system that it will be on.
    let there = path.ancestors().find(|folder| folder.exists())?;
    Some(match folder::room(there) {
        Ok(room) if room >= ROOM_TO_START => Finding::ok(WHAT, format!("{} MB under {}", room >> 20, there.display())),
        Ok(room) => Finding::bad(
            WHAT,
            format!("{} MB under {}", room >> 20, there.display()),
            format!(
                "local mode needs {} MB to start: make room, or name another folder with --data",
                ROOM_TO_START >> 20
            ),
        ),
        Err(error) => Finding::bad(WHAT, format!("{error:#}"), "name another folder with --data"),
    })
}

/// Whether the ports that `up` takes by itself are free, where it does not run.
pub(super) fn ports(folder: &Path) -> Vec<Finding> {
    const WHAT: &str = "port";
    if Running::find(folder).is_ok() {
        return Vec::new();
    }
    PORTS
        .into_iter()
        .map(|(flag, port)| match TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => Finding::ok(WHAT, format!("{port} is free")),
            Err(error) => Finding::note(
                WHAT,
                format!("{port} can't be listened on: {error}"),
                format!("`up {flag} 127.0.0.1:0` takes a free one"),
            ),
        })
        .collect()
}

/// Clusters outside the data folders whose folder has gone.
pub(super) fn left_clusters() -> Vec<Finding> {
    let orphans = postgres::elsewhere().into_iter().filter(|(_, folder)| !folder.exists());
    orphans
        .map(|(home, folder): (PathBuf, PathBuf)| {
            Finding::note(
                "left Postgres",
                format!("{} belongs to {}, which has gone", home.display(), folder.display()),
                "remove it where the folder will not come back",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn advice(layout: &str) -> String {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("layout.json"), layout).unwrap();
        let finding = data_folder(home.path()).remove(0);
        assert_eq!(finding.state, State::Bad, "{}", finding.found);
        finding.advice.unwrap()
    }

    #[test]
    fn a_newer_folder_is_told_from_a_damaged_one_whatever_else_it_holds() {
        assert!(advice(r#"{"layout":99,"id":7,"made_by":"9.0.0","log":{"kind":"new"}}"#).contains("that version"));
        assert!(advice(r#"{"layout":99}"#).contains("that version"));
        assert!(advice(r#"{"layout":1}"#).contains("restore"));
        assert!(advice("layout").contains("restore"));
    }
}
