//! A request's way through the phases: queue, connect, send, and the first part of receive.

use std::sync::Arc;

use hyper::body::{Body as _, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use radiosonde::span;
use tokio::time;

use crate::client::Shared;
use crate::connection::{Connection, Failure, Patience};
use crate::error::{Error, ErrorKind};
use crate::events;
use crate::phase::Phase;
use crate::pool::{CheckedOut, Lease, Permit, Pool};
use crate::wire::{AnyBody, Progress};

/// The head of a response, and what it takes to read its body.
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    pub(crate) lease: Lease,
    pub(crate) receive: Phase<'static>,
    pub(crate) patience: Patience,
}

/// What the events of one request have in common.
pub(crate) struct Call<'a> {
    pub(crate) client: &'a Shared,
    pub(crate) pool: Arc<Pool>,
    pub(crate) method: &'static str,
    /// How often it was sent again.
    pub(crate) retries: u64,
}

impl Call<'_> {
    /// `phase` is that of the whole request.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<AnyBody>,
        phase: &mut Phase<'static>,
    ) -> Result<Answer, Error> {
        let CheckedOut { permit, idle } = self.queue().await?;
        let (head, body) = request.into_parts();
        let Some((connection, _)) = idle else {
            let lease = self.connect(permit).await?;
            return self
                .send(lease, Request::from_parts(head, Some(body)))
                .await
                .map_err(|lost| lost.error);
        };
        // The server may close an idle connection at any time, and be it this moment.
        let again = is_repeatable(&head, &body).then(|| head.clone());
        let request = Request::from_parts(head, Some(body));
        let lost = match self.send(permit.lease(connection), request).await {
            Ok(answer) => return Ok(answer),
            Err(lost) => lost,
        };
        let request = match (lost.unsent, again) {
            (Some(request), _) => request.map(Some),
            (None, Some(head)) if lost.error.kind() == ErrorKind::Closed && !lost.is_answered => {
                Request::from_parts(head, None)
            }
            _ => return Err(lost.error),
        };
        self.retries += 1;
        phase.measurement("retries", self.retries);
        let lease = self.connect(lost.permit).await?;
        self.send(lease, request).await.map_err(|lost| lost.error)
    }

    async fn queue(&self) -> Result<CheckedOut, Error> {
        let origin = &self.pool.origin;
        let mut phase = Phase::new(span!(events::QUEUE, {
            name: self.client.name, method: self.method,
            scheme: origin.scheme, host: origin.host, port: origin.port,
        }));
        let Some(checked_out) = self.pool.check_out(self.client.queue_timeout).await else {
            let error = Error::new(ErrorKind::QueueTimeout, origin);
            phase.fail(error.kind(), &error);
            return Err(error);
        };
        let idle_time = checked_out.idle.as_ref().map(|(_, idle_time)| *idle_time);
        phase.metadata("reused", idle_time.is_some());
        phase.measurement("idle_time", idle_time.unwrap_or_default());
        phase.stop();
        Ok(checked_out)
    }

    async fn connect(&self, permit: Permit) -> Result<Lease, Error> {
        let origin = &self.pool.origin;
        let phase = Phase::new(span!(events::CONNECT, {
            name: self.client.name,
            scheme: origin.scheme, host: origin.host, port: origin.port, attempt: self.attempt(),
        }));
        let opening = async {
            let failed = |error| Error::new(ErrorKind::Connect, origin).caused_by(error);
            let stream = self.client.connector.connect(origin.uri()?).await.map_err(failed)?;
            Connection::new(stream).await.map_err(|error| failed(error.into()))
        };
        let opening = time::timeout(self.client.connect_timeout, opening);
        let opened = match phase.context() {
            Some(context) => context.instrument(opening).await,
            None => opening.await,
        };
        match opened.unwrap_or_else(|_| Err(Error::new(ErrorKind::ConnectTimeout, origin))) {
            Ok(connection) => {
                phase.stop();
                Ok(permit.lease(connection))
            }
            Err(error) => {
                phase.fail(error.kind(), &error);
                Err(error)
            }
        }
    }

    async fn send(
        &self,
        mut lease: Lease,
        request: Request<Option<AnyBody>>,
    ) -> Result<Answer, Lost> {
        let mut patience = Patience::new(self.client.response_timeout);
        let progress = lease.connection.progress().clone();
        let mut phases =
            Phases { call: self, progress, send: Some(self.start_send()), receive: None };
        let outcome = lease.connection.send(request, &mut patience, || phases.sent()).await;
        let (error, unsent) = match outcome {
            Ok(response) => {
                patience.renew();
                // If the response came before the request was sent to its end, its phase begins now.
                phases.sent();
                let mut receive = phases.receive.take().unwrap_or_else(|| self.start_receive());
                receive.status(response.status());
                return Ok(Answer { response, lease, receive, patience });
            }
            Err(Failure::Timeout) => (self.error(ErrorKind::Timeout), None),
            Err(Failure::Connection(error, unsent)) => {
                let phase =
                    if phases.send.is_some() { ErrorKind::Send } else { ErrorKind::Receive };
                let kind = ErrorKind::of_exchange(&error, phase);
                (self.error(kind).caused_by(error), unsent)
            }
        };
        phases.fail(&error);
        let is_answered = lease.connection.progress().is_answered();
        Err(Lost { error, unsent, is_answered, permit: lease.close() })
    }

    fn start_send(&self) -> Phase<'_> {
        let origin = &self.pool.origin;
        Phase::new(span!(events::SEND, {
            name: self.client.name, method: self.method,
            scheme: origin.scheme, host: origin.host, port: origin.port, attempt: self.attempt(),
        }))
    }

    /// It goes on in the response's body, and so owns what it says.
    fn start_receive(&self) -> Phase<'static> {
        let origin = &self.pool.origin;
        Phase::new(
            span!(events::RECEIVE, {
                name: self.client.name, method: self.method,
                scheme: origin.scheme, host: origin.host, port: origin.port, attempt: self.attempt(),
            })
            .into_owned(),
        )
    }

    fn attempt(&self) -> u64 {
        self.retries + 1
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, &self.pool.origin)
    }
}

/// What is left of an attempt without a response.
struct Lost {
    error: Error,
    /// The request, if nothing of it was sent.
    unsent: Option<Box<Request<AnyBody>>>,
    /// Whether the server has said anything.
    is_answered: bool,
    permit: Permit,
}

/// The two phases of an attempt, of which one runs at a time.
struct Phases<'a> {
    call: &'a Call<'a>,
    progress: Arc<Progress>,
    send: Option<Phase<'a>>,
    receive: Option<Phase<'static>>,
}

impl Phases<'_> {
    /// Nothing more will be sent, at least not before the response.
    fn sent(&mut self) {
        if self.send.is_none() {
            return;
        }
        self.record();
        if let Some(send) = self.send.take() {
            send.stop();
            self.receive = Some(self.call.start_receive());
        }
    }

    fn fail(mut self, error: &Error) {
        self.record();
        for phase in [self.send.take(), self.receive.take()].into_iter().flatten() {
            phase.fail(error.kind(), error);
        }
    }

    /// How far the phase has come that runs.
    fn record(&mut self) {
        if let Some(send) = &mut self.send {
            send.metadata("complete", self.progress.is_sent());
            send.measurement("size", self.progress.body_size());
        } else if let Some(receive) = &mut self.receive {
            receive.measurement("size", 0);
        }
    }
}

impl Drop for Phases<'_> {
    /// The phase that still runs is given up.
    fn drop(&mut self) {
        self.record();
    }
}

/// Whether a request may be sent twice: that changes nothing on the server, and there is no body that would be gone by then.
fn is_repeatable(head: &Parts, body: &AnyBody) -> bool {
    head.method.is_idempotent() && body.is_end_stream()
}
