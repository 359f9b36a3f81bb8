//! The gateway against its own description: thousands of requests, sound and unsound, that Schemathesis makes of
//! /openapi.json alone.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use playledger_tests::world::Local;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_is_what_its_description_says() -> anyhow::Result<()> {
    let world = Local::start(&[])?;
    let document: Value = reqwest::get(format!("{}/openapi.json", world.line.gateway)).await?.json().await?;
    let calls = document["paths"].as_object().context("no paths")?.len();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi");
    let program = folder.join(".venv/bin/schemathesis");
    // What it keeps between runs goes with the folder.
    let scratch = tempfile::tempdir()?;
    let output = Command::new(&program)
        .current_dir(scratch.path())
        .env("SCHEMATHESIS_HOOKS", folder.join("hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .args(["run", &format!("{}/openapi.json", world.line.gateway)])
        .args(["--header", &format!("Authorization: Bearer {}", world.line.api_key)])
        // By itself it would leave the document's own call out.
        .args(["--include-path-regex", "."])
        .output()
        .with_context(|| format!("{}: can't run it; scripts/test installs it", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    ensure!(said.contains(&format!("{calls} selected / {calls} total")), "a call was left out of {calls}\n{said}");
    println!("{said}");
    Ok(())
}
