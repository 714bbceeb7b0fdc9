//! How a figure is spread.

use serde::Serialize;

use crate::report::{percentile, rounded};

/// Percentiles of many samples, in the samples' unit.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Term {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Term {
    /// Of at least one sample; what could not be measured (NaN) counts as the largest.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |percent| rounded(percentile(&values, percent));
        Self { p50: at(50.0), p95: at(95.0), p99: at(99.0), max: at(100.0) }
    }
}
