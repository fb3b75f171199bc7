//! One connection: hyper's sender and driver side by side, so that whoever uses it drives it, and no task is spawned for it.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::{self, Sleep};

use crate::connector::Stream;
use crate::wire::{AnyBody, Outgoing, Progress, Watched};

pub(crate) struct Connection {
    sender: http1::SendRequest<Outgoing>,
    driver: Driver,
    progress: Arc<Progress>,
}

/// What reads and writes. It is dropped when it has ended, well or not, because only then it lets go of what it will not do.
struct Driver(Option<http1::Connection<TokioIo<Watched>, Outgoing>>);

impl Driver {
    /// Reads and writes what can be. What comes of it is told by the response, or its body.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && Pin::new(connection).poll(cx).is_ready()
        {
            self.0 = None;
        }
    }
}

/// Why an exchange has no response.
pub(crate) enum Failure {
    /// The connection, with the request if it was not sent at all.
    Connection(hyper::Error, Option<Box<Request<AnyBody>>>),
    /// The server kept still for too long.
    Timeout,
}

impl Connection {
    pub(crate) async fn new(stream: Box<dyn Stream>) -> hyper::Result<Self> {
        let progress = Arc::new(Progress::default());
        let watched = Watched { stream, progress: progress.clone() };
        let (sender, driver) = http1::handshake(TokioIo::new(watched)).await?;
        Ok(Self { sender, driver: Driver(Some(driver)), progress })
    }

    pub(crate) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Whether another request can be sent: the one before is done with, and the server has not closed the connection.
    ///
    /// To find that out the connection is driven a bit, and whoever did so before is no longer woken by it.
    pub(crate) fn is_ready(&mut self) -> bool {
        self.driver.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.0.is_some() && self.sender.is_ready()
    }

    /// Reads and writes what can be, for the body of the response.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        self.driver.drive(cx);
    }

    /// Sends a request and waits for the head of its response. `sent` is called when it was written to its end.
    pub(crate) async fn send(
        &mut self,
        request: Request<Option<AnyBody>>,
        patience: &mut Patience,
        mut sent: impl FnMut(),
    ) -> Result<Response<Incoming>, Failure> {
        self.progress.reset();
        let request = request.map(|body| Outgoing::new(body, self.progress.clone()));
        let mut response = pin!(self.sender.try_send_request(request));
        let answer = std::future::poll_fn(|cx| {
            let mut answer = response.as_mut().poll(cx);
            if answer.is_pending() {
                self.driver.drive(cx);
                if self.progress.is_sent() {
                    sent();
                }
                answer = response.as_mut().poll(cx);
            }
            match answer {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending if patience.is_over(&self.progress, cx) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        match answer.await {
            Some(Ok(response)) => Ok(response),
            Some(Err(mut error)) => {
                let unsent = error.take_message().and_then(|request| {
                    let (head, mut body) = request.into_parts();
                    Some(Box::new(Request::from_parts(head, body.take()?)))
                });
                Err(Failure::Connection(error.into_error(), unsent))
            }
            None => Err(Failure::Timeout),
        }
    }
}

/// How long a server may keep still. It is waited for only while nothing but the server can let the exchange go on.
pub(crate) struct Patience {
    timeout: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
    /// The head of the response is there, and what comes next is up to the server, whatever it was sent.
    is_answered: bool,
    /// [`Progress::moved`] when the wait began.
    moved: u64,
}

impl Patience {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, sleep: None, is_waiting: false, is_answered: false, moved: 0 }
    }

    /// A part of the response is there. The next wait is a new one.
    pub(crate) fn renew(&mut self) {
        (self.is_waiting, self.is_answered) = (false, true);
    }

    /// Whether the server kept still for too long; if not, the task is woken when it has.
    pub(crate) fn is_over(&mut self, progress: &Progress, cx: &mut Context<'_>) -> bool {
        if !self.is_answered && !progress.is_up_to_server() {
            self.is_waiting = false;
            return false;
        }
        if !self.is_waiting || self.moved != progress.moved() {
            (self.is_waiting, self.moved) = (true, progress.moved());
            let sleep = time::sleep(self.timeout);
            match &mut self.sleep {
                Some(old) => old.as_mut().set(sleep),
                None => self.sleep = Some(Box::pin(sleep)),
            }
        }
        self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready())
    }
}
