//! The limit on open files: a connection is one, and systems begin with a limit far below what they allow.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What macOS calls OPEN_MAX.
const MACOS_MAX: u64 = 10_240;

/// Raises the limit to what the system allows this process. Where that is refused, the limit stays,
/// and whoever opens many files asks [`limit`].
pub fn raise_limit() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft >= hard {
        return;
    }
    // macOS names no bound and takes no more than its own.
    let mut wanted = [hard, hard.min(MACOS_MAX)].into_iter().filter(|wanted| *wanted > soft);
    if wanted.any(|wanted| setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok()) {
        tracing::debug!(from = soft, to = limit(), "limit on open files raised");
    } else {
        tracing::warn!(limit = soft, "the limit on open files can't be raised");
    }
}

/// So many files this process may have open at once; none where the system does not tell.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft)
}
