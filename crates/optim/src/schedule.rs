//! Learning-rate schedules: a factor on the learning rate as a function of the steps taken.
//!
//! Let `t` be the steps taken so far (0 at the first step), `w` the warm-up and `T` the total. During warm-up the
//! factor is `(t + 1) / w`, so that the first step already moves; afterwards it depends on
//! `s = t - w` and, where the shape has an end, on the progress `u = s / (T - w)`, held at 1 from `T` on.

use quire_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::options::{check_count, check_range};
use crate::refinement::interpolate;

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
    /// It falls by a factor at given shares of the run, and stays between.
    Milestones(Milestones),
    /// It falls as 1/(1 + rate s) after s steps.
    Inverse(Inverse),
    /// It falls as 1/√(1 + rate s) after s steps.
    InverseSqrt(Inverse),
    /// It follows a list of factors, spread evenly over the run: a refined schedule, say.
    Points(Points),
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

/// Options of the schedule `milestones`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Milestones {
    /// Steps over which the learning rate first rises on a straight line; 0 for none.
    pub warm_up_steps: u64,
    /// Steps of the run, warm-up included; by default known from the run.
    pub total_steps: Option<u64>,
    /// The factor at each milestone, in `(0, 1]`; 0.1 is usual.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub decay: f64,
    /// Shares of the steps after the warm-up, each in `[0, 1]`; usual: 0.3, 0.6, 0.9.
    #[schemars(inner(range(min = 0.0, max = 1.0)))]
    pub at: Vec<f64>,
}

impl Default for Milestones {
    fn default() -> Self {
        Milestones { warm_up_steps: 0, total_steps: None, decay: 0.1, at: vec![0.3, 0.6, 0.9] }
    }
}

/// Options of the schedules `inverse` and `inverse-sqrt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Inverse {
    /// Steps over which the learning rate first rises on a straight line; 0 for none.
    pub warm_up_steps: u64,
    /// How fast it falls, per step, at least 0; after 1/rate steps `inverse` has come to a half. Textbooks: 1.
    #[schemars(range(min = 0.0))]
    pub rate: f64,
}

impl Default for Inverse {
    fn default() -> Self {
        Inverse { warm_up_steps: 0, rate: 1.0 }
    }
}

/// Options of the schedule `points`. The command line fills them in from a file: `--set optimizer.schedule=refined.csv`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Points {
    /// Steps over which the factors are spread; by default the steps of the run.
    pub total_steps: Option<u64>,
    /// The factors, each in `[0, 1]`: the first holds at the first step, the last at the last, and straight lines lie between.
    #[schemars(inner(range(min = 0.0, max = 1.0)))]
    pub factors: Vec<f64>,
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
            Schedule::Milestones(o) => {
                check_range(prefix, "decay", o.decay, o.decay > 0.0 && o.decay <= 1.0, "in (0, 1]")?;
                o.at.iter().try_for_each(|at| check_share(prefix, "at", *at))
            }
            Schedule::Inverse(o) | Schedule::InverseSqrt(o) => {
                check_range(prefix, "rate", o.rate, o.rate >= 0.0 && o.rate.is_finite(), "at least 0")
            }
            Schedule::Points(o) if o.factors.is_empty() => Err(Error::option(
                format!("{prefix}factors"),
                "is empty; give a list of factors, or the schedule as a file that `quire refine-schedule` wrote",
            )),
            Schedule::Points(o) => o.factors.iter().try_for_each(|f| check_share(prefix, "factors", *f)),
        }
    }

    /// The same schedule with its end filled in.
    ///
    /// # Errors
    /// [`Error::Option`] if the shape has an end, its own `total_steps` is not set and the run's is unknown, or if
    /// the warm-up is not shorter than the total.
    pub fn with_total_steps(&self, run: Option<u64>) -> Result<Schedule> {
        self.with_steps_of(run, "optimizer.schedule.")
    }

    /// The same; `prefix` names the table in errors.
    ///
    /// # Errors
    /// Those of [`with_total_steps`](Schedule::with_total_steps).
    pub fn with_steps_of(&self, run: Option<u64>, prefix: &str) -> Result<Schedule> {
        let mut schedule = self.clone();
        let (total_steps, warm_up) = match &mut schedule {
            Schedule::Linear(o) | Schedule::Cosine(o) => (&mut o.total_steps, o.warm_up_steps),
            Schedule::Milestones(o) => (&mut o.total_steps, o.warm_up_steps),
            Schedule::Points(o) => (&mut o.total_steps, 0),
            _ => return Ok(schedule),
        };
        let total = total_steps.or(run).ok_or_else(|| {
            Error::option(
                format!("{prefix}total_steps"),
                "the run has no fixed number of optimizer steps; say here when the schedule ends",
            )
        })?;
        if warm_up > 0 && warm_up >= total {
            return Err(Error::option(
                format!("{prefix}warm_up_steps"),
                format!("is {warm_up}, must be below the {total} steps of the schedule"),
            ));
        }
        *total_steps = Some(total);
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
            Schedule::Milestones(o) => o.warm_up_steps,
            Schedule::Inverse(o) | Schedule::InverseSqrt(o) => o.warm_up_steps,
            Schedule::Points(_) => 0,
        };
        if taken < warm_up {
            return (taken + 1) as f64 / warm_up as f64;
        }
        let since = taken - warm_up;
        let share = |total: Option<u64>| match total {
            Some(total) => (since as f64 / total.saturating_sub(warm_up).max(1) as f64).min(1.0),
            None => 0.0,
        };
        let progress = |o: &Decay| share(o.total_steps);
        match self {
            Schedule::Constant(_) => 1.0,
            Schedule::Linear(o) => 1.0 - (1.0 - o.final_factor) * progress(o),
            Schedule::Cosine(o) => {
                let falling = 0.5 * (1.0 + (std::f64::consts::PI * progress(o)).cos());
                o.final_factor + (1.0 - o.final_factor) * falling
            }
            Schedule::Exponential(o) => o.decay.powf(since as f64 / o.every as f64),
            Schedule::Step(o) => o.decay.powf((since / o.every) as f64),
            Schedule::Milestones(o) => {
                let done = share(o.total_steps);
                o.decay.powi(o.at.iter().filter(|&&at| o.total_steps.is_some() && at <= done).count() as i32)
            }
            Schedule::Inverse(o) => 1.0 / (1.0 + o.rate * since as f64),
            Schedule::InverseSqrt(o) => 1.0 / (1.0 + o.rate * since as f64).sqrt(),
            Schedule::Points(o) => {
                let last = o.total_steps.unwrap_or(1).saturating_sub(1).max(1);
                interpolate(&o.factors, taken.min(last) as f64 / last as f64)
            }
        }
    }
}

fn check_share(prefix: &str, name: &str, value: f64) -> Result<()> {
    check_range(prefix, name, value, (0.0..=1.0).contains(&value), "in [0, 1]")
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
    fn inverse_decay_and_milestones() {
        let inverse = Inverse { warm_up_steps: 2, rate: 0.5 };
        assert_factors(
            &Schedule::Inverse(inverse.clone()),
            &[(0, 0.5), (1, 1.0), (2, 1.0), (4, 0.5), (8, 0.25)],
        );
        assert_factors(&Schedule::InverseSqrt(inverse), &[(2, 1.0), (8, 0.5), (32, 0.25)]);
        let milestones = Schedule::Milestones(Milestones { total_steps: Some(10), ..Milestones::default() });
        assert_factors(
            &milestones,
            &[(0, 1.0), (2, 1.0), (3, 0.1), (6, 0.01), (8, 0.01), (9, 0.001), (20, 0.001)],
        );
    }

    #[test]
    fn points_are_spread_over_the_run() {
        let points = Schedule::Points(Points { total_steps: None, factors: vec![0.5, 1.0, 0.0] });
        let five = points.with_total_steps(Some(5)).unwrap();
        assert_factors(&five, &[(0, 0.5), (1, 0.75), (2, 1.0), (3, 0.5), (4, 0.0), (5, 0.0)]);
        assert_factors(&points.with_total_steps(Some(3)).unwrap(), &[(0, 0.5), (1, 1.0), (2, 0.0)]);
        assert_factors(&points.with_total_steps(Some(1)).unwrap(), &[(0, 0.5)]);
        let error =
            |factors| Schedule::Points(Points { total_steps: None, factors }).check("schedule.").unwrap_err();
        assert!(error(vec![]).to_string().contains("quire refine-schedule"));
        assert!(error(vec![0.5, 1.5]).to_string().contains("schedule.factors"));
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
