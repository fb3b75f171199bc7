//! Whether deploys that never end are given up.

use std::collections::BTreeMap;

use super::Check;
use crate::chaos::deploys::{HEARD, SAID};
use crate::world::tally::Series;

/// Of what endless deploys have said something was heard, and nothing that they have not said.
pub(crate) fn endless_deploys_were_heard(tally: &BTreeMap<Series, u64>) -> Check {
    let of = |metric| tally.get(&Series::new(metric, &[])).copied().unwrap_or_default();
    let (heard, said) = (of(HEARD), of(SAID));
    let failures = match heard {
        0 => vec!["nobody heard any of it".to_owned()],
        _ if heard > said => vec![format!("{heard} lines were heard, {said} were said")],
        _ => vec![],
    };
    let what = format!("{heard} lines of deploys without end were heard before they were given up");
    Check { what, failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_nobody_said_or_nobody_heard_is_found() {
        let fails = |heard, said| {
            let tally = [(HEARD, heard), (SAID, said)]
                .map(|(metric, lines)| (Series::new(metric, &[]), lines));
            endless_deploys_were_heard(&BTreeMap::from(tally)).failures.len()
        };
        assert_eq!([fails(2, 3), fails(3, 3), fails(4, 3), fails(0, 3)], [0, 0, 1, 1]);
    }
}
