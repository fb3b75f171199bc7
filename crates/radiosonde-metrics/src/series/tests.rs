//! What a series says of itself.

use std::time::SystemTime;

use super::*;

fn series(tags: &[&str]) -> Series {
    Series::new(0, SystemTime::now(), tags)
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
