//! Two methods beside each other.

use quire_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Aggregate, Bootstrap, Estimate};

/// How the runs of two methods belong together when they are resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pairing {
    /// Each method's runs are drawn on their own: the honest choice unless runs share their randomness.
    #[default]
    Unpaired,
    /// Run `i` of both methods is drawn together: right where run `i` of both saw the same instances (the same
    /// data split, the same random problem), whose difficulty then cancels.
    Paired,
}

/// The probability that a run of `x` beats a run of `y` on the same task, averaged over tasks: the Mann-Whitney
/// statistic `U / (n m)`, ties counted half. Higher scores are better.
///
/// # Errors
/// [`Error::Usage`] if the methods have different numbers of tasks, or a task has no run.
pub fn probability_of_improvement(x: &[Vec<f64>], y: &[Vec<f64>]) -> Result<f64> {
    check_tasks(x, y)?;
    Ok(improvement(x, y))
}

fn improvement(x: &[Vec<f64>], y: &[Vec<f64>]) -> f64 {
    let per_task = x.iter().zip(y).map(|(x, y)| {
        let wins: f64 = x.iter().map(|a| y.iter().map(|b| win(*a, *b)).sum::<f64>()).sum();
        wins / (x.len() * y.len()) as f64
    });
    per_task.sum::<f64>() / x.len() as f64
}

/// 1 for a win, 1/2 for a tie, 0 for a loss; NaN if either is.
fn win(a: f64, b: f64) -> f64 {
    match a.partial_cmp(&b) {
        Some(std::cmp::Ordering::Greater) => 1.0,
        Some(std::cmp::Ordering::Equal) => 0.5,
        Some(std::cmp::Ordering::Less) => 0.0,
        None => f64::NAN,
    }
}

impl Bootstrap {
    /// [`probability_of_improvement`] with its interval; the runs of the two methods are drawn independently.
    ///
    /// # Errors
    /// As [`probability_of_improvement`].
    pub fn improvement(&self, x: &[Vec<f64>], y: &[Vec<f64>]) -> Result<Estimate> {
        check_tasks(x, y)?;
        Ok(self.estimate_of(&[x, y], Pairing::Unpaired, |samples| improvement(&samples[0], &samples[1])))
    }

    /// `aggregate(x) - aggregate(y)` with its interval.
    ///
    /// # Errors
    /// [`Error::Usage`] if the tasks differ in number, a task has no run, or paired runs differ in number.
    pub fn difference(
        &self,
        x: &[Vec<f64>],
        y: &[Vec<f64>],
        aggregate: Aggregate,
        pairing: Pairing,
    ) -> Result<Estimate> {
        check_pairing(x, y, pairing)?;
        let mut buffer = Vec::new();
        Ok(self.estimate_of(&[x, y], pairing, |samples| {
            aggregate.evaluate(&samples[0], &mut buffer) - aggregate.evaluate(&samples[1], &mut buffer)
        }))
    }

    /// `aggregate(x) / aggregate(y)` with its interval.
    ///
    /// A ratio means nothing where the denominator may be 0: if any resample of it is 0 or has another sign than
    /// the measured one, the interval is the whole line, `-inf` to `inf`.
    ///
    /// # Errors
    /// As [`difference`](Bootstrap::difference).
    pub fn ratio(
        &self,
        x: &[Vec<f64>],
        y: &[Vec<f64>],
        aggregate: Aggregate,
        pairing: Pairing,
    ) -> Result<Estimate> {
        check_pairing(x, y, pairing)?;
        let mut buffer = Vec::new();
        let sign = aggregate.evaluate(y, &mut buffer).signum();
        let mut bounded = true;
        let estimate = self.estimate_of(&[x, y], pairing, |samples| {
            let denominator = aggregate.evaluate(&samples[1], &mut buffer);
            bounded &= denominator * sign > 0.0;
            aggregate.evaluate(&samples[0], &mut buffer) / denominator
        });
        if bounded || estimate.value.is_nan() {
            return Ok(estimate);
        }
        Ok(Estimate { low: f64::NEG_INFINITY, high: f64::INFINITY, ..estimate })
    }
}

fn check_tasks(x: &[Vec<f64>], y: &[Vec<f64>]) -> Result<()> {
    if x.len() != y.len() || x.is_empty() {
        return Err(Error::Usage(format!(
            "two methods can only be compared on the same problems: one has {} and the other {}",
            x.len(),
            y.len()
        )));
    }
    if x.iter().chain(y).any(Vec::is_empty) {
        return Err(Error::Usage("two methods can only be compared where both have at least one run".into()));
    }
    Ok(())
}

fn check_pairing(x: &[Vec<f64>], y: &[Vec<f64>], pairing: Pairing) -> Result<()> {
    check_tasks(x, y)?;
    if pairing == Pairing::Paired && x.iter().zip(y).any(|(x, y)| x.len() != y.len()) {
        return Err(Error::Usage("a paired comparison needs the same seeds of both methods".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUICK: Bootstrap = Bootstrap { resamples: 2000, level: 0.95, seed: 1 };

    #[test]
    fn improvement_by_hand() {
        // Task 1: of 4 pairs, 3 > 1, 3 > 2, 2 > 1 are won and 2 = 2 is tied: 3.5 / 4. Task 2: 0 / 2.
        let probability =
            probability_of_improvement(&[vec![3.0, 2.0], vec![0.0]], &[vec![1.0, 2.0], vec![5.0, 6.0]]);
        assert_eq!(probability.unwrap(), 3.5 / 8.0);
    }

    #[test]
    fn what_cannot_be_compared_is_said() {
        let one = [vec![1.0]];
        assert!(probability_of_improvement(&one, &[]).is_err());
        assert!(QUICK.improvement(&one, &[vec![]]).unwrap_err().to_string().contains("at least one run"));
        let two = [vec![1.0, 2.0]];
        assert!(QUICK.difference(&one, &two, Aggregate::Iqm, Pairing::Paired).is_err());
        assert!(QUICK.difference(&one, &two, Aggregate::Iqm, Pairing::Unpaired).is_ok());
    }

    #[test]
    fn pairing_cancels_what_the_runs_share() {
        let y = [vec![1.0, 5.0, 9.0, 30.0, 70.0, 100.0]];
        let x = [y[0].iter().map(|score| score + 2.0).collect::<Vec<f64>>()];
        let paired = QUICK.difference(&x, &y, Aggregate::Mean, Pairing::Paired).unwrap();
        assert!((paired.low - 2.0).abs() < 1e-12 && (paired.high - 2.0).abs() < 1e-12);
        let unpaired = QUICK.difference(&x, &y, Aggregate::Mean, Pairing::Unpaired).unwrap();
        assert!(unpaired.low < -20.0 && unpaired.high > 20.0);
    }

    #[test]
    fn a_ratio_with_a_doubtful_denominator_is_unbounded() {
        let ratio =
            |y: Vec<f64>| QUICK.ratio(&[vec![4.0, 6.0]], &[y], Aggregate::Mean, Pairing::Unpaired).unwrap();
        let sure = ratio(vec![2.0, 3.0]);
        assert_eq!((sure.value, sure.low, sure.high), (2.0, 4.0 / 3.0, 3.0));
        let doubtful = ratio(vec![-1.0, 3.0]);
        assert_eq!((doubtful.low, doubtful.high), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!(doubtful.value, 5.0);
    }

    fn scores() -> impl Strategy<Value = Vec<Vec<f64>>> {
        // Few distinct values, so that ties happen.
        prop::collection::vec(prop::collection::vec((0..6).prop_map(f64::from), 1..6), 3)
    }

    proptest! {
        #[test]
        fn improvement_is_antisymmetric_and_sees_no_order(x in scores(), y in scores()) {
            let forward = probability_of_improvement(&x, &y).unwrap();
            let backward = probability_of_improvement(&y, &x).unwrap();
            prop_assert!((forward + backward - 1.0).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&forward));
            prop_assert!((probability_of_improvement(&x, &x).unwrap() - 0.5).abs() < 1e-12);
            let reversed: Vec<Vec<f64>> = x.iter().map(|runs| runs.iter().rev().copied().collect()).collect();
            prop_assert!((probability_of_improvement(&reversed, &y).unwrap() - forward).abs() < 1e-12);
        }
    }
}
