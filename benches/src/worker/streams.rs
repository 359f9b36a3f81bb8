//! What the worker is compared with: a Kafka Streams program that forms fifteen numbers of each session, exactly
//! once, from the same topic (`benches/streams`). Maven builds it, Java runs it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use schemas::topics::Topic;
use tokio::process::Command;

use super::ground::{Ground, World};
use crate::process::Process;

/// Most memory of its heap: the default, a quarter of the machine's memory, would never be given back.
const HEAP: &str = "-Xmx512m";

/// The program, built.
pub(super) struct Streams {
    classes: PathBuf,
    jars: PathBuf,
    folder: PathBuf,
}

impl Streams {
    /// Builds it into a folder.
    ///
    /// # Errors
    /// When Maven is missing or fails.
    pub(super) async fn build(folder: &Path) -> anyhow::Result<Self> {
        let (target, jars) = (folder.join("streams"), folder.join("streams-jars"));
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-f"]).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("streams/pom.xml"));
        maven.arg(format!("-Dbuild.folder={}", target.display())).args(["compile", "dependency:copy-dependencies"]);
        maven.arg(format!("-DoutputDirectory={}", jars.display())).arg("-DincludeScope=runtime");
        let status = maven.status().await.context("mvn, to build the Kafka Streams program: apt-get install maven")?;
        ensure!(status.success(), "Maven ended with {status}");
        Ok(Self { classes: target.join("classes"), jars, folder: folder.to_owned() })
    }

    /// The group that it reads a world's events as.
    pub(super) fn group(world: &World) -> String {
        format!("{}streams", world.prefix)
    }

    /// Starts it on a world's topics; its state lies in a folder of this name.
    ///
    /// # Errors
    /// When Java can't be started.
    pub(super) fn start(&self, ground: &Ground, world: &World, name: &str) -> anyhow::Result<Process> {
        let mut command = Command::new("java");
        command.arg(HEAP).arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn").arg("-cp");
        command.arg(format!("{}:{}/*", self.classes.display(), self.jars.display())).arg("playledger.Streams");
        command.arg(ground.bootstrap()).arg(Self::group(world));
        command.arg(&*world.topic(Topic::Events)).arg(&*world.topic(Topic::Sessions)).arg(self.folder.join(name));
        Process::start(command, name, &self.folder)
    }
}
