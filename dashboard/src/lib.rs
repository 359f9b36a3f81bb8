//! The pages that people look at: server-rendered over the projector's views, all assets embedded.
//!
//! A request's way: `server → pages → fragment → store → view → templates`. What an open page shows
//! is one *fragment*; `stream` keeps it up to date. Nothing here writes: each page is read in one
//! read-only transaction.

mod assets;
mod config;
mod error;
mod fragment;
mod guard;
mod hosts;
mod metrics;
mod pages;
pub mod range;
mod server;
pub mod store;
mod stream;
pub mod view;

use std::time::Duration;

use daemon::Shell;

pub use config::Config;
pub use error::Failure;
pub use store::Store;

use fragment::Fragments;
use hosts::Hosts;

/// How often the database is asked whether it is there.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Serves the pages until the shell drains.
///
/// # Errors
/// When the address can't be listened on, or that of the database makes no sense.
pub async fn run(config: Config, shell: Shell) -> anyhow::Result<()> {
    metrics::describe();
    let store = Store::open(&config)?;
    let listener = server::listen(&config.listen).await?;
    shell.ready.listening("dashboard", listener.local_addr()?);
    let watch = tokio::spawn(watch_database(store.clone(), shell.clone()));
    let fragments = Fragments::new(store.clone(), shell.clock.clone(), config.settings()?);
    let routes = pages::routes(fragments, shell.clone(), Hosts::of(&config));
    server::serve(listener, routes, shell.shutdown.clone()).await;
    watch.abort();
    store.close().await;
    Ok(())
}

/// Says whether the database is there. Pages are served all the same: they tell the reader when it is not.
async fn watch_database(store: Store, shell: Shell) {
    let part = shell.health.component("database");
    let mut announced = false;
    let mut turn = tokio::time::interval(LOOK_EVERY);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        part.beat();
        match store.look().await {
            Ok(()) => part.ready(),
            Err(failure) => {
                part.not_ready(failure.to_string());
                continue;
            }
        }
        if !announced {
            announced = true;
            if let Err(error) = shell.ready.announce() {
                tracing::error!(%error, "can't write the ready file");
            }
        }
    }
}
