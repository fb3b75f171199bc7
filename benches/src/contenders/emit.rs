//! The work through `emit`, with an emitter made from a function.

use std::hint::black_box;
use std::ops::ControlFlow;

use emit::Props;

use crate::run::Run;
use crate::workload::{Work, repeat};

pub(super) fn prepare(work: Work) -> Option<Run> {
    let setup = emit::setup();
    match work {
        Work::EventUnheard | Work::SpanUnheard => {}
        Work::EventUnheardBesideOthers => {
            let _ = setup
                .emit_to(emit::emitter::from_fn(|event| drop(black_box(event))))
                .emit_when(emit::level::min_filter(emit::Level::Warn))
                .init();
        }
        Work::EventHandlers(1) | Work::SpanHandlers => {
            let _ = setup.emit_to(emit::emitter::from_fn(|event| drop(black_box(event)))).init();
        }
        Work::SpanTimed => {
            let _ = setup
                .emit_to(emit::emitter::from_fn(|event| {
                    black_box(event.extent().and_then(|extent| extent.len()));
                }))
                .init();
        }
        Work::EventIterated => {
            let _ = setup
                .emit_to(emit::emitter::from_fn(|event| {
                    let _ = event.props().for_each(|key, value| {
                        match value.to_borrowed_str() {
                            Some(text) => {
                                black_box((key.get(), text));
                            }
                            None => {
                                black_box((key.get(), value.as_f64()));
                            }
                        }
                        ControlFlow::Continue(())
                    });
                }))
                .init();
        }
        Work::EventByKey => {
            let _ = setup
                .emit_to(emit::emitter::from_fn(|event| {
                    for key in ["milliseconds", "bytes"] {
                        black_box(event.props().get(key).map(|value| value.as_f64()));
                    }
                    for key in ["api", "method", "outcome"] {
                        black_box(event.props().get(key).and_then(|value| value.to_borrowed_str()));
                    }
                }))
                .init();
        }
        _ => return None,
    }
    Some(match work {
        Work::SpanUnheard | Work::SpanHandlers | Work::SpanTimed => {
            repeat(|request| span(&request.api, &request.method, &request.outcome))
        }
        _ => repeat(|request| {
            emit::info!(
                "request",
                milliseconds: request.milliseconds,
                bytes: request.bytes,
                api: request.api.as_str(),
                method: request.method.as_str(),
                outcome: request.outcome.as_str(),
            );
        }),
    })
}

#[emit::info_span("request", api, method, outcome)]
fn span(api: &str, method: &str, outcome: &str) {
    black_box(());
}
