//! Statistics of a few runs, as in *Deep Reinforcement Learning at the Edge of the Statistical Precipice*
//! (Agarwal, Schwarzer, Castro, Courville & Bellemare 2021) and its library `rliable`, whose definitions and
//! rounding are followed to the letter and whose printed numbers are the tests.
//!
//! Scores are `&[Vec<f64>]`, tasks x runs: one inner vector a task (problem), one number a run (seed). Tasks may
//! have different numbers of runs; statistics that pool runs then weigh tasks by their runs. Aggregates don't
//! know which way is better; [`probability_of_improvement`] takes *higher* as better, so negate a loss.
//!
//! | file | what it holds |
//! |---|---|
//! | `aggregate` | one number for a method: [`Aggregate`] |
//! | `bootstrap` | how sure that number is: [`Bootstrap`], [`Estimate`] |
//! | `comparison` | two methods: [`probability_of_improvement`], differences, ratios |
//! | `profile` | the whole distribution: [`performance_profile`] |
//! | `curve` | scores over a run: [`align`], [`sample_efficiency`] |

mod aggregate;
mod bootstrap;
mod comparison;
mod curve;
mod profile;

pub use aggregate::{Aggregate, interquartile_mean};
pub use bootstrap::{Bootstrap, Estimate};
pub use comparison::{Pairing, probability_of_improvement};
pub use curve::{Aligned, RunCurve, Tail, align, sample_efficiency};
pub use profile::performance_profile;
