//! Exemplars: single measurements that lead from a number to what happened.

use std::time::SystemTime;

/// One measurement, with what finds the trace or the log line that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// What was measured; 1 for a counter.
    pub value: f64,
    /// When.
    pub time: SystemTime,
    /// Names and values of its labels.
    pub labels: Vec<(String, String)>,
}
