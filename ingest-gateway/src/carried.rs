//! Work that goes on though nobody waits for it any more.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// A future that ends in any case: dropped before its end it goes on in a task of its own, as part of some work that
/// is waited for. As long as somebody waits for it, it needs no task, nor the wake-up from one to the other.
pub(crate) struct Carried<F>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    /// What is left of it; nothing once it has ended or panicked.
    rest: Option<Pin<Box<F>>>,
    work: TaskTracker,
}

impl<F> Carried<F>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    /// Begins with its first poll: whoever drops it before lets it go on, too.
    pub(crate) fn new(future: F, work: &TaskTracker) -> Self {
        Self { rest: Some(Box::pin(future)), work: work.clone() }
    }
}

impl<F> Future for Carried<F>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        // Taken out meanwhile: what panics is not to go on.
        let Some(mut rest) = this.rest.take() else { return Poll::Pending };
        let polled = rest.as_mut().poll(context);
        if polled.is_pending() {
            this.rest = Some(rest);
        }
        polled
    }
}

impl<F> Drop for Carried<F>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn drop(&mut self) {
        // Without a runtime nothing goes on at all.
        if let Some(rest) = self.rest.take()
            && let Ok(runtime) = Handle::try_current()
        {
            self.work.spawn_on(rest, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_is_waited_for_needs_no_task() {
        let work = TaskTracker::new();
        let (tell, told) = oneshot::channel();
        let mut carried = Carried::new(told, &work);
        assert!((&mut carried).now_or_never().is_none());
        tell.send(7).unwrap();
        assert_eq!(carried.await, Ok(7));
        assert!(work.is_empty());
    }

    #[tokio::test]
    async fn what_is_dropped_goes_on_from_where_it_was_and_is_waited_for() {
        for begun in [false, true] {
            let work = TaskTracker::new();
            let (tell, told) = oneshot::channel();
            let ended = Arc::<AtomicBool>::default();
            let ends = Arc::clone(&ended);
            let mut carried = Carried::new(async move { ends.store(told.await == Ok(7), Ordering::SeqCst) }, &work);
            if begun {
                assert!((&mut carried).now_or_never().is_none());
            }
            drop(carried);
            work.close();
            assert_eq!(work.len(), 1);
            tell.send(7).unwrap();
            work.wait().await;
            assert!(ended.load(Ordering::SeqCst));
        }
    }

    #[tokio::test]
    async fn what_panics_does_not_go_on() {
        let work = TaskTracker::new();
        let carried = Carried::new(async { panic!("as it must") }, &work);
        AssertUnwindSafe(carried).catch_unwind().await.unwrap_err();
        assert!(work.is_empty());
    }
}
