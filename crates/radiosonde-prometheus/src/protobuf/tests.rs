//! Messages byte by byte; that whole pages are decoded as they were meant is judged from outside.

use std::time::Duration;

use radiosonde_metrics::last_value;

use super::*;
use crate::exposition::tests::fixture::{Fields, deploys, store};

fn written(write: impl FnOnce(&mut Message<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Message(&mut bytes));
    bytes
}

#[test]
fn a_page_is_families_behind_their_lengths() {
    let measurements = [("level", radiosonde::Value::from(0.5))];
    let metadata = [("t", radiosonde::Value::from("x\"\0"))];
    let events: [(&str, Fields<'_>, Fields<'_>); 1] = [("a", &measurements, &metadata)];
    let metric = last_value("a.level").tags(["t"]).description("Level.");
    let page = page(&store([metric], &events).snapshot());
    let expected = b"\x2a\
        \x0a\x07a_level\
        \x12\x06Level.\
        \x18\x01\
        \x22\x15\
            \x0a\x08\x0a\x01t\x12\x03x\"\0\
            \x12\x09\x09\0\0\0\0\0\0\xe0\x3f";
    assert_eq!(page[..expected.len()], expected[..]);
}

#[test]
fn the_page_ends_with_the_number_of_series_left_out() {
    let page = page(&deploys().snapshot());
    let end = b"\x18\x01\x22\x0b\x12\x09\x09\0\0\0\0\0\0\0\0";
    assert!(page.ends_with(end), "{:?}", page.escape_ascii().to_string());
}

#[test]
fn lengths_and_integers_take_as_many_bytes_as_they_need() {
    for (length, prefix) in [
        (0, b"\x0a\x00".as_slice()),
        (127, b"\x0a\x7f"),
        (128, b"\x0a\x80\x01"),
        (16_384, b"\x0a\x80\x80\x01"),
    ] {
        let content = vec![7; length];
        let bytes = written(|message| message.message(1, |inner| inner.0.extend(&content)));
        assert_eq!(bytes, [prefix, &content].concat(), "{length}");
    }
    let greatest = written(|message| message.unsigned(16, u64::MAX));
    assert_eq!(greatest, b"\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    let signed = written(|message| message.packed_signed(1, &[0, -1, 1, -64, 64, i64::MIN]));
    let expected = b"\x0a\x10\x00\x01\x02\x7f\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert_eq!(signed, expected);
}

fn exemplar() -> Option<Exemplar> {
    let time = UNIX_EPOCH + Duration::new(3, 4);
    Some(Exemplar { value: 0.5, time, labels: vec![("s".to_owned(), "7".to_owned())] })
}

#[test]
fn buckets_are_cumulated_and_have_their_exemplar() {
    let bytes = written(|histogram| {
        write_buckets(histogram, &[-0.0, 1.0], &[2, 1, 3], 6, &[None, exemplar(), None]);
    });
    let expected = b"\
        \x1a\x0b\x08\x02\x11\0\0\0\0\0\0\0\0\
        \x1a\x24\x08\x03\x11\0\0\0\0\0\0\xf0\x3f\
            \x1a\x17\
                \x0a\x06\x0a\x01s\x12\x017\
                \x11\0\0\0\0\0\0\xe0\x3f\
                \x1a\x04\x08\x03\x10\x04\
        \x1a\x0b\x08\x06\x11\0\0\0\0\0\0\xf0\x7f";
    assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());

    let in_other_buckets = |exemplars: &[Option<Exemplar>]| {
        written(|histogram| write_buckets(histogram, &[0.1, 1.0], &[2, 1, 3], 6, exemplars))
    };
    assert_eq!(in_other_buckets(&[exemplar(), None, exemplar()]), in_other_buckets(&[]));
}

fn buckets(offset: i32, counts: &[u64]) -> ExponentialBuckets {
    ExponentialBuckets { offset, counts: counts.to_vec() }
}

#[test]
fn a_native_histogram_has_spans_and_the_differences_of_its_counts() {
    let histogram = ExponentialHistogram {
        schema: 3,
        zero_threshold: 0.5,
        zero_count: 9,
        positive: buckets(-3, &[5, 0, 0, 4, 0, 0, 0, 6]),
        negative: buckets(2, &[1, 2]),
        sum: 1.0,
        count: 27,
    };
    let bytes = written(|message| write_exponential(message, &histogram, &[None, exemplar()]));
    let expected = b"\
        \x28\x06\x31\0\0\0\0\0\0\xe0\x3f\x38\x09\
        \x4a\x04\x08\x04\x10\x02\
        \x52\x02\x02\x02\
        \x62\x04\x08\x05\x10\x04\
        \x62\x04\x08\x06\x10\x01\
        \x6a\x05\x0a\x09\x00\x08\x04\
        \x82\x01\x17\
            \x0a\x06\x0a\x01s\x12\x017\
            \x11\0\0\0\0\0\0\xe0\x3f\
            \x1a\x04\x08\x03\x10\x04";
    assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn the_count_of_a_histogram_is_that_of_its_native_buckets_and_of_the_last_one() {
    let counted = |buckets: &[u64], native: u64| {
        let exponential = ExponentialHistogram {
            zero_count: native,
            count: native,
            ..ExponentialHistogram::default()
        };
        written(|message| {
            write_histogram(message, &[1.0], buckets, 0.5, Some(&exponential), &[]);
        })
    };
    let whole = counted(&[3, 2], 5);
    assert!(whole.starts_with(b"\x08\x05\x11\0\0\0\0\0\0\xe0\x3f\x1a\x0b\x08\x03"));
    // Measurements that are in the one sort of buckets only are in none of the finite ones, or in none at all.
    assert_eq!(counted(&[3, 1], 5), whole);
    assert_eq!(counted(&[6, 2], 5), counted(&[5, 0], 5));
}

#[test]
fn an_empty_native_histogram_has_an_empty_span() {
    let bytes = written(|message| {
        write_exponential(message, &ExponentialHistogram::default(), &[]);
    });
    assert!(bytes.ends_with(b"\x38\x00\x62\x00"), "{:?}", bytes.escape_ascii().to_string());
}

#[test]
fn a_time_before_1970_is_not_written() {
    let bytes = written(|message| write_time(message, 3, UNIX_EPOCH - Duration::from_secs(1)));
    assert_eq!(bytes, b"");
}
