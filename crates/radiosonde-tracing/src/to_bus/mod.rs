//! From `tracing` to the bus: the layer.

mod entered;
mod layer;
mod open;
mod plan;
mod recorded;
mod rule;

pub use self::layer::{Listened, ToBus, to_bus};
pub use self::rule::BusRule;
