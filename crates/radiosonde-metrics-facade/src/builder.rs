//! The settings of a recorder.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use metrics::SetRecorderError;
use radiosonde_metrics::{Buckets, DEFAULT_SERIES_LIMIT, Store};

use crate::recorder::StoreRecorder;

/// How many metrics a recorder defines at most, unless [`Builder::metrics_limit`] says otherwise.
pub const DEFAULT_METRICS_LIMIT: usize = 1_000;

/// The settings of a [`StoreRecorder`].
#[derive(Debug, Clone)]
#[must_use = "nothing is recorded until `.build()` or `.install()`"]
pub struct Builder {
    pub(crate) store: Arc<Store>,
    /// Patterns of names, with the buckets of their histograms.
    pub(crate) buckets: Vec<(String, Buckets)>,
    pub(crate) series_limit: usize,
    pub(crate) metrics_limit: usize,
}

impl Builder {
    pub(crate) fn new(store: &Arc<Store>) -> Self {
        Self {
            store: Arc::clone(store),
            buckets: Vec::new(),
            series_limit: DEFAULT_SERIES_LIMIT,
            metrics_limit: DEFAULT_METRICS_LIMIT,
        }
    }

    /// Gives histograms of this name buckets; without any they are summaries with quantiles. A `*` stands for any text. Of several
    /// patterns that match, the first one counts.
    pub fn buckets(mut self, name: impl Into<String>, buckets: impl Into<Buckets>) -> Self {
        self.buckets.push((name.into(), buckets.into()));
        self
    }

    /// How many series each metric that is defined here has at most. What is beyond goes to the overflow series.
    pub fn series_limit(mut self, limit: usize) -> Self {
        self.series_limit = limit;
        self
    }

    /// How many metrics are defined here at most. What is beyond is not recorded, and counted.
    pub fn metrics_limit(mut self, limit: usize) -> Self {
        self.metrics_limit = limit;
        self
    }

    /// Makes the recorder, for `metrics::with_local_recorder`, or to put layers around it.
    ///
    /// # Errors
    ///
    /// If a limit is 0.
    pub fn build(self) -> Result<StoreRecorder, BuildError> {
        if self.series_limit == 0 || self.metrics_limit == 0 {
            return Err(BuildError);
        }
        Ok(StoreRecorder::new(self))
    }

    /// Makes the recorder that of the whole program, and returns another handle to it.
    ///
    /// # Errors
    ///
    /// As for [`Builder::build`], and if the program has a recorder already.
    pub fn install(self) -> Result<StoreRecorder, InstallError> {
        let recorder = self.build().map_err(InstallError::Build)?;
        metrics::set_global_recorder(recorder.clone()).map_err(InstallError::Taken)?;
        Ok(recorder)
    }
}

/// A limit of 0, with which nothing could be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildError;

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a limit of the recorder is 0, so that nothing could be recorded; give at least 1 to `.series_limit(..)` and `.metrics_limit(..)`")
    }
}

impl Error for BuildError {}

/// A recorder that could not be installed.
#[derive(Debug)]
#[non_exhaustive]
pub enum InstallError {
    /// Its settings are wrong.
    Build(BuildError),
    /// The program has another recorder already.
    Taken(SetRecorderError<StoreRecorder>),
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build(error) => error.fmt(f),
            Self::Taken(_) => f.write_str(
                "the program has a recorder of `metrics` already; install this one before it, or leave the other one out",
            ),
        }
    }
}

impl Error for InstallError {}
