//! From the bus to `tracing`: the reporter.

mod fields;
mod known;
mod reporter;
mod rule;
mod site;

pub use self::reporter::{Lost, ToTracing};
pub use self::rule::TracingRule;
pub(crate) use self::site::{Site, is_made_here};
