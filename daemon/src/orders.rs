//! Orders: what an operator may tell a running daemon to do, over its ops port.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// Orders that may wait to be taken.
const WAITING: usize = 8;
/// An order that is not answered within this time is refused: it may yet be carried out.
const PATIENCE: Duration = Duration::from_secs(10);

/// The orders that the parts of a process take. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    taken: Arc<Mutex<BTreeMap<&'static str, mpsc::Sender<Order>>>>,
}

/// Where the orders of one name arrive.
#[derive(Debug)]
pub struct Inbox(mpsc::Receiver<Order>);

/// One order.
#[derive(Debug)]
pub struct Order(oneshot::Sender<String>);

/// Why an order came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody takes orders of that name.
    #[error("there is no such order")]
    Unknown,
    /// Whoever takes them did not answer.
    #[error("no answer within {} s: look whether it was done, and try again", PATIENCE.as_secs())]
    Unanswered,
}

impl Orders {
    /// Takes the orders of that name from now on, in the place of whoever took them before.
    pub fn take(&self, name: &'static str) -> Inbox {
        let (sender, receiver) = mpsc::channel(WAITING);
        // A panic while the lock was held left a plain map behind: still sound.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(name, sender);
        Inbox(receiver)
    }

    /// Gives an order; answers with what became of it.
    ///
    /// # Errors
    /// When nobody takes it, or whoever does is busy for too long.
    pub async fn give(&self, name: &str) -> Result<String, Refused> {
        let sender = self.taken.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let sender = sender.ok_or(Refused::Unknown)?;
        let (answer, answered) = oneshot::channel();
        sender.try_send(Order(answer)).map_err(|_| Refused::Unanswered)?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(Refused::Unanswered),
        }
    }
}

impl Inbox {
    /// The next order; none ever again where somebody else has taken the name.
    pub async fn next(&mut self) -> Option<Order> {
        self.0.recv().await
    }
}

impl Order {
    /// Says what became of it, in a line.
    pub fn answer(self, line: String) {
        // Nobody listens any more where it took too long.
        let _ = self.0.send(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_order_is_answered_by_whoever_takes_it() {
        let orders = Orders::default();
        assert_eq!(orders.give("resume").await, Err(Refused::Unknown));
        let mut inbox = orders.take("resume");
        let taker = tokio::spawn(async move {
            inbox.next().await.unwrap().answer("done".into());
            // The next is taken and dropped.
            drop(inbox.next().await.unwrap());
        });
        assert_eq!(orders.give("resume").await, Ok("done".into()));
        assert_eq!(orders.give("resume").await, Err(Refused::Unanswered));
        taker.await.unwrap();
        assert_eq!(orders.give("resume").await, Err(Refused::Unanswered), "it has gone");
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_that_nobody_carries_out_is_refused_in_time() {
        let orders = Orders::default();
        let _inbox = orders.take("resume");
        assert_eq!(orders.give("resume").await, Err(Refused::Unanswered));
    }
}
