//! A finite class of hypotheses, and the excess loss of each: how much worse it predicts than the best of its class.
//!
//! A hypothesis f is a model solved for its optimal average reward J_f and action values Q_f, with
//! V_f(s) = max_a Q_f(s, a), all shifted so that min V_f = 0. On a step ζ = (s, a, r, s') a prediction g of f's targets has the
//! discrepancy
//!
//! > ℓ(f, g, ζ) = g(s, a) - r - V_f(s'),  own prediction g_f = Q_f + J_f
//!
//! and with L(f, g) = Σ_ζ ℓ(f, g, ζ)² the excess loss of f is L(f, g_f) - min_{g ∈ G} L(f, g). The minimum is over g for the
//! *same* target V_f(s'): both terms have the variance of that target, and the difference is rid of it. The theory needs G to
//! hold the true expectation of the target, r* + P* V_f. The predictions r_h + P_h V_f of all models h in the class do; the
//! class' own Q_h + J_h do so only by chance, and then a false f can pass for good because nothing in G does better.
//!
//! In the likelihood form the loss is -Σ ln P_f(s' | s, a), and its excess the gap to the most likely hypothesis.

use std::sync::Arc;

use quire_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finite::FiniteMdp;
use crate::solve::relative_value_iteration;

/// Certainty of a hypothesis' average reward.
const TOLERANCE: f64 = 1e-10;
/// Sweeps that relative value iteration may take.
const SWEEPS: u64 = 1_000_000;

/// A class of solved models.
#[derive(Debug, Clone)]
pub struct Hypotheses {
    models: Vec<FiniteMdp>,
    count: usize,
    states: usize,
    actions: usize,
    /// J_f, `[H]`.
    gains: Vec<f64>,
    /// max V_f - min V_f, `[H]`.
    spans: Vec<f64>,
    /// Greedy actions, `[H, S]`; the first of equals.
    greedy: Vec<usize>,
    /// V_f(s), `[S, H]`.
    values: Vec<f64>,
    /// Q_g(s, a) + J_g, `[S, A, H]`.
    predictions: Vec<f64>,
    /// -ln P_f(s' | s, a), `[S, A, S, H]`; infinite for what a model rules out.
    surprises: Vec<f64>,
}

impl Hypotheses {
    /// Solves every model.
    ///
    /// # Errors
    /// No models, models of different shapes, or one that falls into parts that cannot reach each other.
    pub fn new(models: &[FiniteMdp]) -> Result<Self> {
        let Some(first) = models.first() else {
            return Err(Error::Usage("a class of hypotheses needs at least one model".into()));
        };
        let (count, states, actions) = (models.len(), first.states(), first.actions());
        let mut class = Hypotheses {
            models: models.to_vec(),
            count,
            states,
            actions,
            gains: Vec::with_capacity(count),
            spans: Vec::with_capacity(count),
            greedy: Vec::with_capacity(count * states),
            values: vec![0.0; states * count],
            predictions: vec![0.0; states * actions * count],
            surprises: vec![f64::INFINITY; states * actions * states * count],
        };
        for (index, model) in models.iter().enumerate() {
            if (model.states(), model.actions()) != (states, actions) {
                return Err(Error::Usage(format!(
                    "hypothesis {index} has {} states and {} actions, hypothesis 0 has {states} and {actions}",
                    model.states(),
                    model.actions()
                )));
            }
            class.solve(index, model)?;
        }
        Ok(class)
    }

    fn solve(&mut self, index: usize, model: &FiniteMdp) -> Result<()> {
        let solution = relative_value_iteration(model, TOLERANCE, SWEEPS)?;
        let extremes = |values: &[f64]| {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            (least, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
        };
        let (least, greatest) = extremes(&solution.bias);
        self.gains.push(solution.gain);
        self.spans.push(greatest - least);
        self.greedy.extend(&solution.policy);
        for state in 0..self.states {
            self.values[state * self.count + index] = solution.bias[state] - least;
            for action in 0..self.actions {
                let pair = state * self.actions + action;
                // Q_g + J_g = r + P V_g, and P passes the shift through.
                self.predictions[pair * self.count + index] =
                    model.reward(state, action) + model.expectation(state, action, &solution.bias) - least;
                let (next, probability) = model.row(state, action);
                for (&next, &p) in next.iter().zip(probability) {
                    self.surprises[(pair * self.states + next as usize) * self.count + index] = -p.ln();
                }
            }
        }
        Ok(())
    }

    /// r_g(s, a) + (P_g V_f)(s, a), `[S, A, H (f), H (g)]`.
    fn images(&self) -> Vec<f64> {
        let values: Vec<Vec<f64>> = (0..self.count)
            .map(|hypothesis| (0..self.states).map(|state| self.value(hypothesis, state)).collect())
            .collect();
        let mut images = Vec::with_capacity(self.states * self.actions * self.count * self.count);
        for state in 0..self.states {
            for action in 0..self.actions {
                for values in &values {
                    let image = |model: &FiniteMdp| {
                        model.reward(state, action) + model.expectation(state, action, values)
                    };
                    images.extend(self.models.iter().map(image));
                }
            }
        }
        images
    }

    /// The number of hypotheses H.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The optimal average reward J_f of a hypothesis.
    pub fn gain(&self, hypothesis: usize) -> f64 {
        self.gains[hypothesis]
    }

    /// The span max V_f - min V_f of a hypothesis.
    pub fn span(&self, hypothesis: usize) -> f64 {
        self.spans[hypothesis]
    }

    /// V_f(s), least 0.
    pub fn value(&self, hypothesis: usize, state: usize) -> f64 {
        self.values[state * self.count + hypothesis]
    }

    /// Q_f(s, a), on the scale of V_f.
    pub fn action_value(&self, hypothesis: usize, state: usize, action: usize) -> f64 {
        self.predictions[(state * self.actions + action) * self.count + hypothesis] - self.gains[hypothesis]
    }

    /// The optimal policy of a hypothesis, `[S]`.
    pub fn greedy(&self, hypothesis: usize) -> &[usize] {
        &self.greedy[hypothesis * self.states..][..self.states]
    }
}

/// What a hypothesis is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Squared Bellman residuals; rivals are all models' predictions of the same targets.
    Bellman,
    /// Squared Bellman residuals; rivals are the hypotheses' own action values.
    BellmanWithinClass,
    /// Minus the log-likelihood of the next states; rivals are the other models.
    Likelihood,
}

/// The losses of all hypotheses on the steps so far.
pub struct ExcessLosses {
    class: Arc<Hypotheses>,
    loss: Loss,
    /// r_g(s, a) + (P_g V_f)(s, a), `[S, A, H (f), H (g)]`, for [`Loss::Bellman`]; else empty.
    images: Vec<f64>,
    /// Both Bellman forms: L(f, g), `[H, H]`. Likelihood: `[H]`.
    sums: Vec<f64>,
}

impl ExcessLosses {
    /// Of no steps.
    pub fn new(class: Arc<Hypotheses>, loss: Loss) -> Self {
        let count = class.count();
        let (sums, images) = match loss {
            Loss::Bellman => (vec![0.0; count * count], class.images()),
            Loss::BellmanWithinClass => (vec![0.0; count * count], Vec::new()),
            Loss::Likelihood => (vec![0.0; count], Vec::new()),
        };
        ExcessLosses { class, loss, images, sums }
    }

    /// Adds one step.
    pub fn add(&mut self, state: usize, action: usize, reward: f64, next: usize) {
        let Hypotheses { count, states, actions, values, predictions, surprises, .. } = &*self.class;
        let pair = state * actions + action;
        match self.loss {
            Loss::Bellman | Loss::BellmanWithinClass => {
                let values = &values[next * count..][..*count];
                let rows = self.sums.chunks_exact_mut(*count).zip(values);
                for (hypothesis, (row, value)) in rows.enumerate() {
                    let predicted = match self.loss {
                        Loss::Bellman => &self.images[(pair * count + hypothesis) * count..][..*count],
                        _ => &predictions[pair * count..][..*count],
                    };
                    let target = reward + value;
                    for (sum, predicted) in row.iter_mut().zip(predicted) {
                        let residual = predicted - target;
                        *sum += residual * residual;
                    }
                }
            }
            Loss::Likelihood => {
                let surprises = &surprises[(pair * states + next) * count..][..*count];
                self.sums.iter_mut().zip(surprises).for_each(|(sum, surprise)| *sum += surprise);
            }
        }
    }

    /// The excess loss of a hypothesis, at least 0; infinite for a model that has been ruled out.
    pub fn excess(&self, hypothesis: usize) -> f64 {
        let (own, rivals) = match self.loss {
            Loss::Bellman | Loss::BellmanWithinClass => {
                let row = &self.sums[hypothesis * self.class.count..][..self.class.count];
                (row[hypothesis], row)
            }
            Loss::Likelihood => (self.sums[hypothesis], &self.sums[..]),
        };
        if own.is_infinite() {
            return f64::INFINITY;
        }
        own - rivals.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The hypothesis of least excess loss; of equals `current`, else the first.
    pub fn best_fit(&self, current: usize) -> usize {
        let better = |best: (usize, f64), other| {
            let excess = self.excess(other);
            if excess < best.1 { (other, excess) } else { best }
        };
        (0..self.class.count).fold((current, self.excess(current)), better).0
    }

    /// The class.
    pub fn class(&self) -> &Hypotheses {
        &self.class
    }

    /// The sums, for a saved state.
    pub fn sums(&self) -> &[f64] {
        &self.sums
    }

    /// Takes saved sums back.
    ///
    /// # Errors
    /// Sums of another class.
    pub fn set_sums(&mut self, sums: Vec<f64>) -> Result<()> {
        if sums.len() != self.sums.len() {
            return Err(Error::Resume("the saved losses are those of another class of hypotheses".into()));
        }
        self.sums = sums;
        Ok(())
    }
}
