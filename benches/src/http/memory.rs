//! Requests without a socket: the router is called, and its answer read, as a server would. What
//! the kernel and the server cost is not in it, and so instructions can be counted.

use std::fmt;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body::Body as _;
use tower::ServiceExt;

use super::service::{Service, Subject};
use crate::run::Run;

/// The bytes of what is echoed.
pub(crate) const ECHOED: [u8; 1_024] = [b'x'; 1_024];

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    User,
    Echo,
}

impl Work {
    pub(crate) const ALL: [Self; 2] = [Self::User, Self::Echo];

    /// The work that is called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.to_string() == name)
    }

    fn request(self) -> Request<Body> {
        let mut request = match self {
            Self::User => Request::new(Body::empty()),
            Self::Echo => Request::new(Body::from(Bytes::from_static(&ECHOED))),
        };
        if self == Self::Echo {
            *request.method_mut() = axum::http::Method::POST;
        }
        *request.uri_mut() = axum::http::Uri::from_static(match self {
            Self::User => "/users/17",
            Self::Echo => "/echo",
        });
        request
    }

    /// How many bytes the answer's body has.
    fn answer(self) -> usize {
        match self {
            Self::User => "user 17 is Ada".len(),
            Self::Echo => ECHOED.len(),
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::User => "GET, a small text",
            Self::Echo => "POST, 1 KiB echoed",
        })
    }
}

/// Makes the service of `S` ready for such requests.
pub(crate) fn prepare<S: Subject>(work: Work) -> Option<Run> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let service = {
        let _within = runtime.enter();
        S::start().ok()?
    };
    let Service { router, .. } = &service;
    let router = router.clone();
    let run = Run::new(move |iterations, _| {
        // What a contender has started in a runtime finds it there.
        let _within = runtime.enter();
        (0..iterations).filter(|_| ask(&router, black_box(work)) == Some(work.answer())).count()
            as u64
    });
    if !service.has_page() {
        return Some(run);
    }
    Some(run.that_recorded(move || {
        let recorded = service.recorded().unwrap_or_default();
        if recorded.requests == recorded.durations { recorded.requests } else { 0 }
    }))
}

/// How many bytes the body of a good answer has.
#[inline(never)]
fn ask(router: &Router, work: Work) -> Option<usize> {
    let response: Response<Body> = at_once(router.clone().oneshot(work.request()))?.ok()?;
    let is_good = response.status() == StatusCode::OK;
    let mut body = pin!(response.into_body());
    let mut length = 0;
    loop {
        match body.as_mut().poll_frame(&mut nobody()) {
            Poll::Ready(Some(frame)) => length += frame.ok()?.data_ref().map_or(0, Bytes::len),
            Poll::Ready(None) => return is_good.then_some(length),
            Poll::Pending => return None,
        }
    }
}

/// What a future that waits for nothing comes to.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    match Pin::as_mut(&mut future).poll(&mut nobody()) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Nobody waits.
fn nobody() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[cfg(test)]
mod tests {
    use super::super::contenders::{BARE, Contender, STORE, UNHEARD};
    use super::*;

    #[test]
    fn every_work_is_found_by_the_name_of_its_row() {
        for work in Work::ALL {
            assert_eq!(Work::named(&work.to_string()), Some(work));
        }
        assert_eq!(Work::named("something else"), None);
    }

    #[test]
    fn every_request_is_answered_in_full() {
        for contender in [BARE, UNHEARD] {
            for work in Work::ALL {
                let run = (contender.in_memory().prepare)(work).unwrap();
                assert_eq!(run.work(10, 0), 10, "{}, {work}", contender.name);
            }
        }
    }

    #[test]
    fn requests_are_counted_by_both_metrics() {
        let counts = |contender: Contender| {
            Work::ALL.map(|work| {
                let run = (contender.in_memory().prepare)(work).unwrap();
                run.work(10, 0);
                run.recorded()
            })
        };
        assert_eq!(counts(STORE), [Some(10), Some(10)]);
        assert_eq!(counts(BARE), [None, None]);
    }
}
