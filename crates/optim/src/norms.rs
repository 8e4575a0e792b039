//! Gradient norms of a run, recorded by its optimizer.

use serde::{Deserialize, Serialize};

/// The file of an artefact that holds them.
pub const NORMS_FILE: &str = "gradient-norms.csv";

/// Means that are kept, at most.
const CAPACITY: usize = 4096;

/// The l1 and l2 norms of all gradients of a run, as means over stretches of equally many steps.
///
/// A stretch is one step until 4096 have been recorded, then two, then four: however long the run, it takes 64 KiB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GradientNorms {
    stretch: u64,
    l1: Vec<f64>,
    l2: Vec<f64>,
    /// Of the stretch under way: its steps, those of them with finite norms, and the sums of these.
    taken: u64,
    finite: u64,
    sums: [f64; 2],
}

impl Default for GradientNorms {
    fn default() -> Self {
        GradientNorms { stretch: 1, l1: Vec::new(), l2: Vec::new(), taken: 0, finite: 0, sums: [0.0; 2] }
    }
}

impl GradientNorms {
    /// Takes in the norms of a step; those that are not finite do not count.
    pub fn record(&mut self, l1: f64, l2: f64) {
        self.taken += 1;
        if l1.is_finite() && l2.is_finite() {
            self.finite += 1;
            self.sums[0] += l1;
            self.sums[1] += l2;
        }
        if self.taken < self.stretch {
            return;
        }
        for (norms, sum) in [&mut self.l1, &mut self.l2].into_iter().zip(self.sums) {
            let last = norms.last().copied().unwrap_or(0.0);
            norms.push(if self.finite > 0 { sum / self.finite as f64 } else { last });
        }
        (self.taken, self.finite, self.sums) = (0, 0, [0.0; 2]);
        if self.l1.len() == CAPACITY {
            for norms in [&mut self.l1, &mut self.l2] {
                *norms = norms.chunks_exact(2).map(|pair| 0.5 * (pair[0] + pair[1])).collect();
            }
            self.stretch *= 2;
        }
    }

    /// Steps of a stretch.
    pub fn stretch(&self) -> u64 {
        self.stretch
    }

    /// Mean l1 norms, one a stretch.
    pub fn l1(&self) -> &[f64] {
        &self.l1
    }

    /// Mean l2 norms, one a stretch.
    pub fn l2(&self) -> &[f64] {
        &self.l2
    }

    /// A CSV file: `step` (the last one of the stretch), `l1`, `l2`.
    pub fn to_csv(&self) -> String {
        let mut text = String::from("step,l1,l2\n");
        for (i, (l1, l2)) in self.l1.iter().zip(&self.l2).enumerate() {
            text.push_str(&format!("{},{l1},{l2}\n", (i as u64 + 1) * self.stretch));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_is_kept_in_longer_stretches() {
        let mut norms = GradientNorms::default();
        for step in 0..3 {
            norms.record(f64::from(step) + 1.0, f64::from(step));
        }
        assert_eq!(
            (norms.stretch(), norms.l1(), norms.l2()),
            (1, &[1.0, 2.0, 3.0][..], &[0.0, 1.0, 2.0][..])
        );
        assert_eq!(norms.to_csv(), "step,l1,l2\n1,1,0\n2,2,1\n3,3,2\n");
        for step in 3..10_000 {
            norms.record(f64::from(step) + 1.0, f64::from(step));
        }
        // 4096 steps, then stretches of 2 up to 8192, then of 4.
        assert_eq!((norms.stretch(), norms.l1().len()), (4, 2500));
        assert_eq!((norms.l2()[0], norms.l2()[2499]), (1.5, 9997.5));
    }

    #[test]
    fn a_norm_that_is_not_finite_does_not_count() {
        let mut norms = GradientNorms::default();
        for norm in [1.0, f64::NAN, f64::INFINITY, 3.0] {
            norms.record(norm, norm);
        }
        assert_eq!(norms.l2(), [1.0, 1.0, 1.0, 3.0]);
    }
}
