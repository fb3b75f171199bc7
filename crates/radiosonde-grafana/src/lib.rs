#![doc = include_str!("../README.md")]

pub mod curated;
mod dashboard;
mod panel;
mod query;
mod rules;
mod series;
mod unit;

pub use dashboard::{Dashboard, provider};
pub use panel::Panel;
pub use query::Query;
pub use rules::{Alert, Rules};
pub use series::Series;
