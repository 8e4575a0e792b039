//! Step sizes without a learning rate: the distance moved so far over the gradients met so far.
//!
//! With x_0 where it began and r̄_t the greatest distance from there (at least r_ε, a tiny first move), DoG (Ivgi, Hinder & Carmon 2023) takes
//!
//! > x_{t+1} = x_t - r̄_t / √(Σ_{k≤t} ‖g_k‖² + 1e-8) g_t
//!
//! U-DoG puts that into UniXGrad, an accelerated method of two gradients a step, see [`ExtraGradient`]; A-DoG, of one gradient, into
//! AcceleGrad, see [`ADog`].
//!
//! As optimizers of learners their `learning_rate` is a factor on those steps, 1 by default. The point at which gradients are taken is what the learner holds:
//! the iterate of DoG, and the averages of U-DoG, whose two gradients are those of two consecutive steps. Averages of DoG's iterates, which its authors evaluate,
//! are there for finite sums only, because a learner evaluates what it trains. Whoever changes parameters of A-DoG or U-DoG between steps, as by loading others,
//! must make a new optimizer.
//!
//! Source: I. Kreisler, M. Ivgi, O. Hinder, Y. Carmon, *Accelerated Parameter-Free Stochastic Optimization*, arXiv:2404.00666. Its
//! accumulators were not at hand: those of [`ExtraGradient`] and the whole of [`ADog`] are a reconstruction, not verified against the
//! paper.

use std::marker::PhantomData;

use quire_core::{Error, Result};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::optimizer::{Rule, StepInfo, decode, encode};
use crate::options::{check_common, check_range};
use crate::{Float, Schedule};

/// The least first move as a share of 1 + ‖x_0‖. The authors of DoG: 1e-6.
pub const FIRST_MOVE: f64 = 1e-6;
/// Added to sums of squares and to roots, so that nothing is divided by 0. The authors' codes: 1e-8.
const TINY: f64 = 1e-8;

macro_rules! dog_options {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct $name {
            /// Factor on the steps, > 0. Paper: 1, nothing to tune.
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub learning_rate: f64,
            /// How that factor changes over the run. Paper: not at all.
            pub schedule: Schedule,
            /// Length of the first move as a share of 1 + ‖x_0‖, > 0. The authors: 1e-6; it hardly matters.
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub first_move: f64,
            /// Largest global gradient norm, > 0; none by default.
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub clip_norm: Option<f64>,
            /// Largest magnitude of one gradient element, > 0; none by default.
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub clip_value: Option<f64>,
            /// Whether gradient norms are recorded, for `quire refine-schedule`; they become a file of the artefact.
            pub record_norms: bool,
        }

        impl Default for $name {
            fn default() -> Self {
                $name {
                    learning_rate: 1.0,
                    schedule: Schedule::default(),
                    first_move: FIRST_MOVE,
                    clip_norm: None,
                    clip_value: None,
                    record_norms: false,
                }
            }
        }

        impl $name {
            pub(crate) fn check(&self, prefix: &str) -> Result<()> {
                check_common(prefix, self.learning_rate, 0.0, self.clip_norm, self.clip_value)?;
                let first = self.first_move;
                check_range(prefix, "first_move", first, first > 0.0 && first.is_finite(), "above 0")
            }
        }
    };
}

dog_options! {
    /// Options of `dog`.
    DogOptions
}

dog_options! {
    /// Options of `a-dog`.
    ADogOptions
}

dog_options! {
    /// Options of `u-dog`.
    UDogOptions
}

fn squared_norm<F: Float>(x: &[F]) -> f64 {
    x.iter().map(|x| x.to_f64() * x.to_f64()).sum()
}

fn squared_distance<F: Float>(x: &[F], y: &[F]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x.to_f64() - y.to_f64()).powi(2)).sum()
}

/// `x <- x - rate g`.
fn descend<F: Float>(x: &mut [F], rate: f64, g: &[F]) {
    let rate = F::from_f64(rate);
    x.iter_mut().zip(g).for_each(|(x, &g)| *x -= rate * g);
}

/// `x` <- the nearest point at most `radius` from `center`.
fn project<F: Float>(x: &mut [F], center: &[F], radius: Option<f64>) {
    let Some(radius) = radius else { return };
    let distance = squared_distance(x, center).sqrt();
    if distance > radius {
        let share = F::from_f64(radius / distance);
        x.iter_mut().zip(center).for_each(|(x, &c)| *x = c + share * (*x - c));
    }
}

/// DoG: distance over gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "F: Float"))]
pub struct Dog<F: Float> {
    /// x_0.
    start: Vec<F>,
    /// r̄.
    reach: f64,
    /// Σ ‖g‖².
    squares: f64,
}

impl<F: Float> Dog<F> {
    /// At `start`, with a first move of r_ε.
    pub fn new(start: &[F], first_move: f64) -> Self {
        Dog { start: start.to_vec(), reach: first_move, squares: 0.0 }
    }

    /// A step from `x`, of which `factor` is taken.
    pub fn step(&mut self, x: &mut [F], g: &[F], factor: f64) {
        self.reach = self.reach.max(squared_distance(x, &self.start).sqrt());
        self.squares += squared_norm(g);
        descend(x, factor * self.reach / (self.squares + TINY).sqrt(), g);
    }

    /// r̄_t, the weight of x_t in the average that the theory is about.
    pub fn reach(&self) -> f64 {
        self.reach
    }
}

/// A-DoG: DoG's steps in AcceleGrad's scheme, one gradient a step.
///
/// With x where gradients are taken, w and y beside it, α = 1 at first and G the sum of α² ‖g‖²:
///
/// > η = r̄/(√G + 1e-8), w ← w - α η g, y = x - η g, r̄ ← max(r̄, ‖w - x_0‖), α ← max(1, ½ Σ_k r̄_k/r̄), x ← (1 - 1/α) y + w/α
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "F: Float"))]
pub struct ADog<F: Float> {
    start: Vec<F>,
    w: Vec<F>,
    y: Vec<F>,
    reach: f64,
    /// Σ r̄.
    reaches: f64,
    alpha: f64,
    squares: f64,
}

impl<F: Float> ADog<F> {
    /// At `start`, with a first move of r_ε.
    pub fn new(start: &[F], first_move: f64) -> Self {
        ADog {
            start: start.to_vec(),
            w: start.to_vec(),
            y: start.to_vec(),
            reach: first_move,
            reaches: first_move,
            alpha: 1.0,
            squares: 0.0,
        }
    }

    /// A step with the gradient at `x`, of which `factor` is taken; `x` becomes the next point to take a gradient at.
    pub fn step(&mut self, x: &mut [F], g: &[F], factor: f64) {
        self.squares += self.alpha * self.alpha * squared_norm(g);
        let rate = factor * self.reach / (self.squares.sqrt() + TINY);
        descend(&mut self.w, self.alpha * rate, g);
        self.y.copy_from_slice(x);
        descend(&mut self.y, rate, g);
        self.reach = self.reach.max(squared_distance(&self.w, &self.start).sqrt());
        self.reaches += self.reach;
        self.alpha = (0.5 * self.reaches / self.reach).max(1.0);
        let share = F::from_f64(1.0 / self.alpha);
        for (x, (&y, &w)) in x.iter_mut().zip(self.y.iter().zip(&self.w)) {
            *x = y + share * (w - y);
        }
    }

    /// y, the point that is handed over.
    pub fn result(&self) -> &[F] {
        &self.y
    }
}

/// What sets the pace of [`ExtraGradient`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Pace {
    /// U-DoG: a first move of r_ε, and a factor on both accumulators, 1 in practice.
    Distance {
        /// r_ε.
        first_move: f64,
        /// What the theory multiplies both accumulators by, poly-logarithmic there; 1 in practice.
        theory_factor: f64,
    },
    /// UniXGrad: a known diameter D, α_t = t, η_t = 2 D/√(1 + Σ_{k<t} α_k² ‖g_k - m_k‖²).
    Diameter(f64),
}

/// Extragradient steps with growing weights, at averages: U-DoG and UniXGrad.
///
/// In step t, with Ω_t = Σ_{k≤t} ω_k:
///
/// > m = gradient at z̄ = (ω_t y_t + Σ_{k<t} ω_k x_{k+1})/Ω_t,  x_{t+1} = Π(y_t - α_t η_x m)
/// >
/// > g = gradient at x̄ = Σ_{k≤t} ω_k x_{k+1}/Ω_t,  y_{t+1} = Π(y_t - α_t η_y g)
///
/// and x̄ is handed over. U-DoG: r̄_t the greatest distance of any x or y from x_0, α_t = Σ_{k≤t} r̄_k/r̄_t, ω_t = α_t r̄_t, η = r̄_t/√G with
/// G_x = M_t + Q_{t-1} and G_y = M_t + Q_t, where Q_t = Σ α_k² ‖g_k - m_k‖² and M_t = max α_k² ‖m_k‖² keeps every x within r̄_t of y.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "F: Float"))]
pub struct ExtraGradient<F: Float> {
    pace: Pace,
    /// Radius about x_0 that Π keeps to.
    radius: Option<f64>,
    start: Vec<F>,
    y: Vec<F>,
    m: Vec<F>,
    /// x̄ of the steps that are done.
    mean: Vec<F>,
    /// Where the next gradient is to be taken.
    point: Vec<F>,
    /// True if that is z̄.
    is_first: bool,
    steps: u64,
    reach: f64,
    /// r̄ of the next step, as far as it is known.
    next_reach: f64,
    /// Σ r̄.
    reaches: f64,
    alpha: f64,
    /// Ω, with the step under way.
    weights: f64,
    /// ω_t/Ω_t.
    share: f64,
    /// M and Q.
    most: f64,
    differences: f64,
}

impl<F: Float> ExtraGradient<F> {
    /// At `start`, within `radius` of it if that is given.
    pub fn new(start: &[F], pace: Pace, radius: Option<f64>) -> Self {
        let reach = if let Pace::Distance { first_move, .. } = pace { first_move } else { 0.0 };
        let mut new = ExtraGradient {
            pace,
            radius,
            start: start.to_vec(),
            y: start.to_vec(),
            m: vec![F::default(); start.len()],
            mean: start.to_vec(),
            point: start.to_vec(),
            is_first: true,
            steps: 0,
            reach,
            next_reach: reach,
            reaches: 0.0,
            alpha: 0.0,
            weights: 0.0,
            share: 0.0,
            most: 0.0,
            differences: 0.0,
        };
        new.begin();
        new
    }

    /// Steps 1 to 3: weights, and z̄.
    fn begin(&mut self) {
        let weight = match self.pace {
            Pace::Distance { .. } => {
                self.reaches += self.reach;
                self.alpha = self.reaches / self.reach;
                self.reaches
            }
            Pace::Diameter(_) => {
                self.alpha = self.steps as f64 + 1.0;
                self.alpha
            }
        };
        self.weights += weight;
        self.share = weight / self.weights;
        let share = F::from_f64(self.share);
        for (point, (&mean, &y)) in self.point.iter_mut().zip(self.mean.iter().zip(&self.y)) {
            *point = mean + share * (y - mean);
        }
    }

    /// η, given M + Q.
    fn rate(&self, squares: f64) -> f64 {
        match self.pace {
            Pace::Distance { theory_factor, .. } if squares > 0.0 => {
                self.reach / (theory_factor * squares).sqrt()
            }
            Pace::Distance { .. } => 0.0,
            Pace::Diameter(diameter) => 2.0 * diameter / (1.0 + squares).sqrt(),
        }
    }

    /// Takes in the gradient at [`ExtraGradient::point`]; of the step that follows, `factor` is taken.
    pub fn tell(&mut self, gradient: &[F], factor: f64) {
        if self.is_first {
            self.look_ahead(gradient, factor);
        } else {
            self.move_on(gradient, factor);
            self.begin();
        }
        self.is_first = !self.is_first;
    }

    /// Step 4, and x̄.
    fn look_ahead(&mut self, gradient: &[F], factor: f64) {
        self.m.copy_from_slice(gradient);
        let squares = match self.pace {
            Pace::Distance { .. } => {
                self.most = self.most.max(self.alpha * self.alpha * squared_norm(gradient));
                self.most + self.differences
            }
            Pace::Diameter(_) => self.differences,
        };
        let rate = factor * self.alpha * self.rate(squares);
        self.point.copy_from_slice(&self.y);
        descend(&mut self.point, rate, gradient);
        project(&mut self.point, &self.start, self.radius);
        self.next_reach = self.next_reach.max(squared_distance(&self.point, &self.start).sqrt());
        let share = F::from_f64(self.share);
        for (mean, x) in self.mean.iter_mut().zip(&self.point) {
            *mean += share * (*x - *mean);
        }
        self.point.copy_from_slice(&self.mean);
    }

    /// Step 6; r̄ of the next step.
    fn move_on(&mut self, gradient: &[F], factor: f64) {
        let before = self.differences;
        self.differences += self.alpha * self.alpha * squared_distance(gradient, &self.m);
        let squares = match self.pace {
            Pace::Distance { .. } => self.most + self.differences,
            Pace::Diameter(_) => before,
        };
        let rate = factor * self.alpha * self.rate(squares);
        descend(&mut self.y, rate, gradient);
        project(&mut self.y, &self.start, self.radius);
        self.next_reach = self.next_reach.max(squared_distance(&self.y, &self.start).sqrt());
        self.reach = self.next_reach;
        self.steps += 1;
    }

    /// Where the next gradient is to be taken.
    pub fn point(&self) -> &[F] {
        &self.point
    }

    /// x̄, the point that is handed over.
    pub fn result(&self) -> &[F] {
        &self.mean
    }

    /// True if the next gradient is the first of its step.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// r̄, an estimate of the distance to the minimum.
    pub fn reach(&self) -> f64 {
        self.reach
    }
}

/// A method of this file as the rule of an optimizer.
pub trait ParameterFree<F: Float>: Serialize + DeserializeOwned + Send {
    /// At `start`.
    fn begin(start: &[F], first_move: f64) -> Self;
    /// Moves the parameters by the gradient at them.
    fn follow(&mut self, params: &mut [F], gradient: &[F], factor: f64);
    /// Parameters.
    fn length(&self) -> usize;
}

impl<F: Float> ParameterFree<F> for Dog<F> {
    fn begin(start: &[F], first_move: f64) -> Self {
        Dog::new(start, first_move)
    }

    fn follow(&mut self, params: &mut [F], gradient: &[F], factor: f64) {
        self.step(params, gradient, factor);
    }

    fn length(&self) -> usize {
        self.start.len()
    }
}

impl<F: Float> ParameterFree<F> for ADog<F> {
    fn begin(start: &[F], first_move: f64) -> Self {
        ADog::new(start, first_move)
    }

    fn follow(&mut self, params: &mut [F], gradient: &[F], factor: f64) {
        self.step(params, gradient, factor);
    }

    fn length(&self) -> usize {
        self.start.len()
    }
}

impl<F: Float> ParameterFree<F> for ExtraGradient<F> {
    fn begin(start: &[F], first_move: f64) -> Self {
        ExtraGradient::new(start, Pace::Distance { first_move, theory_factor: 1.0 }, None)
    }

    fn follow(&mut self, params: &mut [F], gradient: &[F], factor: f64) {
        self.tell(gradient, factor);
        params.copy_from_slice(&self.point);
    }

    fn length(&self) -> usize {
        self.start.len()
    }
}

/// The rule of `dog`, `a-dog` and `u-dog`; x_0 is what the parameters are at the first step.
#[derive(Debug, Clone)]
pub struct Following<F, S> {
    /// The first move as a share of 1 + ‖x_0‖.
    first_move: f64,
    len: usize,
    state: Option<S>,
    scalar: PhantomData<F>,
}

impl<F: Float, S: ParameterFree<F>> Following<F, S> {
    /// For `len` parameters.
    pub fn new(first_move: f64, len: usize) -> Self {
        Following { first_move, len, state: None, scalar: PhantomData }
    }
}

impl<F: Float, S: ParameterFree<F>> Rule<F> for Following<F, S> {
    fn apply(&mut self, step: StepInfo, params: &mut [F], direction: &[F]) {
        let first_move = self.first_move;
        let begin = || S::begin(params, first_move * (1.0 + squared_norm(params).sqrt()));
        self.state.get_or_insert_with(begin).follow(params, direction, step.learning_rate);
    }

    fn save(&self) -> Vec<u8> {
        encode(&self.state)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let state: Option<S> = decode(saved)?;
        if let Some(other) = state.as_ref().map(S::length).filter(|length| *length != self.len) {
            let problem = format!("the saved start has {other} elements, {} are needed", self.len);
            return Err(Error::Resume(problem));
        }
        self.state = state;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISTANCE: Pace = Pace::Distance { first_move: 0.1, theory_factor: 1.0 };

    /// ½ Σ h_i (x_i - 1)² and its gradient.
    fn slope(x: &[f64], scale: f64) -> Vec<f64> {
        x.iter().enumerate().map(|(i, x)| scale * 0.5_f64.powi(i as i32) * (x - 1.0)).collect()
    }

    #[test]
    fn the_first_move_has_its_length_and_an_equal_gradient_repeats_it() {
        let mut method = ExtraGradient::new(&[1.0, 2.0], DISTANCE, None);
        assert_eq!((method.alpha, method.weights, method.point()), (1.0, 0.1, &[1.0, 2.0][..]));
        method.tell(&[3.0, -4.0], 1.0);
        let x = method.result().to_vec();
        assert!((squared_distance(&x, &[1.0, 2.0]).sqrt() - 0.1).abs() < 1e-15, "{x:?}");
        method.tell(&[3.0, -4.0], 1.0);
        assert_eq!(method.y, x);
    }

    /// With a first move that is longer than any distance α_t = t + 1, and the averages are UniXGrad's.
    #[test]
    fn a_constant_reach_gives_unixgrads_averages() {
        let first = Pace::Distance { first_move: 1e3, theory_factor: 1e12 };
        let mut method = ExtraGradient::new(&[0.0, 0.0], first, None);
        let (mut xs, mut ys) = (Vec::new(), vec![vec![0.0; 2]]);
        for t in 0..5 {
            assert_eq!(method.alpha, t as f64 + 1.0);
            let total = ((t + 1) * (t + 2)) as f64 / 2.0;
            let mean = |last: &[f64], xs: &[Vec<f64>], j: usize| {
                let past: f64 = xs.iter().enumerate().map(|(k, x)| (k + 1) as f64 * x[j]).sum();
                (past + (t + 1) as f64 * last[j]) / total
            };
            for j in 0..2 {
                assert!((method.point()[j] - mean(&ys[t], &xs, j)).abs() < 1e-12);
            }
            let before = method.mean.clone();
            method.tell(&slope(method.point(), 1.0), 1.0);
            // x_{t+1} from the average that it went into.
            let x: Vec<f64> =
                (0..2).map(|j| before[j] + (method.mean[j] - before[j]) / method.share).collect();
            for j in 0..2 {
                assert!((method.point()[j] - mean(&x, &xs, j)).abs() < 1e-12);
            }
            xs.push(x);
            method.tell(&slope(method.point(), 1.0), 1.0);
            ys.push(method.y.clone());
        }
        assert_eq!(method.reach(), 1e3);
    }

    #[test]
    fn scales_of_values_do_not_matter_and_scales_of_points_go_through() {
        let run = |values: f64, points: f64| {
            let pace = Pace::Distance { first_move: 0.01 * points, theory_factor: 1.0 };
            let mut method = ExtraGradient::new(&[3.0 * points, 0.0], pace, None);
            for _ in 0..40 {
                let x: Vec<f64> = method.point().iter().map(|x| x / points).collect();
                method.tell(&slope(&x, values / points), 1.0);
            }
            method.result().iter().map(|x| x / points).collect::<Vec<_>>()
        };
        let plain = run(1.0, 1.0);
        for other in [run(1e4, 1.0), run(1.0, 1e3)] {
            assert!(other.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-9), "{other:?} {plain:?}");
        }
    }

    #[test]
    fn no_look_ahead_is_longer_than_the_reach_and_a_line_is_gone_down_at_it() {
        let mut method = ExtraGradient::new(&[5.0, -3.0], DISTANCE, None);
        let mut longest: f64 = 0.0;
        for t in 0..60 {
            let (y, mean, reach, share) = (method.y.clone(), method.mean.clone(), method.reach, method.share);
            let noise = if t % 3 == 0 { 2.0 } else { -0.7 };
            let gradient: Vec<f64> = slope(method.point(), 1.0).iter().map(|g| g + noise).collect();
            method.tell(&gradient, 1.0);
            let x: Vec<f64> = (0..2).map(|j| mean[j] + (method.mean[j] - mean[j]) / share).collect();
            let moved = squared_distance(&x, &y).sqrt();
            assert!(moved <= reach * (1.0 + 1e-9), "{moved} {reach}");
            longest = longest.max(moved);
            method.tell(&slope(method.point(), 1.0), 1.0);
        }
        assert!(longest > 0.1);
        let mut line = ExtraGradient::new(&[0.0], DISTANCE, None);
        let mut greatest: f64 = 0.0;
        for _ in 0..30 {
            let (y, reach, alpha) = (line.y[0], line.reach, line.alpha);
            line.tell(&[2.0], 1.0);
            line.tell(&[2.0], 1.0);
            let moved = (line.y[0] - y).abs();
            if alpha >= greatest {
                assert!((moved - reach).abs() < 1e-12 * reach);
            }
            assert!(moved <= reach * (1.0 + 1e-12));
            greatest = greatest.max(alpha);
        }
        assert_eq!(line.differences, 0.0);
    }

    #[test]
    fn a_zero_gradient_and_a_ball_keep_it_in_place() {
        let mut method = ExtraGradient::new(&[1.0], DISTANCE, None);
        method.tell(&[0.0], 1.0);
        method.tell(&[0.0], 1.0);
        assert_eq!(method.result(), [1.0]);
        let mut bound = ExtraGradient::new(&[0.0], Pace::Diameter(100.0), Some(0.5));
        for _ in 0..10 {
            bound.tell(&[-3.0], 1.0);
        }
        assert_eq!(bound.result(), [0.5]);
    }

    #[test]
    fn steps_of_dog_and_a_dog_by_hand() {
        let mut dog = Dog::new(&[1.0], 0.1);
        let mut x = [1.0];
        dog.step(&mut x, &[2.0], 1.0);
        assert!((x[0] - 0.9).abs() < 1e-8, "a first step of the first move");
        dog.step(&mut x, &[2.0], 1.0);
        assert!((x[0] - (0.9 - 0.1 * 2.0 / 8.0_f64.sqrt())).abs() < 1e-8);
        let mut method = ADog::new(&[1.0], 0.1);
        let mut x = [1.0];
        method.step(&mut x, &[2.0], 1.0);
        // w = y = 0.9, r̄ = 0.1, α = max(1, ½ 0.2/0.1) = 1, x = w.
        assert!((x[0] - 0.9).abs() < 1e-8 && method.alpha == 1.0);
        method.step(&mut x, &[2.0], 1.0);
        // G = 8: η = 0.1/√8, w = y = 0.9 - 0.2/√8; r̄ = 0.1 + 0.2/√8 up to rounding, Σ r̄ = 0.2 + r̄.
        let w = 0.9 - 0.2 / 8.0_f64.sqrt();
        assert!((method.result()[0] - w).abs() < 1e-8 && (method.reach - (1.0 - w)).abs() < 1e-8);
        assert!((method.alpha - (0.5 * (0.2 + 1.0 - w) / (1.0 - w)).max(1.0)).abs() < 1e-7);
    }
}
