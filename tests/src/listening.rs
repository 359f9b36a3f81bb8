//! A port of 127.0.0.1 whose connections a thread of its own serves.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A port whose connections are served. Dropped, it ends with all of them.
#[derive(Debug)]
pub(crate) struct Listening {
    address: SocketAddr,
    /// Dropped, it ends the thread.
    stop: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    /// Serves each connection by what `serve` makes of it, on a thread of that name.
    pub(crate) fn start<F>(name: &str, serve: impl Fn(TcpStream) -> F + Send + 'static) -> anyhow::Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        // A runtime of its own: it serves processes, whatever the test's own runtime waits for.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || runtime.block_on(accept(listener, serve, stopped)))?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A crash there has been told by its own words.
            let _ = thread.join();
        }
    }
}

async fn accept<F>(listener: std::net::TcpListener, serve: impl Fn(TcpStream) -> F, mut stopped: watch::Receiver<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return eprintln!("the proxy can't listen: {error}"),
    };
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => drop(tokio::spawn(serve(client))),
                Err(error) => eprintln!("the proxy can't accept: {error}"),
            },
        }
    }
}
