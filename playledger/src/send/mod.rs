//! The command `send`: a file of events, one JSON object a line, through a gateway.
//!
//! Lines go in order, one request at a time, so that a session whose client does not count keeps
//! its order. Beside FILE stands how far it has been sent, written after each answer: an
//! interrupted run goes on there, and the one request that it may send again counts once. Of a pipe,
//! and where nothing can be written beside FILE, there is no such place.

mod batch;
mod counts;
mod lines;
mod progress;
mod sender;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use daemon::Shutdown;
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncSeekExt as _, BufReader};

use crate::output::say;
use crate::target::Target;
use batch::Event;
use lines::{Line, Lines};
use progress::Keeper;
use sender::Sender;

/// A pipe that is quiet for so long has what it holds sent.
const QUIET: Duration = Duration::from_millis(300);

/// Settings of `send`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The file of events; - reads standard input
    file: PathBuf,
    #[command(flatten)]
    target: Target,
    /// Events a request, at most
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,
    /// The game, where the key is good for several
    #[arg(long, value_name = "G")]
    game: Option<String>,
    /// Has everything judged and nothing kept
    #[arg(long)]
    dry_run: bool,
    /// Gives up when the gateway answers nothing for so long
    #[arg(long, value_name = "D", default_value = "5m", value_parser = humantime::parse_duration)]
    patience: Duration,
}

/// Sends, then says what became of it: status 0 only if all was accepted or a duplicate.
///
/// # Errors
/// A sentence: the file can't be read, the gateway does not answer, the key is refused.
pub async fn command(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let gateway = arguments.target.open()?;
    let url = gateway.url().to_owned();
    gateway.scopes().await?;
    let mut sender = Sender::new(gateway, &arguments, Shutdown::on_signals()?);
    if arguments.file == Path::new("-") {
        let lines = Lines::new(BufReader::new(tokio::io::stdin()), 0);
        pump(lines, &mut sender, &arguments, &mut Keeper::idle()).await?;
    } else {
        // A dry run keeps nothing, so that nothing of it is done.
        let mut keeper = if arguments.dry_run { Keeper::idle() } else { Keeper::of(&arguments.file, &url) };
        let lines = open(&arguments.file, &mut keeper, &mut sender).await?;
        pump(lines, &mut sender, &arguments, &mut keeper).await?;
        keeper.done();
    }
    say(&format!("{}{}", if arguments.dry_run { "dry run: " } else { "" }, sender.counts.words()));
    Ok(if sender.counts.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The lines of a file, from where an interrupted run left it.
async fn open(file: &Path, keeper: &mut Keeper, sender: &mut Sender) -> anyhow::Result<Lines<BufReader<File>>> {
    let start = keeper.resume()?;
    let place = file.display();
    // A named pipe opens when its writer comes, which may be never.
    let opened = tokio::select! {
        opened = File::open(file) => opened,
        cut = sender.cut_short(1, keeper.keeps()) => return Err(cut),
    };
    let mut open = opened.with_context(|| format!("{place}: can't open it"))?;
    let Some(start) = start else { return Ok(Lines::new(BufReader::new(open), 0)) };
    open.seek(std::io::SeekFrom::Start(start.bytes)).await.with_context(|| format!("{place}: can't go on there"))?;
    say(&format!("going on after line {} of {place}", start.lines));
    sender.counts = start.counts;
    let mut lines = Lines::new(BufReader::new(open), start.bytes);
    lines.number_from(start.lines);
    Ok(lines)
}

/// Sends all lines; after each answer writes down how far it came.
async fn pump<R: AsyncBufRead + Unpin>(
    mut lines: Lines<R>,
    sender: &mut Sender,
    arguments: &Arguments,
    keeper: &mut Keeper,
) -> anyhow::Result<()> {
    let mut waiting: Vec<Event> = Vec::new();
    let mut held = 0;
    loop {
        let line = waiting.first().map_or(lines.number() + 1, |event| event.line);
        let quiet = if waiting.is_empty() { Duration::MAX } else { QUIET };
        let next = tokio::select! {
            next = tokio::time::timeout(quiet, lines.next()) => next.ok(),
            cut = sender.cut_short(line, keeper.keeps()) => return Err(cut),
        };
        let mut ended = false;
        let mut flush = next.is_none();
        let mut carried = None;
        match next
            .transpose()
            .with_context(|| format!("{}: reading it", arguments.file.display()))?
            .map(|line| (lines.number(), line))
        {
            None => {}
            Some((_, None)) => ended = true,
            Some((number, Some(Line::TooLong))) => sender.unreadable(&batch::too_long(number))?,
            Some((number, Some(Line::Whole(bytes)))) => match batch::read(number, &bytes) {
                Ok(None) => {}
                Err(not) => sender.unreadable(&not)?,
                Ok(Some(event)) if batch::fits(held, &event) => {
                    held += event.json.len() + 1;
                    waiting.push(event);
                }
                Ok(Some(event)) => carried = Some(event),
            },
        }
        flush |= ended || carried.is_some() || waiting.len() >= usize::from(arguments.batch);
        if !flush {
            continue;
        }
        sender.send(std::mem::take(&mut waiting), keeper.keeps()).await?;
        if carried.is_none() {
            keeper.keep(lines.taken(), lines.number(), &sender.counts);
        }
        held = carried.as_ref().map_or(0, |event| event.json.len() + 1);
        waiting.extend(carried);
        if ended {
            return Ok(());
        }
    }
}
