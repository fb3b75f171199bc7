//! Figures to compare: one for each contender and piece of work.

use std::collections::HashMap;
use std::hash::Hash;

use crate::run::Contender;

/// One figure for each contender and work.
#[derive(Debug)]
pub(crate) struct Figures<W>(HashMap<(&'static str, W), f64>);

impl<W> Default for Figures<W> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<W: Copy + Eq + Hash> Figures<W> {
    pub(crate) fn insert(&mut self, contender: Contender<W>, work: W, figure: f64) {
        self.0.insert((contender.name, work), figure);
    }

    pub(crate) fn get(&self, contender: Contender<W>, work: W) -> Option<f64> {
        self.0.get(&(contender.name, work)).copied()
    }

    /// The same with what `baseline` took for each work taken off; less than that is nothing.
    pub(crate) fn without(&self, baseline: Contender<W>) -> Self {
        let taken_off = |(&(name, work), figure): (&(&'static str, W), &f64)| {
            Some(((name, work), (figure - self.get(baseline, work)?).max(0.0)))
        };
        Self(self.0.iter().filter_map(taken_off).collect())
    }
}
