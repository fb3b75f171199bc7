//! What is to be reached, and whether it was.

use std::fmt::Write;

/// The lines of the table of targets.
#[derive(Debug, Default)]
pub(crate) struct Verdicts(String);

impl Verdicts {
    /// `measured` is to be `most` or less.
    pub(crate) fn at_most(&mut self, work: &str, unit: &str, most: f64, measured: Option<f64>) {
        let to_reach = format!("≤ {most}{unit}");
        self.line(work, &to_reach, measured, |measured| measured <= most);
    }

    /// `measured` is to be `least` or more.
    pub(crate) fn at_least(&mut self, work: &str, unit: &str, least: f64, measured: Option<f64>) {
        let to_reach = format!("≥ {least}{unit}");
        self.line(work, &to_reach, measured, |measured| measured >= least);
    }

    fn line(
        &mut self,
        work: &str,
        to_reach: &str,
        measured: Option<f64>,
        is_reached: impl Fn(f64) -> bool,
    ) {
        let outcome = match measured {
            Some(measured) if is_reached(measured) => format!("{measured:.2}, reached"),
            Some(measured) => format!("{measured:.2}, **missed**"),
            None => "not measured".to_owned(),
        };
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "| {work} | {to_reach} | {outcome} |");
    }

    /// The table.
    pub(crate) fn into_table(self) -> String {
        format!("## Targets\n\n| work | to reach | measured |\n|---|---|---|\n{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_reached_at_its_bound_and_missed_beyond() {
        let mut verdicts = Verdicts::default();
        verdicts.at_most("a", " ×", 0.5, Some(0.5));
        verdicts.at_most("b", " ×", 0.5, Some(0.6));
        verdicts.at_least("c", " ×", 1.8, Some(1.8));
        verdicts.at_least("d", " ×", 1.8, Some(1.7));
        verdicts.at_least("e", " ×", 1.8, None);
        let table = verdicts.into_table();
        let outcomes: Vec<_> =
            table.lines().skip(4).filter_map(|line| line.rsplit(" | ").next()).collect();
        assert_eq!(
            outcomes,
            [
                "0.50, reached |",
                "0.60, **missed** |",
                "1.80, reached |",
                "1.70, **missed** |",
                "not measured |"
            ]
        );
    }
}
