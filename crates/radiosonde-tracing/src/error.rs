//! What can be wrong with rules.

use std::error::Error;
use std::fmt;

use radiosonde::{AttachError, EventNameError};

/// A rule that cannot work, found when the layer is made.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RuleError {
    /// There is no rule, so nothing would be bridged.
    NoRules,
    /// The name that a rule gives, with its placeholders filled in, is not one.
    Name(EventNameError),
    /// A placeholder that there is not.
    Placeholder {
        /// The name of the rule.
        name: String,
        /// The placeholder.
        placeholder: String,
    },
    /// The name is one of telemetry's own.
    Reserved {
        /// The name of the rule.
        name: String,
    },
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRules => {
                f.write_str("there is no rule; give at least one, or leave the layer out")
            }
            Self::Name(error) => error.fmt(f),
            Self::Placeholder { name, placeholder } => {
                write!(
                    f,
                    "the rule `{name}` has `{placeholder}`; there are `<target>` and `<name>`"
                )
            }
            Self::Reserved { name } => write!(
                f,
                "the rule `{name}` names events of telemetry's own; begin it otherwise than with `telemetry`"
            ),
        }
    }
}

impl Error for RuleError {}

/// A reporter that could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It could not be attached: one of its names is none, it has no rules, or its id is taken.
    Attach(AttachError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attach(error) => error.fmt(f),
        }
    }
}

impl Error for StartError {}
