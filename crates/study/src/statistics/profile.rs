//! Performance profiles: how many runs reach a score, for every score.

use super::{Bootstrap, Estimate};

/// For each threshold, the fraction of runs (over all tasks) with a score strictly above it, with its pointwise
/// interval: the run-score distribution of Agarwal et al. 2021, section 4.3. A NaN score is above nothing.
pub fn performance_profile(scores: &[Vec<f64>], thresholds: &[f64], bootstrap: &Bootstrap) -> Vec<Estimate> {
    bootstrap.estimates(scores, thresholds.len(), |sample, out| {
        let runs: usize = sample.iter().map(Vec::len).sum();
        for (fraction, threshold) in out.iter_mut().zip(thresholds) {
            let above = sample.iter().flatten().filter(|score| *score > threshold).count();
            *fraction = above as f64 / runs as f64;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_falls_from_all_to_none() {
        let scores = [vec![0.1, 0.5], vec![0.5, 0.9]];
        let profile = performance_profile(&scores, &[0.0, 0.1, 0.5, 0.9], &Bootstrap::default());
        let values: Vec<f64> = profile.iter().map(|estimate| estimate.value).collect();
        assert_eq!(values, [1.0, 0.75, 0.25, 0.0]);
        assert!(profile.iter().all(|e| e.low <= e.value && e.value <= e.high));
        // Each task has one run above 0.1 and 0.5 for sure, and one that may be drawn twice or never.
        assert_eq!((profile[1].low, profile[1].high), (0.5, 1.0));
    }
}
