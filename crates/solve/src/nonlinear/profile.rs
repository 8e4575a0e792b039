//! A performance profile (Dolan & Moré 2002): all equations and all starts as one problem, of which a seed is a pair.
//!
//! Seeds 0 to 48 are the seven systems of [`super::systems`] from the seven starts, system after system; further seeds draw starts. What a method needed is compared with the least that any of the five
//! scalings, with its default options, needs from the same start. Over many seeds the mean of `within_2` is the profile at 2: the part of the pairs that a method solves
//! with at most twice the evaluations of the best.

use std::sync::Arc;

use quire_core::{Direction, Metric, OptionMap, Problem, Result, Rng, Seeds};
use rand::RngExt;

use super::systems::{STARTS, System};
use super::{Bounded, METHODS};
use crate::problem::{Said, SolveProblem, World};
use crate::solver::solve;

/// The systems of the profile.
pub const SYSTEMS: [System; 7] = [
    System::Himmelblau,
    System::BullardBiegler,
    System::FerrarisTronconi,
    System::Brown,
    System::RobotKinematics,
    System::Chandrasekhar(50, 0.99),
    System::Chandrasekhar(100, 0.9999),
];

/// Iterations of a run.
const BUDGET: u64 = 300;

/// log2 of the ratio of a method that does not solve a pair.
const FAILED: f64 = 10.0;

/// All systems, all starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile;

/// The problem.
pub fn problem() -> Arc<dyn Problem> {
    let said = Said {
        name: "bounded-equations-profile",
        summary: "solve one of seven systems with bounds from one of its starts, and compare what that took with the best of five scalings",
        budget: BUDGET,
        source: "the other bounded equations; the measure is Dolan and Moré's",
        tags: &["nonlinear equations", "bounds", "performance profile"],
        work: "evaluations of F",
    };
    Arc::new(SolveProblem::new(said, METHODS, Profile))
}

/// Whether a method is one of those that are compared with.
fn is_scaling(name: &str) -> bool {
    name.ends_with("-scaling")
}

/// The least evaluations in which a scaling solves a system from its start; infinite if none does.
pub fn least_work(system: System, problem: &Bounded) -> f64 {
    let work = |make: &crate::solver::Make<Bounded>| {
        let mut solver = make(problem, &OptionMap::new()).ok()?;
        let found = solve(&mut *solver, problem, BUDGET);
        let is_found = system.measure(problem, &(), &found.values)[0].1 == 1.0;
        is_found.then_some(found.work)
    };
    let scalings = METHODS.iter().filter(|entry| is_scaling(entry.name));
    scalings.filter_map(|entry| work(&entry.make)).fold(f64::INFINITY, f64::min)
}

impl World for Profile {
    type Instance = Bounded;
    /// The system, and the least evaluations.
    type Truth = (System, f64);

    const SCORE: &'static str = "distance_from_zero";

    fn draw(&self, seed: u64) -> Result<(Bounded, (System, f64))> {
        let count = SYSTEMS.len() as u64;
        let system = SYSTEMS[(seed % count) as usize];
        let drawn = || Seeds::new(seed).stream("start").random_range(0.05..0.95);
        let nu = STARTS.get((seed / count) as usize).copied().unwrap_or_else(drawn);
        let problem = system.from(nu)?;
        let least = least_work(system, &problem);
        Ok((problem, (system, least)))
    }

    fn metrics(&self) -> Vec<Metric> {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        let mut metrics = System::Brown.metrics();
        metrics.extend([
            metric(
                "log_ratio",
                Direction::Lower,
                "binary logarithm of work over the least of the five scalings; 10 where no solution is found",
            ),
            metric("within_1", Direction::Higher, "1 where the solution took no more than the least, else 0"),
            metric("within_2", Direction::Higher, "1 where it took no more than twice the least"),
            metric("within_4", Direction::Higher, "1 where it took no more than four times the least"),
        ]);
        metrics
    }

    fn measure(&self, problem: &Bounded, _: &(System, f64), values: &[f64]) -> Vec<(&'static str, f64)> {
        // What counts as a solution is the same for all systems.
        System::Brown.measure(problem, &(), values)
    }

    fn compare(
        &self,
        (_, least): &(System, f64),
        work: f64,
        told: &[(&'static str, f64)],
    ) -> Vec<(&'static str, f64)> {
        let is_found = told.iter().any(|&(name, value)| name == "found" && value == 1.0);
        let ratio = if is_found { work / least } else { f64::INFINITY };
        let within = |factor: f64| f64::from(u8::from(ratio <= factor));
        vec![
            ("log_ratio", ratio.log2().min(FAILED)),
            ("within_1", within(1.0)),
            ("within_2", within(2.0)),
            ("within_4", within(4.0)),
        ]
    }

    fn score(&self, problem: &Bounded, _: &(System, f64), values: &[f64], rng: &mut Rng) -> f64 {
        System::Brown.score(problem, &(), values, rng)
    }

    fn length(&self, problem: &Bounded) -> usize {
        problem.start.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_by_hand() {
        let truth = (System::Brown, 8.0);
        let ratio = |work, found| Profile.compare(&truth, work, &[("found", found)]);
        let named = |values: [f64; 4]| {
            ["log_ratio", "within_1", "within_2", "within_4"].into_iter().zip(values).collect::<Vec<_>>()
        };
        assert_eq!(ratio(8.0, 1.0), named([0.0, 1.0, 1.0, 1.0]));
        assert_eq!(ratio(16.0, 1.0), named([1.0, 0.0, 1.0, 1.0]));
        assert_eq!(ratio(32.0, 1.0), named([2.0, 0.0, 0.0, 1.0]));
        assert_eq!(ratio(8.0, 0.0), named([10.0, 0.0, 0.0, 0.0]));
    }

    #[test]
    fn every_pair_has_a_scaling_that_is_best() {
        for seed in [0, 2, 3, 4, 11] {
            let (problem, (system, least)) = Profile.draw(seed).unwrap();
            assert!(least.is_finite(), "{system:?}");
            let entries = METHODS.iter().filter(|entry| is_scaling(entry.name));
            let mut works = Vec::new();
            for entry in entries {
                let mut solver = (entry.make)(&problem, &OptionMap::new()).unwrap();
                let found = solve(&mut *solver, &problem, BUDGET);
                let told = Profile.measure(&problem, &(system, least), &found.values);
                let ratio = Profile.compare(&(system, least), found.work, &told)[0].1;
                assert!(ratio >= 0.0);
                works.push(ratio);
            }
            assert_eq!(works.len(), 5);
            assert!(works.contains(&0.0));
        }
    }
}
