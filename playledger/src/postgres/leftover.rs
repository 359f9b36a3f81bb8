//! A server that a killed `up` left behind: found by its own file, checked, and stopped; and what a
//! killed server left.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::folder::{describe, read_if_there};

/// The server's own note of itself, in the cluster.
const FILE: &str = "postmaster.pid";
/// What the names of its sockets and of their locks begin with.
const SOCKET: &str = ".s.PGSQL.";
/// How long a server gets to end after it was asked, before it is asked harder.
const PATIENCE: Duration = Duration::from_secs(15);

/// Stops the server that still runs on a cluster, where one does, and clears its note where the
/// number in it is another process's by now.
///
/// # Errors
/// A sentence, when it does not end.
pub(super) async fn stop(cluster: &Path) -> anyhow::Result<()> {
    let Some(pid) = running(cluster)? else { return Ok(()) };
    tracing::info!(pid = pid.as_raw(), "a Postgres of an earlier run is still there: stopping it");
    // Fast, then at once: the second leaves recovery to the next start, and loses nothing either.
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        // It may end by itself at any time, as its guard asks it to.
        let _ = kill(pid, signal);
        for _ in 0..PATIENCE.as_millis() / 50 {
            if running(cluster)?.is_none() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    bail!(
        "{}: the Postgres of an earlier run (process {pid}) does not end: end it, then start again",
        cluster.display()
    )
}

/// The server that runs on a cluster now.
///
/// # Errors
/// When its note can't be read, or is stale and can't be taken away.
pub(super) fn running(cluster: &Path) -> anyhow::Result<Option<Pid>> {
    let path = cluster.join(FILE);
    let Some(pid) = read_if_there(&path)?.as_deref().and_then(parse) else { return Ok(None) };
    if kill(pid, None).is_err() {
        // Nobody has that number: the server sees so itself and goes over the note.
        return Ok(None);
    }
    if is_server_of(pid, cluster) {
        return Ok(Some(pid));
    }
    // The number is another process's by now, which the server would take for a living server.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            bail!(describe("can't take the stale note away", &path, &error))
        }
        _ => Ok(None),
    }
}

/// Takes away the sockets that a killed server left in its folder, and their locks: the number in a
/// lock may be another process's by now, which the next server would take for a living server. To be
/// called when no server runs on the cluster.
///
/// # Errors
/// A sentence that names what can't be taken away.
pub(super) fn clear_sockets(folder: &Path) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| anyhow::anyhow!(describe("can't look for old sockets", folder, &error)))?;
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(SOCKET)) {
        let path = entry.path();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                bail!(describe("can't take the old socket away", &path, &error))
            }
            _ => {}
        }
    }
    Ok(())
}

/// The server's number: the first line of its note.
fn parse(note: &str) -> Option<Pid> {
    let pid: i32 = note.lines().next()?.trim().parse().ok()?;
    (pid > 1).then(|| Pid::from_raw(pid))
}

/// Whether a process is the server of this cluster: a server works within its cluster's folder.
fn is_server_of(pid: Pid, cluster: &Path) -> bool {
    let works_in = Path::new("/proc").join(pid.to_string()).join("cwd");
    if let (Ok(works_in), Ok(cluster)) = (std::fs::read_link(works_in), cluster.canonicalize()) {
        return works_in == cluster;
    }
    if Path::new("/proc/self").exists() {
        return false;
    }
    // No /proc, as on macOS: its command line names the cluster.
    let said = std::process::Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output();
    said.is_ok_and(|output| {
        let line = String::from_utf8_lossy(&output.stdout).into_owned();
        line.contains("postgres") && line.contains(&*cluster.to_string_lossy())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_note_is_read() {
        let text = "4711\n/data/postgres/cluster\n1763712000\n40123\n/data/postgres/run\n127.0.0.1\n";
        assert_eq!(parse(text), Some(Pid::from_raw(4711)));
        assert_eq!(parse(""), None);
        assert_eq!(parse("0\n/data\n"), None);
        assert_eq!(parse("-1\n/data\n"), None);
    }

    #[tokio::test]
    async fn a_number_that_is_another_process_by_now_is_left_alone() {
        let cluster = tempfile::tempdir().unwrap();
        let note = cluster.path().join(FILE);
        // This test's own process stands for the stranger: it must live on.
        std::fs::write(&note, format!("{}\n{}\n", std::process::id(), cluster.path().display())).unwrap();
        stop(cluster.path()).await.unwrap();
        assert!(!note.exists());
    }

    #[test]
    fn old_sockets_go_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".s.PGSQL.40123", ".s.PGSQL.40123.lock", "notes"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        clear_sockets(folder.path()).unwrap();
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes"]);
    }

    #[tokio::test]
    async fn no_note_means_no_server() {
        let cluster = tempfile::tempdir().unwrap();
        assert_eq!(running(cluster.path()).unwrap(), None);
        stop(cluster.path()).await.unwrap();
    }
}
