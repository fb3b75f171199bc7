//! The work through `fastrace`: it collects spans, and hands them to a reporter in a thread of its
//! own.

use std::hint::black_box;

use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use fastrace::local::LocalSpan;
use fastrace::{Event, Span, set_reporter};

use crate::run::Run;
use crate::workload::{Request, Work, repeat};

pub(super) fn prepare(work: Work) -> Option<Run> {
    Some(match work {
        Work::EventUnheard => repeat(|request| {
            LocalSpan::add_event(Event::new("request").with_properties(|| {
                [
                    ("milliseconds", request.milliseconds.to_string()),
                    ("bytes", request.bytes.to_string()),
                    ("api", request.api.clone()),
                    ("method", request.method.clone()),
                    ("outcome", request.outcome.clone()),
                ]
            }));
        }),
        Work::SpanUnheard => repeat(|request| {
            let _span =
                LocalSpan::enter_with_local_parent("request").with_properties(|| tags(request));
        }),
        // Its records carry their duration, whoever reads it.
        Work::SpanHandlers | Work::SpanTimed => {
            set_reporter(Nothing, Config::default());
            repeat(|request| {
                let _span =
                    Span::root("request", SpanContext::random()).with_properties(|| tags(request));
            })
        }
        Work::ScopedSpanHandlers => {
            set_reporter(Nothing, Config::default());
            repeat(|request| {
                let span =
                    Span::root("request", SpanContext::random()).with_properties(|| tags(request));
                let _current = span.set_local_parent();
            })
        }
        // An event is a part of its span, and reaches the reporter with it.
        _ => return None,
    })
}

fn tags(request: &Request) -> [(&'static str, String); 3] {
    [
        ("api", request.api.clone()),
        ("method", request.method.clone()),
        ("outcome", request.outcome.clone()),
    ]
}

struct Nothing;

impl Reporter for Nothing {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        black_box(spans);
    }
}
