//! The pages in a real browser, on a running local mode with simulated players: the dashboard's, the gateway's own, and
//! pages of other origins that send events.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use playledger_tests::process::Process;
use playledger_tests::world::Local;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A page of a game, on a server that is not the gateway.
const GAME: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 42\r\nconnection: close\r\n\r\n\
                    <!doctype html><title>A game</title><p>Hi!";

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_work_in_a_browser_while_players_play() -> anyhow::Result<()> {
    let game = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", game.local_addr()?);
    let _game = AbortOnDrop(tokio::spawn(serve(game)));
    let settings = ["--simulate", "10", "--session-timeout", "20s", "--grace", "5s", "--cors-origin", &origin];
    let world = Local::start(&settings)?;
    let publishable = publishable_key(&world).await?;
    world.tables().await?.wait_for("SELECT least(count(*), 1) FROM play.sessions", 1).await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/run.mjs");
    let output = Command::new("node")
        .arg(script)
        .args(["--base", &world.line.dashboard])
        .args(["--gateway", &world.line.gateway, "--key", &world.line.api_key])
        .args(["--publishable", &publishable, "--origin", &origin])
        .output()
        .context("node: can't run it; Node.js 20 or newer runs the browser's checks (apt-get install nodejs npm)")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    ensure!(!said.contains("SKIPPED"), "{said}");
    println!("{said}");
    Ok(())
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers whatever is asked with the game's page.
async fn serve(listener: TcpListener) {
    while let Ok((mut socket, _)) = listener.accept().await {
        tokio::spawn(async move {
            // A browser's request fits; whoever has gone needs no answer.
            let _ = socket.read(&mut [0; 8_192]).await;
            let _ = socket.write_all(GAME.as_bytes()).await;
        });
    }
}

/// A key that may stand in a page, once the gateway knows it.
async fn publishable_key(world: &Local) -> anyhow::Result<String> {
    let credentials = world.data().join("credentials.toml").display().to_string();
    let line =
        ["keys", "create", "--credentials", &credentials, "--tenant", "local", "--game", "demo", "--publishable"];
    let arguments: Vec<String> = line.iter().map(ToString::to_string).collect();
    // What it says goes where local mode's own lines are not.
    let scratch = tempfile::tempdir()?;
    let key = Process::start("playledger", "keys", &arguments, scratch.path())?.output()?.trim().to_owned();
    for _ in 0..300 {
        let told =
            reqwest::Client::new().get(format!("{}/v1/whoami", world.line.gateway)).bearer_auth(&key).send().await?;
        if told.status() == 200 {
            return Ok(key);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the gateway never learnt of a new key")
}
