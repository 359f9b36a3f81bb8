//! Seconds from `playledger up` to its first row.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use sqlx::PgPool;

use crate::daemons::PLAYLEDGER;
use crate::process::{Process, program};

/// A first row that takes longer does not come.
const PATIENCE: Duration = Duration::from_mins(2);

/// How local mode started.
#[derive(Clone, Copy, Debug)]
pub struct Up {
    /// From its start on a new folder until everything was ready.
    pub ready: Duration,
    /// Until the first session had a row.
    pub first_row: Duration,
    /// The most memory that its process held at once, in bytes; Postgres's own is not in it.
    pub peak_memory: u64,
}

#[derive(Deserialize)]
struct ReadyLine {
    database_url: String,
}

/// Starts local mode on a new folder with so many simulated players.
///
/// # Errors
/// When it does not start or no row comes.
pub async fn measure(folder: &Path, players: usize) -> anyhow::Result<Up> {
    std::fs::create_dir_all(folder)?;
    let mut command = program(PLAYLEDGER)?;
    command.args(["up", "--json", "--listen", "127.0.0.1:0", "--dashboard", "127.0.0.1:0", "--ops", "127.0.0.1:0"]);
    command.args(["--simulate", &players.to_string()]).arg("--data").arg(folder.join("data"));
    // Neither the developer's own database nor their own folder.
    command.env_remove("DATABASE_URL").env_remove("PLAYLEDGER_DATA");
    let began = Instant::now();
    let mut process = Process::start(command, "up", folder)?;
    let line = process.first_line().await?;
    let ready = began.elapsed();
    let told: ReadyLine = serde_json::from_str(&line).with_context(|| line.clone())?;
    let pool = PgPool::connect(&told.database_url).await?;
    loop {
        let there = sqlx::query_scalar("SELECT EXISTS (SELECT FROM play.sessions)").fetch_one(&pool).await?;
        if there {
            break;
        }
        process.lives()?;
        ensure!(began.elapsed() < PATIENCE, "local mode has no row after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let first_row = began.elapsed();
    pool.close().await;
    let peak_memory = process.peak_memory()?;
    process.stop().await?;
    Ok(Up { ready, first_row, peak_memory })
}
