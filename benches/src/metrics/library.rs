//! What a metrics library is asked to do, and the timed works made of it.

use std::sync::Arc;

use super::work::{Work, requests_of_routes, requests_of_two_threads};
use crate::run::Run;
use crate::workload::{Request, repeat, repeat_by_thread};

/// One library with a counter `requests` and a distribution `durations`, both by three tags.
pub(crate) trait Library: Sized + Send + Sync + 'static {
    /// Sets the process up; `None` when the library would not. Call it once in a process.
    fn new() -> Option<Self>;

    /// One more in the counter with the request's tags.
    fn count(&self, request: &Request);

    /// The request's milliseconds in the distribution with the request's tags.
    fn measure(&self, request: &Request);

    /// What a Prometheus server gets, as text.
    fn page(&self) -> Vec<u8>;

    /// What adds one to the counter with the request's tags, looked up once; `None` when the
    /// library has nothing of the kind.
    fn counter(&self, _: &Request) -> Option<impl Fn() + Send + Sync + 'static> {
        None::<fn()>
    }

    /// The same for a number in the distribution.
    fn distribution(&self, _: &Request) -> Option<impl Fn(f64) + Send + Sync + 'static> {
        None::<fn(f64)>
    }
}

/// Makes `L` ready for a piece of work.
pub(crate) fn prepare<L: Library>(work: Work) -> Option<Run> {
    let library = Arc::new(L::new()?);
    let shown = Arc::clone(&library);
    let run = match work {
        Work::Counter => repeat(move |request| library.count(request)),
        Work::Distribution => repeat(move |request| library.measure(request)),
        Work::CounterOfRoutes => {
            repeat_by_thread(vec![requests_of_routes()], move |request| library.count(request))
        }
        Work::CounterOfOwnSeries => {
            repeat_by_thread(requests_of_two_threads(), move |request| library.count(request))
        }
        Work::CounterByHandle => {
            let count = library.counter(&Request::new(0))?;
            repeat(move |_| count())
        }
        Work::DistributionByHandle => {
            let measure = library.distribution(&Request::new(0))?;
            repeat(move |request| measure(request.milliseconds))
        }
    };
    Some(run.that_recorded(move || recorded(&shown.page()).operations))
}

/// What a page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) series: usize,
    /// What the counter's series and the counts of the distribution's come to.
    pub(crate) operations: u64,
}

/// Reads a page, in whichever text format.
pub(crate) fn recorded(page: &[u8]) -> Recorded {
    let mut recorded = Recorded { series: 0, operations: 0 };
    for line in String::from_utf8_lossy(page).lines() {
        let Some((name, labels)) = line.split_once('{') else { continue };
        let Some((_, number)) = labels.rsplit_once("} ") else { continue };
        let counts = matches!(name, "requests" | "requests_total" | "durations_count");
        if counts && let Ok(number) = number.parse::<f64>() {
            recorded.series += 1;
            recorded.operations += number as u64;
        }
    }
    recorded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_in_the_spelling_of_every_library() {
        let page = b"# TYPE requests counter\nrequests_total{api=\"a\"} 2\n\
                     requests_created{api=\"a\"} 17\nrequests{api=\"}\"} 1.0\n\
                     durations_bucket{le=\"5\"} 3\ndurations_sum{api=\"b\"} 9\n\
                     durations_count{api=\"b\"} 4\n";
        assert_eq!(recorded(page), Recorded { series: 3, operations: 7 });
    }
}
