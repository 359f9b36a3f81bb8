//! What a process or thread has used, by Linux's own account.

use std::time::Duration;

use anyhow::Context as _;
use nix::time::{ClockId, clock_gettime};

/// Linux tells processor time in these, on every machine that it runs on.
const TICKS_A_SECOND: u64 = 100;

/// Processor time of a process so far, its threads included, user and system together.
///
/// # Errors
/// When there is no such process.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    Ok(Stat::of(pid)?.own)
}

/// Processor time of a process and of all its children, those that have ended included.
///
/// # Errors
/// When there is no such process.
pub fn cpu_of_family(pid: u32) -> anyhow::Result<Duration> {
    let parent = Stat::of(pid)?;
    let mut sum = parent.own + parent.ended_children;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(other) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end between the listing and the look.
        if let Ok(stat) = Stat::of(other)
            && stat.parent == pid
        {
            sum += stat.own;
        }
    }
    Ok(sum)
}

/// The most memory that a process has held at once, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmHWM")
}

/// The memory that a process holds now, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn memory(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmRSS")
}

/// A number of bytes out of what Linux tells of a process.
fn status(pid: u32, name: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let line = line.with_context(|| format!("{path}: no {name}"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}

/// Processor time of the calling thread so far.
///
/// # Errors
/// When the system does not tell.
pub fn cpu_of_thread() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

struct Stat {
    parent: u32,
    own: Duration,
    ended_children: Duration,
}

impl Stat {
    fn of(pid: u32) -> anyhow::Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        // The name before the last bracket may hold anything.
        let (_, rest) = text.rsplit_once(')').with_context(|| path.clone())?;
        let fields: Vec<u64> = rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        // From the state on: parent is the second, then user and system time, own and of ended children.
        let field = |place: usize| fields.get(place).copied().with_context(|| path.clone());
        let ticks = |count: u64| Duration::from_millis(count * (1_000 / TICKS_A_SECOND));
        Ok(Self {
            parent: u32::try_from(field(1)?)?,
            own: ticks(field(11)? + field(12)?),
            ended_children: ticks(field(13)? + field(14)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn work_is_seen_by_thread_process_and_memory() {
        let pid = std::process::id();
        let (process, thread) = (cpu(pid).unwrap(), cpu_of_thread().unwrap());
        let began = Instant::now();
        let (mut bytes, mut round) = (vec![0_u8; 8 << 20], 0_u8);
        while cpu_of_thread().unwrap() < thread + Duration::from_millis(60) {
            round = round.wrapping_add(1);
            std::hint::black_box(&mut bytes).fill(round);
        }
        let used = cpu(pid).unwrap().saturating_sub(process);
        assert!(used >= Duration::from_millis(40), "{used:?} within {:?}", began.elapsed());
        assert!(cpu_of_family(pid).unwrap() >= used);
        assert!(peak_memory(pid).unwrap() >= 8 << 20);
    }
}
