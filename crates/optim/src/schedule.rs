//! Learning-rate schedules: a factor on the learning rate as a function of the steps taken.
//!
//! Let `t` be the steps taken so far (0 at the first step), `w` the warm-up and `T` the total. During warm-up the
//! factor is `(t + 1) / w`, so that the first step already moves; afterwards it depends on
//! `s = t - w` and, where the shape has an end, on the progress `u = s / (T - w)`, held at 1 from `T` on.

use quire_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::options::{check_count, check_range};

/// How the learning rate changes over a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Schedule {
    /// The learning rate stays.
    Constant(Constant),
    /// It falls on a straight line.
    Linear(Decay),
    /// It falls on half a cosine (Loshchilov & Hutter 2017, SGDR without restarts).
    Cosine(Decay),
    /// It falls by the same factor every step.
    Exponential(Geometric),
    /// It falls by a factor every so many steps, and stays between.
    Step(Geometric),
}

/// Options of the schedule `constant`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Constant {
    /// Steps over which the learning rate first rises on a straight line; 0 for none.
    pub warm_up_steps: u64,
}

/// Options of the schedules `linear` and `cosine`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Decay {
    /// Steps over which the learning rate first rises on a straight line; 0 for none.
    pub warm_up_steps: u64,
    /// Steps after which the schedule has reached its end, warm-up included; by default the steps of the run.
    pub total_steps: Option<u64>,
    /// The factor at the end, in `[0, 1]`; 0 in the paper and in most codes.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub final_factor: f64,
}

/// Options of the schedules `exponential` and `step`: a factor of `decay` every `every` steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Geometric {
    /// Steps over which the learning rate first rises on a straight line; 0 for none.
    pub warm_up_steps: u64,
    /// The factor reached every `every` steps, in `(0, 1]`; 0.1 in PyTorch's `StepLR`.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub decay: f64,
    /// Steps over which the factor `decay` is reached, at least 1.
    #[schemars(range(min = 1))]
    pub every: u64,
}

impl Default for Geometric {
    fn default() -> Self {
        Geometric { warm_up_steps: 0, decay: 0.1, every: 1000 }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule::Constant(Constant::default())
    }
}

impl Schedule {
    /// Checks the ranges; `prefix` names the table in errors, such as `optimizer.schedule.`.
    ///
    /// # Errors
    /// [`Error::Option`] with the field's full name.
    pub fn check(&self, prefix: &str) -> Result<()> {
        match self {
            Schedule::Constant(_) => Ok(()),
            Schedule::Linear(o) | Schedule::Cosine(o) => check_range(
                prefix,
                "final_factor",
                o.final_factor,
                (0.0..=1.0).contains(&o.final_factor),
                "in [0, 1]",
            ),
            Schedule::Exponential(o) | Schedule::Step(o) => {
                check_range(prefix, "decay", o.decay, o.decay > 0.0 && o.decay <= 1.0, "in (0, 1]")?;
                check_count(prefix, "every", o.every)
            }
        }
    }

    /// The same schedule with its end filled in.
    ///
    /// # Errors
    /// [`Error::Option`] if the shape has an end, its own `total_steps` is not set and the run's is unknown, or if
    /// the warm-up is not shorter than the total.
    pub fn with_total_steps(&self, run: Option<u64>) -> Result<Schedule> {
        let mut schedule = self.clone();
        if let Schedule::Linear(o) | Schedule::Cosine(o) = &mut schedule {
            let total = o.total_steps.or(run).ok_or_else(|| {
                Error::option(
                    "optimizer.schedule.total_steps",
                    "the run has no fixed number of optimizer steps; say here when the schedule ends",
                )
            })?;
            if o.warm_up_steps >= total {
                return Err(Error::option(
                    "optimizer.schedule.warm_up_steps",
                    format!("is {}, must be below the {total} steps of the schedule", o.warm_up_steps),
                ));
            }
            o.total_steps = Some(total);
        }
        Ok(schedule)
    }

    /// The factor on the learning rate after `taken` steps, in `[0, 1]`.
    ///
    /// A shape with an end whose total is unknown (see [`with_total_steps`](Schedule::with_total_steps)) does not
    /// decay.
    pub fn factor(&self, taken: u64) -> f64 {
        let warm_up = match self {
            Schedule::Constant(o) => o.warm_up_steps,
            Schedule::Linear(o) | Schedule::Cosine(o) => o.warm_up_steps,
            Schedule::Exponential(o) | Schedule::Step(o) => o.warm_up_steps,
        };
        if taken < warm_up {
            return (taken + 1) as f64 / warm_up as f64;
        }
        let since = taken - warm_up;
        let progress = |o: &Decay| match o.total_steps {
            Some(total) => (since as f64 / total.saturating_sub(warm_up).max(1) as f64).min(1.0),
            None => 0.0,
        };
        match self {
            Schedule::Constant(_) => 1.0,
            Schedule::Linear(o) => 1.0 - (1.0 - o.final_factor) * progress(o),
            Schedule::Cosine(o) => {
                let falling = 0.5 * (1.0 + (std::f64::consts::PI * progress(o)).cos());
                o.final_factor + (1.0 - o.final_factor) * falling
            }
            Schedule::Exponential(o) => o.decay.powf(since as f64 / o.every as f64),
            Schedule::Step(o) => o.decay.powf((since / o.every) as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_factors(schedule: &Schedule, expected: &[(u64, f64)]) {
        for &(taken, factor) in expected {
            let got = schedule.factor(taken);
            assert!((got - factor).abs() < 1e-12, "{schedule:?} after {taken}: {got}, not {factor}");
        }
    }

    #[test]
    fn warm_up_reaches_the_full_rate_at_its_last_step() {
        let schedule = Schedule::Constant(Constant { warm_up_steps: 4 });
        assert_factors(&schedule, &[(0, 0.25), (1, 0.5), (3, 1.0), (4, 1.0), (1000, 1.0)]);
    }

    #[test]
    fn a_line_falls_to_its_final_factor() {
        let decay = Decay { warm_up_steps: 0, total_steps: Some(10), final_factor: 0.0 };
        assert_factors(
            &Schedule::Linear(decay.clone()),
            &[(0, 1.0), (1, 0.9), (9, 0.1), (10, 0.0), (99, 0.0)],
        );
        let warm = Decay { warm_up_steps: 2, total_steps: Some(10), final_factor: 0.2 };
        assert_factors(
            &Schedule::Linear(warm),
            &[(0, 0.5), (1, 1.0), (2, 1.0), (6, 0.6), (10, 0.2), (11, 0.2)],
        );
    }

    #[test]
    fn a_cosine_is_half_way_down_in_the_middle() {
        let cosine = Schedule::Cosine(Decay { warm_up_steps: 0, total_steps: Some(6), final_factor: 0.1 });
        // cos(pi / 3) = 1/2: 0.1 + 0.9 * 0.75 = 0.775; the middle is 0.55.
        assert_factors(&cosine, &[(0, 1.0), (2, 0.775), (3, 0.55), (4, 0.325), (6, 0.1), (7, 0.1)]);
    }

    #[test]
    fn geometric_decay_is_smooth_or_in_steps() {
        let geometric = Geometric { warm_up_steps: 0, decay: 0.25, every: 2 };
        assert_factors(
            &Schedule::Exponential(geometric.clone()),
            &[(0, 1.0), (1, 0.5), (2, 0.25), (3, 0.125)],
        );
        assert_factors(&Schedule::Step(geometric), &[(0, 1.0), (1, 1.0), (2, 0.25), (3, 0.25), (4, 0.0625)]);
    }

    #[test]
    fn the_end_comes_from_the_schedule_or_from_the_run() {
        let linear = Schedule::Linear(Decay::default());
        assert!(linear.with_total_steps(None).unwrap_err().to_string().contains("total_steps"));
        assert_eq!(linear.with_total_steps(Some(4)).unwrap().factor(1), 0.75);
        let own = Schedule::Linear(Decay { total_steps: Some(2), ..Decay::default() });
        assert_eq!(own.with_total_steps(Some(4)).unwrap().factor(1), 0.5);
        let late = Schedule::Cosine(Decay { warm_up_steps: 4, ..Decay::default() });
        assert!(late.with_total_steps(Some(4)).unwrap_err().to_string().contains("warm_up_steps"));
    }
}
