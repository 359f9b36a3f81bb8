//! Whole worlds: local mode in one process, daemons of their own on Apache Kafka, those of one kind alone on it.
//! Dropped, a world ends what it started and checks that nothing of it is left.

mod daemons;
mod fleet;
mod gateways;
mod local;
mod names;
mod projectors;
mod workers;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::Process;

pub use daemons::{Daemons, PIPELINE, SECOND_GATEWAY};
pub use fleet::Fleet;
pub use gateways::{Gateway, Gateways};
pub use local::{Local, ReadyLine};
pub use projectors::Projectors;
pub use workers::{Shape, Workers};

use crate::remains;

/// A world's folder. Dropped, it goes, and with it the world must have gone.
#[derive(Debug)]
struct Home {
    /// None once it goes.
    folder: Option<TempDir>,
    path: PathBuf,
    data: PathBuf,
}

impl Home {
    /// A new folder in which local mode, or its Postgres alone, has a data folder of this name. The
    /// `postgres` user may enter it, so that a cluster of root's stays inside.
    fn new(data: &str) -> anyhow::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::Builder::new().prefix("playledger-").tempdir()?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        let path = folder.path().to_path_buf();
        Ok(Self { folder: Some(folder), data: path.join(data), path })
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn data(&self) -> &Path {
        &self.data
    }

    /// Copies the logs of its processes to where `PLAYLEDGER_TEST_LOGS` says.
    fn keep_logs(&self) {
        let Some(place) = std::env::var_os("PLAYLEDGER_TEST_LOGS").map(PathBuf::from) else { return };
        for file in std::fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_some_and(|extension| extension == "log")
                && let Err(error) = std::fs::copy(&path, place.join(file.file_name()))
            {
                eprintln!("{} was not kept: {error}", path.display());
            }
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            self.keep_logs();
            remains::leave_nothing(folder, &self.data);
        }
    }
}

/// Runs `playledger` to its end; gives what it printed.
fn run(home: &Home, arguments: &[&str]) -> anyhow::Result<String> {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let mut process = Process::start("playledger", "command", &arguments, home.path())?;
    process.output()
}

/// Makes the topics of a world that are not there.
fn create_topics(home: &Home, names: &names::Names, partitions: u32, replication: u32) -> anyhow::Result<()> {
    let (partitions, copies) = (partitions.to_string(), replication.to_string());
    let place = ["--kafka", names.broker().bootstrap(), "--topic-prefix", names.prefix()];
    let shape = ["topics", "create", "--partitions", &partitions, "--replication", &copies];
    run(home, &[&shape, &place[..]].concat()).map(drop)
}
