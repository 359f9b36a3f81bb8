//! The command `simulate`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use daemon::{Clock, Shutdown};

use super::run::{Options, run};
use super::tally::Tally;
use crate::output::{Usage, data, say};
use crate::target::Target;

/// Settings of `simulate`.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// How many players
    #[arg(long, value_name = "N", default_value_t = 25)]
    players: usize,
    /// Events a second [default: as many as the players make at their own pace]
    #[arg(long, value_name = "EV/S")]
    rate: Option<f64>,
    /// Makes the players' behaviour repeatable [default: drawn, and told]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How long, such as 90s or 5m [default: until Ctrl-C]
    #[arg(long = "for", value_name = "D", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Prints the counts as one JSON line
    #[arg(long)]
    json: bool,
}

/// Plays, then says what it did: status 0 when all that was sent is kept.
///
/// # Errors
/// A sentence, when there is no gateway to play at.
pub async fn command(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.players == 0 || arguments.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
        return Err(Usage("--players and --rate must be above 0".into()).into());
    }
    let gateway = arguments.target.open()?;
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let options = Options { players: arguments.players, seed, rate: arguments.rate, duration: arguments.duration };
    let (clock, shutdown) = (Clock::system(), Shutdown::on_signals()?);
    say(&format!("{} players, --seed {seed}; Ctrl-C ends", options.players));
    let tally = run(&gateway, options, &clock, &shutdown, |tally, seconds| say(&tally.words(seconds))).await?;
    report(&tally, clock.monotonic_ms() / 1_000, seed, arguments.json)?;
    Ok(if tally.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn report(tally: &Tally, seconds: i64, seed: u64, json: bool) -> anyhow::Result<()> {
    say(&tally.words(seconds));
    for trouble in &tally.troubles {
        say(&format!("  {trouble}"));
    }
    if json {
        let mut told = serde_json::to_value(tally)?;
        told["seed"] = seed.into();
        told["seconds"] = seconds.into();
        data(&told.to_string())?;
    }
    Ok(())
}
