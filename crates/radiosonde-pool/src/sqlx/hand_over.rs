//! A stream whose items an asynchronous block hands over: it can borrow from what it holds, which a stream made by hand cannot.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use ::sqlx::Error;
use futures_core::future::BoxFuture;
use futures_core::stream::{BoxStream, Stream};

/// Where the block puts an item, and the stream finds it: they are polled in turn, so nobody ever waits for the lock.
pub(super) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    /// Hands an item over, and goes on when the next one is asked for.
    pub(super) async fn put(&self, item: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(item);
        let mut is_handed_over = false;
        poll_fn(|_| {
            // Nobody needs to be woken: the stream is ready with the item, and is polled when the next one is wanted.
            if std::mem::replace(&mut is_handed_over, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The stream of what the block hands over, and of the error with which it ends.
pub(super) fn hand_over<'e, T, F>(
    block: impl FnOnce(Slot<T>) -> F,
) -> BoxStream<'e, Result<T, Error>>
where
    T: Send + 'e,
    F: Future<Output = Result<(), Error>> + Send + 'e,
{
    let slot = Slot(Arc::new(Mutex::new(None)));
    let block = block(Slot(slot.0.clone()));
    Box::pin(HandOver { block: Some(Box::pin(block)), slot })
}

struct HandOver<'e, T> {
    /// There until it is done.
    block: Option<BoxFuture<'e, Result<(), Error>>>,
    slot: Slot<T>,
}

impl<T> Stream for HandOver<'_, T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(block) = &mut self.block else { return Poll::Ready(None) };
        match block.as_mut().poll(task) {
            Poll::Ready(outcome) => {
                self.block = None;
                Poll::Ready(outcome.err().map(Err))
            }
            Poll::Pending => match self.slot.take() {
                Some(item) => Poll::Ready(Some(Ok(item))),
                None => Poll::Pending,
            },
        }
    }
}
