//! A broker behind a proxy, and the one that tests share which do it no harm.

use std::sync::OnceLock;

use tokio::sync::{Mutex, MutexGuard};

use crate::kafka::KafkaBroker;
use crate::proxy::{Fault, Proxy};

/// A broker, and a proxy which clients may reach it through.
#[derive(Debug)]
struct Behind {
    broker: KafkaBroker,
    proxy: Proxy,
}

/// The proxy before the shared broker, for one test at a time. Dropped, it lets everything through again.
#[derive(Debug)]
pub struct Turn {
    proxy: &'static Proxy,
    _turn: MutexGuard<'static, ()>,
}

impl std::ops::Deref for Turn {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        self.proxy
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.proxy.set(Fault::None);
    }
}

/// A broker for tests that only want one to talk to: the one named by `PLAYLEDGER_TEST_KAFKA`, else [`shared`].
///
/// # Panics
/// When it cannot be started.
pub fn any() -> KafkaBroker {
    KafkaBroker::named().unwrap_or_else(shared)
}

/// The broker that the tests of this process share, as it is reached past the proxy. It goes with the process.
///
/// # Panics
/// When it cannot be started.
pub fn shared() -> KafkaBroker {
    KafkaBroker::at(both().broker.bootstrap().to_owned())
}

/// The proxy before the shared broker, once no other test has it.
///
/// # Panics
/// When the broker cannot be started.
pub async fn proxy() -> Turn {
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    Turn { proxy: &both().proxy, _turn: turn }
}

fn both() -> &'static Behind {
    static SHARED: OnceLock<Behind> = OnceLock::new();
    SHARED.get_or_init(|| start().unwrap_or_else(|error| panic!("no broker behind a proxy: {error:#}")))
}

fn start() -> anyhow::Result<Behind> {
    let proxy = Proxy::listen()?;
    // Members that are stopped or killed count as gone as soon as their own settings say.
    let soon = "group.min.session.timeout.ms=1000";
    let broker = KafkaBroker::start_with(&["--proxy", &proxy.port().to_string(), "--set", soon]);
    let behind = std::fs::read_to_string(broker.folder().join("broker-1/behind"))?;
    proxy.forward(&format!("127.0.0.1:{}", behind.trim()))?;
    Ok(Behind { broker, proxy })
}

impl KafkaBroker {
    /// Whether broker `number` of a cluster of this test's own runs.
    pub fn runs(&self, number: usize) -> bool {
        let file = self.folder().join(format!("broker-{number}/pid"));
        let pid = std::fs::read_to_string(file).unwrap_or_default();
        let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        // One that has ended and that nobody has waited for is none.
        !state.is_empty() && !state.contains(") Z ")
    }

    /// What broker `number` of a cluster of this test's own has logged since its last start.
    pub fn log(&self, number: usize) -> String {
        std::fs::read_to_string(self.folder().join(format!("broker-{number}/log/server.log"))).unwrap_or_default()
    }
}
