//! What a world would leave behind: its processes and its folders. Both are known by the world's own
//! folder, whose name no other world has.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use playledger::postgres;
use tempfile::TempDir;

/// How long what was told to end may take to; generous, because machines are shared.
const PATIENCE: Duration = Duration::from_secs(30);

/// A living process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Living {
    /// Its number.
    pub pid: i32,
    /// Its command line.
    pub command: String,
}

/// The living processes that name a folder in their command line or work within it.
pub fn living(folder: &Path) -> Vec<Living> {
    let named = folder.to_string_lossy();
    let mut all = if Path::new("/proc/self/cmdline").exists() { from_proc(folder) } else { from_ps() };
    all.retain(|(process, within)| *within || process.command.contains(&*named));
    all.into_iter().map(|(process, _)| process).collect()
}

/// Every process, and whether it works within the folder. One that ends meanwhile is left out, and
/// so is one that has ended and was not waited for: it has no command line.
fn from_proc(folder: &Path) -> Vec<(Living, bool)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| Some((entry.path(), entry.file_name().to_str()?.parse().ok()?)));
    numbers
        .filter_map(|(path, pid)| {
            let words = std::fs::read(path.join("cmdline")).ok().filter(|words| !words.is_empty())?;
            let command = String::from_utf8_lossy(&words).replace('\0', " ").trim().to_owned();
            let within = std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
            Some((Living { pid, command }, within))
        })
        .collect()
}

/// Every process, where there is no /proc.
fn from_ps() -> Vec<(Living, bool)> {
    let said = std::process::Command::new("ps").args(["-axo", "pid=,command="]).output();
    let text = said.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    let process = |line: &str| {
        let (pid, command) = line.trim().split_once(' ')?;
        Some((Living { pid: pid.parse().ok()?, command: command.trim().to_owned() }, false))
    };
    text.lines().filter_map(process).collect()
}

/// Takes a world's folder away, once its processes have been told to end, and checks that nothing of
/// it is left. To be called when the world is dropped; `data` is the folder that its Postgres belongs to.
///
/// # Panics
/// When something is left, unless the test is failing for a reason of its own.
pub fn leave_nothing(folder: TempDir, data: &Path) {
    let mut places = vec![folder.path().to_path_buf()];
    // Where the account of a root's Postgres can't enter the folder.
    places.extend(postgres::home_of(data).ok().flatten().filter(|home| !home.starts_with(folder.path())));
    let left = end_of(&places);
    for straggler in &left {
        // It may end at this very moment.
        let _ = kill(Pid::from_raw(straggler.pid), Signal::SIGKILL);
    }
    let removed = folder.close();
    for place in &places[1..] {
        let _ = std::fs::remove_dir_all(place);
    }
    if std::thread::panicking() {
        return;
    }
    assert!(left.is_empty(), "the world's processes outlive it: {left:?}");
    let there: Vec<_> = places.iter().filter(|place| place.exists()).collect();
    assert!(there.is_empty(), "the world's folders outlive it: {there:?} ({removed:?})");
}

/// Waits for the end of all processes of these folders; those that do not end in time.
fn end_of(places: &[PathBuf]) -> Vec<Living> {
    let began = Instant::now();
    loop {
        let left: Vec<_> = places.iter().flat_map(|place| living(place)).collect();
        if left.is_empty() || began.elapsed() > PATIENCE {
            return left;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
