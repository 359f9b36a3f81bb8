//! The limit on open files. A test of its own: the limit is the whole process's.

use daemon::files;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[test]
fn the_limit_on_open_files_becomes_what_the_system_allows() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(256), hard).unwrap();
    assert_eq!(files::limit(), Some(hard.min(256)));
    files::raise_limit();
    assert_eq!(files::limit(), Some(hard));
}
