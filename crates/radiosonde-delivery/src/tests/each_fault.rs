//! One record, one fault of a sink that is well afterwards: what becomes of the record.

use std::time::Duration;

use super::lines::Lines;
use super::loopback::{Fault, Loopback};
use crate::{Backoff, Delivery, DropReason, HttpSink, Options, Report};

const PATIENCE: Duration = Duration::from_secs(20);

/// The account of one record, and how often it has arrived.
fn deliver(fault: Fault) -> (Report, usize) {
    let server = Loopback::new([fault]);
    // A sink that never answers is given up at once, and one that is slow is not.
    let options = Options::new()
        .batch_records(1)
        .request_timeout(Duration::from_secs(1))
        .backoff(Backoff::new().initial(Duration::ZERO));
    let sink = HttpSink::new("fault", "test/1", server.endpoint(), Lines);
    let delivery = Delivery::start("fault", options, sink).unwrap();
    // So long that a part of it is on its way when the sink resets the connection.
    delivery.queue().try_push("a record".repeat(1_000));
    delivery.flush(PATIENCE).unwrap();
    let report = delivery.shutdown(PATIENCE);
    assert_eq!((report.accepted(), report.retained), (1, 0), "{report}");
    (report, server.taken().len())
}

#[test]
fn a_fault_that_passes_costs_a_retry_and_nothing_else() {
    let past = Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
    for fault in [
        Fault::Down,
        Fault::HalfClosed,
        Fault::Reset,
        Fault::Garbage,
        Fault::Silent,
        Fault::Status(408, None),
        Fault::Status(429, Some("0".to_owned())),
        Fault::Status(429, past.clone()),
        Fault::Status(500, None),
        Fault::Status(503, past),
    ] {
        let (report, arrived) = deliver(fault.clone());
        assert_eq!((report.sent, report.retries, arrived), (1, 1, 1), "{fault:?}: {report}");
    }
}

#[test]
fn a_slow_answer_costs_nothing_and_a_lost_one_a_duplicate() {
    for (fault, retries) in [(Fault::Well, 0), (Fault::Slow, 0), (Fault::LostAnswer, 1)] {
        let (report, arrived) = deliver(fault.clone());
        let expected = (1, retries, 1 + retries as usize);
        assert_eq!((report.sent, report.retries, arrived), expected, "{fault:?}: {report}");
    }
}

#[test]
fn a_refusal_costs_the_record_and_is_not_repeated() {
    for (status, reason) in [
        (400, DropReason::Rejected),
        (401, DropReason::Rejected),
        (403, DropReason::Rejected),
        (413, DropReason::TooLarge),
    ] {
        let (report, arrived) = deliver(Fault::Status(status, None));
        let found = (report.dropped.count(reason), report.retries, arrived);
        assert_eq!(found, (1, 0, 0), "{status}: {report}");
    }
}
