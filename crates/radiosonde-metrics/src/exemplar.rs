//! Exemplars: for a series or a bucket, one measurement with the span in which it was taken.

use std::time::SystemTime;

/// A measurement that stands for the others of its series or bucket, with what leads to the span in which it was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// The measurement, in the unit that the metric exports; 1 for a counter.
    pub value: f64,
    /// When it was taken.
    pub time: SystemTime,
    /// Names and values of its labels: at most 128 characters together, as OpenMetrics allows. There is one,
    /// `span_context`.
    pub labels: Vec<(String, String)>,
}
