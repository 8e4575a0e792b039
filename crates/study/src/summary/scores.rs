//! Scores of runs, and what they count as.

use quire_core::Direction;

use super::SeedResult;
use crate::store::RunStatus;

/// What a run that broke down counts as. A neutral metric is taken as better if higher: something has to be.
pub(super) fn worst(direction: Direction) -> f64 {
    match direction {
        Direction::Lower => f64::INFINITY,
        Direction::Higher | Direction::Neutral => f64::NEG_INFINITY,
    }
}

/// The score of a run from the last value it recorded; NaN if it has not ended.
pub(super) fn score(status: RunStatus, last: Option<f64>, direction: Direction) -> f64 {
    match (status, last) {
        (RunStatus::Done, Some(value)) if !value.is_nan() => value,
        (RunStatus::Done | RunStatus::Failed, _) => worst(direction),
        (RunStatus::Pending | RunStatus::Running, _) => f64::NAN,
    }
}

/// The scores that count: those of runs that have ended.
pub(super) fn ended(seeds: &[SeedResult]) -> Vec<f64> {
    seeds.iter().map(|seed| seed.score).filter(|score| !score.is_nan()).collect()
}

/// The same scores with their sign such that higher is better.
pub(super) fn upward(scores: &[f64], direction: Direction) -> Vec<f64> {
    match direction {
        Direction::Lower => scores.iter().map(|score| -score).collect(),
        Direction::Higher | Direction::Neutral => scores.to_vec(),
    }
}

/// A problem's raw scores on the scale from 0 (worst run) to 1 (optimum or best run).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Normalization {
    zero: f64,
    one: f64,
}

impl Normalization {
    /// The scale of a problem from the scores of all its runs; those that are not finite don't set it.
    pub(super) fn of(scores: &[f64], direction: Direction, optimum: Option<f64>) -> Self {
        let finite = || scores.iter().copied().filter(|score| score.is_finite());
        let low = finite().fold(f64::INFINITY, f64::min);
        let high = finite().fold(f64::NEG_INFINITY, f64::max);
        match direction {
            Direction::Lower => Normalization { zero: high, one: optimum.unwrap_or(low).min(low) },
            _ => Normalization { zero: low, one: optimum.unwrap_or(high).max(high) },
        }
    }

    /// The normalized score: 0 for a run that failed, NaN for one that has not ended. If all runs scored the same
    /// there is nothing to tell them apart by, and they score 1.
    pub(super) fn apply(self, score: f64) -> f64 {
        if score.is_infinite() {
            0.0
        } else if self.zero == self.one {
            if score.is_nan() { score } else { 1.0 }
        } else {
            (score - self.zero) / (self.one - self.zero)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_as_infinitely_bad_and_open_runs_not_at_all() {
        assert_eq!(score(RunStatus::Done, Some(3.0), Direction::Higher), 3.0);
        assert_eq!(score(RunStatus::Done, Some(f64::NAN), Direction::Lower), f64::INFINITY);
        assert_eq!(score(RunStatus::Done, None, Direction::Higher), f64::NEG_INFINITY);
        assert_eq!(score(RunStatus::Failed, Some(9.0), Direction::Higher), f64::NEG_INFINITY);
        assert!(score(RunStatus::Running, Some(9.0), Direction::Higher).is_nan());
    }

    #[test]
    fn zero_is_the_worst_run_and_one_the_optimum() {
        let scores = [2.0, 6.0, f64::NEG_INFINITY];
        let known = Normalization::of(&scores, Direction::Higher, Some(10.0));
        assert_eq!([2.0, 6.0, f64::NEG_INFINITY].map(|score| known.apply(score)), [0.0, 0.5, 0.0]);
        let unknown = Normalization::of(&scores, Direction::Higher, None);
        assert_eq!(unknown.apply(6.0), 1.0);
        // Lower is better: 6 is the worst. A run below the stated optimum moves it.
        let lower = Normalization::of(&[2.0, 6.0], Direction::Lower, Some(0.0));
        assert_eq!([6.0, 3.0, 0.0].map(|score| lower.apply(score)), [0.0, 0.5, 1.0]);
        assert_eq!(Normalization::of(&[2.0, 6.0], Direction::Lower, Some(4.0)).apply(2.0), 1.0);
        assert_eq!(Normalization::of(&[5.0, 5.0], Direction::Lower, None).apply(5.0), 1.0);
        assert!(known.apply(f64::NAN).is_nan());
    }
}
