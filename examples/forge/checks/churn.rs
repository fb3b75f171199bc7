//! What those heard who came and went.

use super::Check;
use crate::workloads::churn::Churned;

/// Whoever stayed heard of every token read, whoever came heard from then on, whoever went heard nothing more, and nothing is left of
/// those who went.
pub(crate) fn handlers_come_and_go(churned: &Churned, reads: u64) -> Check {
    let Churned { attached, detached, deaf, late, permanent, left, .. } = *churned;
    let mut failures = Vec::new();
    if attached == 0 || attached != detached {
        failures.push(format!("{attached} came, {detached} went"));
    }
    if permanent != reads {
        failures.push(format!("the one that stayed heard of {permanent} of {reads} token reads"));
    }
    if churned.reads == 0 {
        failures.push("those who came and went heard of no token read".to_owned());
    }
    let wrong = [
        (deaf, "were attached and heard nothing"),
        (late, "were detached and heard of it all the same"),
        (left, "were detached and are still there"),
    ];
    let wrong = wrong.into_iter().filter(|(count, _)| *count > 0);
    failures.extend(wrong.map(|(count, what)| format!("{count} handlers {what}")));
    let what = format!(
        "{attached} handlers came and went, and the one that stayed heard of all {reads} token reads"
    );
    Check { what, failures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_that_misses_something_or_hears_too_much_is_found() {
        let good =
            || Churned { attached: 9, detached: 9, reads: 3, permanent: 5, ..Churned::default() };
        let failures = |churned| handlers_come_and_go(&churned, 5).failures.len();
        assert_eq!(failures(good()), 0);
        assert_eq!(failures(Churned { permanent: 4, ..good() }), 1);
        assert_eq!(failures(Churned { detached: 8, ..good() }), 1);
        assert_eq!(failures(Churned { reads: 0, ..good() }), 1);
        assert_eq!(failures(Churned { deaf: 1, ..good() }), 1);
        assert_eq!(failures(Churned { late: 1, ..good() }), 1);
        assert_eq!(failures(Churned { left: 1, ..good() }), 1);
    }
}
