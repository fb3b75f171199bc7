//! Histograms whose buckets grow by a constant factor, as Prometheus and OpenTelemetry exchange them.

/// Measurements in exponential buckets: bucket `index` holds those above `base^index` and up to `base^(index + 1)`, with
/// a base of `2^(2^-schema)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExponentialHistogram {
    /// How fine the buckets are: `2^schema` of them for each doubling.
    pub schema: i8,
    /// Measurements up to this far from zero are in `zero_count`.
    pub zero_threshold: f64,
    /// How many measurements were zero, or as good as.
    pub zero_count: u64,
    /// The measurements above zero.
    pub positive: ExponentialBuckets,
    /// The measurements below zero, by their absolute values.
    pub negative: ExponentialBuckets,
    /// The measurements added up.
    pub sum: f64,
    /// How many measurements there were.
    pub count: u64,
}

/// The buckets on one side of zero, without gaps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExponentialBuckets {
    /// The index of the first bucket.
    pub offset: i32,
    /// How many measurements there were in each bucket.
    pub counts: Vec<u64>,
}
