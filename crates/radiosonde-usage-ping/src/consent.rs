//! Whether anything may leave: never unless the operator says so, and not at all where the operator has ruled it out.

use std::sync::atomic::{AtomicU64, Ordering};

use radiosonde_delivery::permission::forbids_tracking;

/// What a variable of the environment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// Nothing.
    Unset,
    /// The operator opts in.
    On,
    /// It is off, whatever else is said.
    Off { reason: String },
}

impl Switch {
    /// `DO_NOT_TRACK`: anything but nothing, `0` and `false` is a yes.
    pub(crate) fn do_not_track(value: Option<&str>) -> Self {
        if value.is_some_and(forbids_tracking) {
            Self::Off { reason: "`DO_NOT_TRACK` is set".to_owned() }
        } else {
            Self::Unset
        }
    }

    /// A variable of the application. What is not understood is no consent.
    pub(crate) fn variable(name: &str, value: Option<&str>) -> Self {
        let is = |value: &str, words: [&str; 4]| {
            words.iter().any(|word| value.eq_ignore_ascii_case(word))
        };
        match value.map(str::trim) {
            None | Some("") => Self::Unset,
            Some(value) if is(value, ["1", "true", "yes", "on"]) => Self::On,
            Some(value) if is(value, ["0", "false", "no", "off"]) => {
                Self::Off { reason: format!("`{name}` says so") }
            }
            Some(_) => Self::Off {
                reason: format!("`{name}` is neither `1` nor `0`, and so is taken for a no"),
            },
        }
    }
}

/// Whether the operator has opted in, shared by everything that might send: how often that has changed, and so odd where
/// it is given.
#[derive(Debug)]
pub(crate) struct Consent(AtomicU64);

/// The consent with which a report was made. One that is given again later is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Given(u64);

impl Consent {
    pub(crate) fn new(is_given: bool) -> Self {
        Self(AtomicU64::new(is_given.into()))
    }

    /// None if it is not given.
    pub(crate) fn given(&self) -> Option<Given> {
        let changes = self.0.load(Ordering::SeqCst);
        (changes % 2 == 1).then_some(Given(changes))
    }

    pub(crate) fn set(&self, is_given: bool) {
        let change = |changes| ((changes % 2 == 1) != is_given).then_some(changes + 1);
        // There is nothing to do if it is like that already.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn do_not_track_is_off_unless_it_is_a_clear_no() {
        for unset in [None, Some(""), Some(" 0 "), Some("False")] {
            assert_eq!(Switch::do_not_track(unset), Switch::Unset, "{unset:?}");
        }
        for off in ["1", "true", "yes", "maybe"] {
            assert!(matches!(Switch::do_not_track(Some(off)), Switch::Off { .. }), "{off}");
        }
    }

    #[test]
    fn a_variable_that_is_not_understood_is_no_consent() {
        assert_eq!(Switch::variable("A", None), Switch::Unset);
        assert_eq!(Switch::variable("A", Some(" ")), Switch::Unset);
        for on in ["1", "TRUE", " yes ", "on"] {
            assert_eq!(Switch::variable("A", Some(on)), Switch::On, "{on}");
        }
        for off in ["0", "false", "No", "off", "2", "disabled"] {
            let switch = Switch::variable("A_USAGE_PING", Some(off));
            let named =
                matches!(&switch, Switch::Off { reason } if reason.contains("`A_USAGE_PING`"));
            assert!(named, "{off}: {switch:?}");
        }
    }
}
