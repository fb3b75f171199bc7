//! The units of metrics as Grafana calls them.

use radiosonde_metrics::{Kind, Metric, Unit, exported_name};

/// What Grafana calls the unit of a number, and of how much it rises in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Units {
    pub(crate) value: &'static str,
    pub(crate) rate: &'static str,
}

/// Numbers of something that has no unit.
const PLAIN: Units = Units { value: "short", rate: "ops" };

/// The last segments of names that are units of numbers which may be bare.
const NAMES: [(&str, Units); 10] = [
    ("seconds", units(Unit::Second)),
    ("milliseconds", units(Unit::Millisecond)),
    ("microseconds", units(Unit::Microsecond)),
    ("nanoseconds", units(Unit::Nanosecond)),
    ("bytes", units(Unit::Byte)),
    ("kilobytes", units(Unit::Kilobyte)),
    ("megabytes", units(Unit::Megabyte)),
    ("ratio", Units { value: "percentunit", rate: "short" }),
    ("percent", Units { value: "percent", rate: "short" }),
    ("celsius", Units { value: "celsius", rate: "short" }),
];

/// The unit that the metric was given, or else the one that its name ends in.
pub(crate) fn of(metric: &Metric) -> Units {
    if metric.kind() == Kind::Counter {
        return PLAIN;
    }
    metric
        .exported_unit()
        .map(units)
        .or_else(|| named(metric).map(|(_, units)| units))
        .unwrap_or(PLAIN)
}

/// The name as it is exported without `_total`, and without the unit that it ends in.
pub(crate) fn stem(metric: &Metric) -> String {
    let name = exported_name(metric.name());
    let bare = name.strip_suffix("_total").unwrap_or(&name);
    let unit = named(metric).and_then(|(unit, _)| bare.strip_suffix(unit)?.strip_suffix('_'));
    unit.filter(|stem| !stem.is_empty()).unwrap_or(bare).to_owned()
}

fn named(metric: &Metric) -> Option<(&'static str, Units)> {
    let name = exported_name(metric.name());
    let last = name.strip_suffix("_total").unwrap_or(&name).rsplit('_').next();
    NAMES.into_iter().find(|(unit, _)| Some(*unit) == last)
}

const fn units(unit: Unit) -> Units {
    let (value, rate) = match unit {
        // A second in each second: how many there are at once.
        Unit::Second => ("s", "short"),
        Unit::Millisecond => ("ms", "suffix: ms/s"),
        Unit::Microsecond => ("µs", "suffix: µs/s"),
        Unit::Native | Unit::Nanosecond => ("ns", "suffix: ns/s"),
        Unit::Byte => ("bytes", "binBps"),
        Unit::Kilobyte => ("deckbytes", "KBs"),
        Unit::Megabyte => ("decmbytes", "MBs"),
        _ => ("short", "ops"),
    };
    Units { value, rate }
}

#[cfg(test)]
mod tests {
    use radiosonde_metrics::{counter, distribution, last_value, sum};

    use super::*;

    #[test]
    fn the_unit_is_the_one_given_or_the_one_in_the_name() {
        let given = distribution("a.duration").unit(Unit::Native, Unit::Millisecond);
        assert_eq!(of(&given).value, "ms");
        assert_eq!(of(&last_value("a.resident.bytes")).value, "bytes");
        assert_eq!(of(&sum("a.sent.bytes.total")).rate, "binBps");
        assert_eq!(of(&sum("a.busy.seconds.total")).rate, "short");
        assert_eq!(of(&last_value("a.hit_ratio")).value, "percentunit");
        assert_eq!(of(&last_value("a.size")), PLAIN);
        assert_eq!(of(&counter("a.leap.seconds")), PLAIN, "events are counted, not their seconds");
    }

    #[test]
    fn a_stem_is_the_same_in_every_unit() {
        let stems =
            ["a.duration.seconds", "a.duration.milliseconds", "a.duration", "a.duration.total"];
        assert!(stems.iter().all(|name| stem(&last_value(*name)) == "a_duration"));
        assert_eq!(stem(&last_value("seconds")), "seconds");
    }
}
