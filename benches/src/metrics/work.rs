//! The work that every metrics library does: count requests, measure them, and show what it has.

use std::fmt;

use crate::workload::{PASS, Request};

/// What is done again and again, and timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// One more in the counter of the request's three tags.
    Counter,
    /// The request's duration in the ten-bucket distribution of its three tags.
    Distribution,
    /// As `Counter`, by the tags of an HTTP server, of which the route is a long one.
    CounterOfRoutes,
    /// As `Counter`, where each thread has series of its own.
    CounterOfOwnSeries,
    /// One more in a counter whose series was looked up before.
    CounterByHandle,
    /// A duration in a distribution whose series was looked up before.
    DistributionByHandle,
}

impl Work {
    pub(crate) const ALL: [Self; 6] = [
        Self::Counter,
        Self::Distribution,
        Self::CounterOfRoutes,
        Self::CounterOfOwnSeries,
        Self::CounterByHandle,
        Self::DistributionByHandle,
    ];

    /// The work whose row is called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.to_string() == name)
    }
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Counter => "3 tags → counter",
            Self::Distribution => "3 tags → distribution of 10 buckets",
            Self::CounterOfRoutes => "route, method, status class → counter",
            Self::CounterOfOwnSeries => "3 tags → counter, series of its own for each thread",
            Self::CounterByHandle => "counter by a handle resolved once",
            Self::DistributionByHandle => "distribution by a handle resolved once",
        })
    }
}

/// The bounds of every distribution's buckets; the one above all of them comes on top.
pub(crate) const BOUNDS: [f64; 10] =
    [5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0];

/// More series than any of this makes: a limit is not to be in the way.
pub(crate) const SERIES_LIMIT: usize = 1_000_000;

/// A pass of requests for each of two threads, that have no combination of tags in common.
pub(crate) fn requests_of_two_threads() -> Vec<Vec<Request>> {
    let of_first = || (0..PASS).map(Request::new);
    let of_second =
        of_first().map(|request| Request { api: request.api.to_uppercase(), ..request });
    vec![of_first().collect(), of_second.collect()]
}

/// A pass of requests as a server's metrics tell them apart, with eight combinations, too.
pub(crate) fn requests_of_routes() -> Vec<Request> {
    const ROUTES: [&str; 2] =
        ["/api/projects/{project}/runs", "/api/accounts/{account}/members/{id}"];
    let of_server = |(index, request): (usize, Request)| Request {
        api: ROUTES[index & 1].to_owned(),
        outcome: ["2xx", "5xx"][index >> 2 & 1].to_owned(),
        ..request
    };
    (0..PASS).map(Request::new).enumerate().map(of_server).collect()
}

/// A request of the series with this number: 50 × 40 × any number of short texts.
pub(crate) fn request_of_series(number: usize) -> Request {
    Request {
        api: format!("api-{}", number % 50),
        method: format!("method-{}", number / 50 % 40),
        outcome: format!("outcome-{}", number / 2_000),
        ..Request::new(number as u64 % PASS)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn tags(request: &Request) -> [String; 3] {
        [request.api.clone(), request.method.clone(), request.outcome.clone()]
    }

    #[test]
    fn every_work_is_found_by_the_name_of_its_row() {
        for work in Work::ALL {
            assert_eq!(Work::named(&work.to_string()), Some(work));
        }
        assert_eq!(Work::named("something else"), None);
    }

    #[test]
    fn every_series_has_tags_of_its_own() {
        let all: HashSet<_> = (0..10_000).map(|number| tags(&request_of_series(number))).collect();
        assert_eq!(all.len(), 10_000);
    }

    #[test]
    fn requests_of_routes_have_as_many_series() {
        let all: HashSet<_> = requests_of_routes().iter().map(tags).collect();
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn two_threads_have_no_series_in_common() {
        let [first, second] = requests_of_two_threads()
            .iter()
            .map(|requests| requests.iter().map(tags).collect::<HashSet<_>>())
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        assert_eq!((first.len(), second.len()), (8, 8));
        assert!(first.is_disjoint(&second));
    }
}
