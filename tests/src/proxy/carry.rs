//! One connection: requests and answers go on as the fault of the moment lets them.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::frames::{Frame, PRODUCE};
use super::{Fault, Shared};

/// The api of each request that has no answer yet, by its correlation id.
type Asked = Mutex<HashMap<i32, i16>>;

/// How a connection ended.
enum End {
    /// One of the two closed it.
    Closed,
    /// This proxy resets it.
    Torn,
}

/// Where an answer is on its way to the client.
enum Delivery {
    /// Arrives at that time.
    Whole(Instant, Frame),
    /// Arrives by half, and nothing after it.
    Half(Frame),
}

impl Fault {
    /// How much longer an answer takes.
    fn delay(self, api: Option<i16>) -> Duration {
        match self {
            Self::DelayAcknowledgements(delay) if api == Some(PRODUCE) => delay,
            Self::DelayAnswersTo(call, delay) if api == Some(call.api()) => delay,
            Self::DelayAnswers(delay) => delay,
            _ => Duration::ZERO,
        }
    }
}

/// Carries a connection to its end.
pub(super) async fn carry(mut client: TcpStream, mut broker: TcpStream, shared: &Shared) {
    let mut resets = shared.resets.subscribe();
    let end = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_broker, mut to_broker) = broker.split();
        let asked = Asked::default();
        let (deliver, mut delivered) = mpsc::unbounded_channel();
        tokio::select! {
            end = requests(&mut from_client, &mut to_broker, &asked, shared) => end,
            end = answers(&mut from_broker, &deliver, &asked, shared) => end,
            end = deliveries(&mut to_client, &mut delivered) => end,
            _ = resets.changed() => Ok(End::Torn),
        }
    };
    if matches!(end, Ok(End::Torn)) {
        shared.counts.torn.fetch_add(1, Ordering::Relaxed);
        // What can't be reset is closed.
        let _ = (client.set_zero_linger(), broker.set_zero_linger());
    }
}

async fn requests(
    client: &mut (impl AsyncRead + Unpin),
    broker: &mut (impl AsyncWrite + Unpin),
    asked: &Asked,
    shared: &Shared,
) -> io::Result<End> {
    while let Some(frame) = Frame::read(client).await? {
        if let Some((api, id)) = frame.request() {
            asked.lock().insert(id, api);
            if api == PRODUCE {
                shared.counts.produced.fetch_add(1, Ordering::Relaxed);
            }
            keep_back(api, shared).await;
        }
        broker.write_all(frame.bytes()).await?;
    }
    Ok(End::Closed)
}

/// Waits as long as a request of this api has to.
async fn keep_back(api: i16, shared: &Shared) {
    let mut fault = shared.fault.subscribe();
    let now = *fault.borrow_and_update();
    let (Fault::Hold(call) | Fault::Delay(call, _) | Fault::DelayAnswersTo(call, _)) = now else { return };
    if call.api() != api {
        return;
    }
    shared.counts.kept_back.fetch_add(1, Ordering::Relaxed);
    match now {
        Fault::Delay(_, delay) => sleep(delay).await,
        // Its sender is kept as long as this proxy is.
        Fault::Hold(_) => drop(fault.changed().await),
        _ => {}
    }
}

async fn answers(
    broker: &mut (impl AsyncRead + Unpin),
    deliver: &mpsc::UnboundedSender<Delivery>,
    asked: &Asked,
    shared: &Shared,
) -> io::Result<End> {
    while let Some(frame) = Frame::read(broker).await? {
        let api = frame.answers().and_then(|id| asked.lock().remove(&id));
        let acknowledges = api == Some(PRODUCE);
        let fault = *shared.fault.borrow();
        let delivery = match fault {
            Fault::SwallowAcknowledgements if acknowledges => {
                shared.counts.withheld.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            Fault::TearAcknowledgements if acknowledges => Delivery::Half(frame),
            _ => Delivery::Whole(Instant::now() + fault.delay(api), frame),
        };
        if deliver.send(delivery).is_err() {
            break;
        }
    }
    Ok(End::Closed)
}

/// In their order: an answer that takes long holds up those behind it, as on any connection.
async fn deliveries(
    client: &mut (impl AsyncWrite + Unpin),
    delivered: &mut mpsc::UnboundedReceiver<Delivery>,
) -> io::Result<End> {
    while let Some(delivery) = delivered.recv().await {
        match delivery {
            Delivery::Whole(at, frame) => {
                sleep_until(at).await;
                client.write_all(frame.bytes()).await?;
            }
            Delivery::Half(frame) => {
                client.write_all(&frame.bytes()[..frame.bytes().len() / 2]).await?;
                return Ok(End::Torn);
            }
        }
    }
    Ok(End::Closed)
}
