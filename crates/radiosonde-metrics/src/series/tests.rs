//! Tags are read as they were given, and told from all others.

use std::time::SystemTime;

use super::*;

fn series(tags: &[&str]) -> Series {
    Series::new(0, SystemTime::now(), tags)
}

/// Sets that are alike when they are put together carelessly, short and long.
fn sets() -> Vec<Vec<String>> {
    let sets: &[&[&str]] = &[
        &[],
        &[""],
        &["", ""],
        &["ab", "c", "x"],
        &["a", "bc", "x"],
        &["abc", "", "x"],
        &["abcx"],
        &["a", "\u{1}c", "x"],
        &["größe", "🚀", "\0"],
        &["\u{2}ab"],
        &["ab", "\u{2}ab"],
        &["twelve bytes", "eight by"],
        &["twelve byteS", "eight by"],
        &["twelve bytes", "eight bY"],
        &["a value of more than sixteen bytes", "and more than in place"],
        &["a value of more than sixteen bytes", "and more than in place!"],
    ];
    let long = [127, 128, 129, 2_047, 2_048, 4_000].map(|length| vec!["x".repeat(length)]);
    let sets = sets.iter().map(|set| set.iter().map(ToString::to_string).collect());
    sets.chain(long).collect()
}

#[test]
fn tags_are_read_back_as_they_were_given() {
    for set in sets() {
        let values: Vec<&str> = set.iter().map(String::as_str).collect();
        assert!(series(&values).tag_values().eq(values.iter().copied()), "{set:?}");
    }
}

#[test]
fn sets_of_tags_are_equal_only_value_by_value() {
    let sets = sets();
    for (left, one) in sets.iter().enumerate() {
        let series = series(&one.iter().map(String::as_str).collect::<Vec<_>>());
        for (right, other) in sets.iter().enumerate() {
            let other: Vec<&str> = other.iter().map(String::as_str).collect();
            assert_eq!(series.has(&*other), left == right, "{one:?} {other:?}");
        }
    }
}

#[test]
fn a_series_in_its_place_fills_one_cache_line() {
    assert_eq!(size_of::<OnceLock<Series>>(), 64);
}

#[test]
fn a_series_is_touched_until_somebody_asked() {
    let series = series(&["a"]);
    assert!(!series.was_touched());
    series.touch();
    series.touch();
    assert_eq!([(); 2].map(|()| series.was_touched()), [true, false]);
    series.remove();
    assert!(series.is_removed() && !series.was_touched());
}
