//! The private Postgres of local mode: found, made, started, stopped.
//!
//! It listens on a free port of 127.0.0.1 and on a socket of its own, asks every client for a
//! password, and ends with the process that started it, however that ends.

mod account;
mod cluster;
mod leftover;
mod place;
pub mod programs;
mod reach;
mod server;

use crate::folder::Folder;

pub use account::Account;
pub use place::{elsewhere, home_of};
pub use reach::reach;
pub use server::Server;

/// Starts the folder's Postgres, and makes it on the first start.
///
/// # Errors
/// A sentence: what is missing on this machine, or what the server said.
pub async fn start(folder: &Folder) -> anyhow::Result<Server> {
    start_with(folder, &[]).await
}

/// As [`start`], with these settings (`name=value`) over its own.
///
/// # Errors
/// As [`start`].
pub async fn start_with(folder: &Folder, settings: &[&str]) -> anyhow::Result<Server> {
    let account = Account::choose()?;
    let installed = programs::installed();
    // Judged before anything is made, and again for the version that an existing cluster needs.
    programs::choose(&installed, None).map_err(anyhow::Error::msg)?;
    let place = place::Place::prepare(folder, &account)?;
    let programs = programs::choose(&installed, place.major()?).map_err(anyhow::Error::msg)?;
    leftover::stop(&place.cluster()).await?;
    leftover::clear_sockets(&place.sockets)?;
    let password = cluster::prepare(&place, &programs, &account).await?;
    server::start(place, &programs, &account, &password, settings).await
}

/// Whether a server runs on the cluster under `home`: its process number.
///
/// # Errors
/// When the server's note can't be read.
pub fn running_under(home: &std::path::Path) -> anyhow::Result<Option<i32>> {
    Ok(leftover::running(&home.join("cluster"))?.map(nix::unistd::Pid::as_raw))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use sqlx::{Connection as _, PgConnection};

    use super::*;
    use crate::folder::LogKind;

    const PATIENCE: Duration = Duration::from_secs(15);

    fn world() -> (tempfile::TempDir, Folder) {
        let home = tempfile::tempdir().unwrap();
        // So that root's cluster stays inside, too.
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let folder = Folder::take(&home.path().join("data"), LogKind::Embedded).unwrap();
        (home, folder)
    }

    async fn rows(server: &Server) -> i64 {
        let mut connection = PgConnection::connect(server.url()).await.unwrap();
        sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&mut connection).await.unwrap()
    }

    /// One history, because a cluster takes seconds to make: stopped, orphaned and killed servers
    /// are all taken up again with what they had committed.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_committed_outlives_every_way_to_end() {
        let (_home, folder) = world();
        let server = start(&folder).await.unwrap();
        let mut connection = PgConnection::connect(server.url()).await.unwrap();
        sqlx::query("CREATE TABLE kept AS SELECT 1 AS n").execute(&mut connection).await.unwrap();
        let standard_port = server.url().contains(":5432/");
        assert!(!standard_port, "{}", server.url());
        let url = server.url().to_owned();
        server.stop(PATIENCE).await.unwrap();
        let home = home_of(folder.path()).unwrap().unwrap();
        assert_eq!(running_under(&home).unwrap(), None);

        // Again, on the same port: a URL that somebody kept goes on working.
        let server = start(&folder).await.unwrap();
        assert_eq!(server.url(), url);
        assert_eq!(rows(&server).await, 1);

        // A server whose guard was killed too runs on alone, and is stopped before the next one.
        let pid = running_under(&home).unwrap().unwrap();
        kill(Pid::from_raw(server.guard_pid()), Signal::SIGKILL).unwrap();
        drop(server);
        let server = start(&folder).await.unwrap();
        assert_ne!(running_under(&home).unwrap(), Some(pid));
        assert_eq!(rows(&server).await, 1);

        // A killed server leaves its note behind, and the lock of its socket, whose number may be that
        // of another process of the account by now.
        let mut server = server;
        let pid = running_under(&home).unwrap().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        server.ended().await;
        let mut stranger = Account::choose().unwrap().command("/bin/sleep").arg("120").spawn().unwrap();
        let locks: Vec<_> = std::fs::read_dir(home.join("run")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let lock = locks.iter().find(|path| path.extension().is_some_and(|end| end == "lock")).unwrap();
        std::fs::write(lock, format!("{}\n", stranger.id())).unwrap();
        let server = start(&folder).await;
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        let server = server.unwrap();
        assert_eq!(rows(&server).await, 1);

        // Whoever starts it and is gone takes it along: dropping the leash is what a kill −9 does.
        drop(server);
        for _ in 0..200 {
            if running_under(&home).unwrap().is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server outlives the process that started it");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_wrong_password_file_is_named() {
        let (_home, folder) = world();
        start(&folder).await.unwrap().stop(PATIENCE).await.unwrap();
        std::fs::write(folder.file("postgres.password"), "another").unwrap();
        let refused = start(&folder).await.unwrap_err().to_string();
        assert!(refused.contains("postgres.password"), "{refused}");
        std::fs::remove_file(folder.file("postgres.password")).unwrap();
        let refused = start(&folder).await.unwrap_err().to_string();
        assert!(refused.contains("postgres.password"), "{refused}");
    }
}
