//! The work that every contender does: one event, or one span, about a request that was made.

use std::fmt;
use std::hint::black_box;

use crate::run::Run;

/// What is measured: one row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// An event when nothing listens to anything in the process.
    EventUnheard,
    /// An event that nobody listens to, in a process where other events are listened to.
    EventUnheardBesideOthers,
    /// An event with this many handlers that do nothing.
    EventHandlers(u8),
    /// An event with one handler that goes through all five fields.
    EventIterated,
    /// An event with one handler that asks for each of the five fields by its key.
    EventByKey,
    /// An event whose name is known at run time only, with one handler that does nothing.
    EventRuntimeName,
    /// A span with the three tags, ended in the same function, that nobody listens to.
    SpanUnheard,
    /// The same with a handler on its start and one on its end that do nothing.
    SpanHandlers,
    /// The same with a handler on its end that reads how long it took.
    SpanTimed,
    /// A span around a closure, in which it is the current span, that nobody listens to.
    ScopedSpanUnheard,
    /// The same with a handler on its start and one on its end that do nothing.
    ScopedSpanHandlers,
}

impl Work {
    pub(crate) const ALL: [Self; 14] = [
        Self::EventUnheard,
        Self::EventUnheardBesideOthers,
        Self::EventHandlers(1),
        Self::EventHandlers(2),
        Self::EventHandlers(4),
        Self::EventHandlers(8),
        Self::EventIterated,
        Self::EventByKey,
        Self::EventRuntimeName,
        Self::SpanUnheard,
        Self::SpanHandlers,
        Self::SpanTimed,
        Self::ScopedSpanUnheard,
        Self::ScopedSpanHandlers,
    ];

    /// The work whose row is called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.to_string() == name)
    }
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::EventUnheard => "event, nobody listens to anything",
            Self::EventUnheardBesideOthers => "event, nobody listens to it",
            Self::EventHandlers(1) => "event, one no-op handler",
            Self::EventHandlers(count) => {
                return write!(formatter, "event, {count} no-op handlers");
            }
            Self::EventIterated => "event, one handler iterating over the five fields",
            Self::EventByKey => "event, one handler reading the five fields by key",
            Self::EventRuntimeName => "event named at run time, one no-op handler",
            Self::SpanUnheard => "span, nobody listens to it",
            Self::SpanHandlers => "span, no-op handlers on start and stop",
            Self::SpanTimed => "span, one handler reading how long it took",
            Self::ScopedSpanUnheard => "span around a closure, nobody listens to it",
            Self::ScopedSpanHandlers => "span around a closure, no-op handlers on start and stop",
        })
    }
}

/// The values of one event: two measurements and three text tags.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) milliseconds: f64,
    pub(crate) bytes: u64,
    pub(crate) api: String,
    pub(crate) method: String,
    pub(crate) outcome: String,
}

impl Request {
    /// Made at run time, so that nothing in it is known to the compiler. The tags have eight
    /// combinations, one for each index modulo 8.
    pub(crate) fn new(index: u64) -> Self {
        let pick =
            |bit: u64, texts: [&str; 2]| black_box(texts[(index >> bit) as usize & 1]).to_owned();
        Self {
            milliseconds: black_box(12.5 * (index as f64 + 1.0)),
            bytes: black_box(512 * (index + 1)),
            api: pick(0, ["rest", "graphql"]),
            method: pick(1, ["GET", "POST"]),
            outcome: pick(2, ["success", "error"]),
        }
    }
}

/// Does `operation` again and again, with the eight kinds of requests in turn.
///
/// Every contender's work goes through this loop; what the loop itself costs is measured as a
/// contender of its own. The compiler knows neither the requests nor how many there are, so that it
/// cannot unroll the loop for one contender and leave it as it is for another. The number of
/// iterations is rounded up to whole passes over [`PASS`] requests.
pub(crate) fn repeat(operation: impl Fn(&Request) + Send + Sync + 'static) -> Run {
    repeat_by_thread(vec![(0..PASS).map(Request::new).collect()], operation)
}

/// The same, with requests of its own for each of so many threads.
pub(crate) fn repeat_by_thread(
    requests: Vec<Vec<Request>>,
    operation: impl Fn(&Request) + Send + Sync + 'static,
) -> Run {
    Run::new(move |iterations, thread| {
        let requests = &requests[thread % requests.len()];
        let passes = iterations.div_ceil(PASS);
        for _ in 0..passes {
            for request in black_box(requests.as_slice()) {
                black_box(request);
                operation(request);
            }
        }
        passes * PASS
    })
}

/// So many that the loop around the loop does not count, and so few that they stay in the cache.
pub(crate) const PASS: u64 = 64;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_work_is_found_by_the_name_of_its_row() {
        for work in Work::ALL {
            assert_eq!(Work::named(&work.to_string()), Some(work));
        }
        assert_eq!(Work::named("something else"), None);
    }

    #[test]
    fn the_requests_have_eight_combinations_of_tags() {
        let tags: HashSet<_> = (0..PASS)
            .map(Request::new)
            .map(|request| (request.api, request.method, request.outcome))
            .collect();
        assert_eq!(tags.len(), 8);
    }
}
