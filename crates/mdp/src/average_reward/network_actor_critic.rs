//! The actor-critics of this family with networks in place of tables: a softmax policy whose logits, and values that, are
//! outputs of perceptrons of the state's features.
//!
//! The estimates are those of [`actor_critic`](super::actor_critic): on a step (s, a, r, s') with δ = r - η + V(s') - V(s), of
//! r - η for η, of δ ∇V(s) for the critic (the target V(s') is not differentiated), of δ ∇ ln π(a|s) for the actor, summed over a
//! trajectory with the method's weights. The steps may be AdaGrad's for each coordinate, as in the official code of MAC.

use std::sync::Arc;

use quire_core::{Error, Options, Result, Rng, state};
use quire_nn::distributions::sample_categorical;
use quire_nn::{Activation, Mlp, MlpConfig, Params, Scratch, Tape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Setting;
use super::actor_critic::Step;

/// Added to the root in AdaGrad's steps, as in PyTorch.
const EPSILON: f32 = 1e-10;

/// How far a step goes along an estimated gradient x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkStepRule {
    /// c x / √(Σ x²) for each coordinate, the sum over all estimates so far: AdaGrad.
    Adagrad,
    /// c x / √(Σ ‖x‖²): AdaGrad-norm.
    AdagradNorm,
    /// c x: SGD.
    Constant,
}

/// What an input of the networks is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Inputs {
    /// One indicator for each state.
    OneHot,
    /// The coordinates of the state in its world, each in [0, 1]; only for grids.
    Coordinates,
}

/// Networks and steps of an actor-critic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkOptions {
    /// Widths of the hidden layers of actor and critic. Ours: 64.
    #[schemars(length(max = 8), inner(range(min = 1, max = 4096)))]
    pub hidden: Vec<usize>,
    /// What an input is. Ours: one-hot.
    pub inputs: Inputs,
    /// How far a step of actor and critic goes. Official code: AdaGrad for MAC, constant for its baseline.
    pub rule: NetworkStepRule,
    /// Size α of the actor's steps. Official code: 0.01.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub actor: f64,
    /// Size β of the critic's steps. Official code: 0.01.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub critic: f64,
    /// Share τ of the way that the average reward η moves to its estimate at an update. Ours: 0.01.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub gain: f64,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        NetworkOptions {
            hidden: vec![64],
            inputs: Inputs::OneHot,
            rule: NetworkStepRule::Adagrad,
            actor: 0.01,
            critic: 0.01,
            gain: 0.01,
        }
    }
}

impl Options for NetworkOptions {}

/// A network with what its steps remember.
struct Part {
    network: Mlp,
    params: Params<f32>,
    gradient: Vec<f32>,
    /// Sums of squares: of each coordinate for AdaGrad, one number for AdaGrad-norm.
    squares: Vec<f32>,
}

impl Part {
    fn new(name: &str, inputs: usize, outputs: usize, options: &NetworkOptions, rng: &mut Rng) -> Self {
        let mut params = Params::new();
        let sizes = [&[inputs], options.hidden.as_slice(), &[outputs]].concat();
        let config = MlpConfig { sizes, activation: Activation::Tanh, ..MlpConfig::default() };
        let network = Mlp::new(&mut params, name, &config, rng);
        let squares = match options.rule {
            NetworkStepRule::Adagrad => vec![0.0; params.len()],
            NetworkStepRule::AdagradNorm => vec![0.0],
            NetworkStepRule::Constant => Vec::new(),
        };
        Part { gradient: vec![0.0; params.len()], network, params, squares }
    }

    /// Moves the parameters along `gradient`.
    fn climb(&mut self, rule: NetworkStepRule, size: f32) {
        let Part { params, gradient, squares, .. } = self;
        let theta = params.data_mut();
        match rule {
            NetworkStepRule::Constant => theta.iter_mut().zip(gradient).for_each(|(w, x)| *w += size * *x),
            NetworkStepRule::AdagradNorm => {
                squares[0] += gradient.iter().map(|x| x * x).sum::<f32>();
                let size = size / (squares[0].sqrt() + EPSILON);
                theta.iter_mut().zip(gradient).for_each(|(w, x)| *w += size * *x);
            }
            NetworkStepRule::Adagrad => {
                for ((w, x), sum) in theta.iter_mut().zip(gradient).zip(squares) {
                    *sum += *x * *x;
                    *w += size * *x / (sum.sqrt() + EPSILON);
                }
            }
        }
    }
}

/// Policy, values and average reward.
pub struct NetworkActorCritic {
    options: NetworkOptions,
    actions: usize,
    /// Inputs of all states, `[S, width]`.
    inputs: Arc<Vec<f32>>,
    width: usize,
    actor: Part,
    critic: Part,
    /// η.
    pub gain: f64,
    rng: Rng,
    tape: Tape<f32>,
    scratch: Scratch<f32>,
    work: Work,
}

/// Memory that updates reuse.
#[derive(Default)]
struct Work {
    states: Vec<f32>,
    nexts: Vec<f32>,
    actions: Vec<u32>,
    values: Vec<f32>,
    coefficients: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    actor: (Vec<f32>, Vec<f32>),
    critic: (Vec<f32>, Vec<f32>),
    gain: f64,
    rng: Rng,
}

impl NetworkActorCritic {
    /// Networks drawn at random, η = 0.
    ///
    /// # Errors
    /// Coordinates where the world has none.
    pub fn new(setting: &Setting, options: NetworkOptions) -> Result<Self> {
        let states = setting.states;
        let (inputs, width): (Vec<f32>, usize) = match options.inputs {
            Inputs::OneHot => {
                let entry = |at: usize| f32::from(u8::from(at / states == at % states));
                ((0..states * states).map(entry).collect(), states)
            }
            Inputs::Coordinates => {
                let Some(coordinates) = &setting.coordinates else {
                    let problem = "must be one-hot: the states of this problem have no coordinates";
                    return Err(Error::option("network.inputs", problem));
                };
                (coordinates.iter().map(|&x| x as f32).collect(), coordinates.len() / states)
            }
        };
        Ok(NetworkActorCritic {
            actor: Part::new("actor", width, setting.actions, &options, &mut setting.seeds.stream("actor")),
            critic: Part::new("critic", width, 1, &options, &mut setting.seeds.stream("critic")),
            options,
            actions: setting.actions,
            inputs: Arc::new(inputs),
            width,
            gain: 0.0,
            rng: setting.seeds.stream("actions"),
            tape: Tape::new(1),
            scratch: Scratch::new(),
            work: Work::default(),
        })
    }

    /// An action drawn from π(·|s).
    pub fn act(&mut self, state: usize) -> usize {
        let input = &self.inputs[state * self.width..][..self.width];
        let logits = self.actor.network.infer(&self.actor.params, input, &mut self.scratch);
        sample_categorical(logits, &mut self.rng)
    }

    /// π, `[S, A]`.
    pub fn policy(&self) -> Vec<f64> {
        let mut scratch = Scratch::new();
        let logits = self.actor.network.infer_batch(&self.actor.params, &self.inputs, &mut scratch);
        let mut policy: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
        for row in policy.chunks_exact_mut(self.actions) {
            crate::regularized::log_softmax(row);
            row.iter_mut().for_each(|log| *log = log.exp());
        }
        policy
    }

    /// V, `[S]`.
    pub fn values(&self) -> Vec<f64> {
        let mut scratch = Scratch::new();
        let values = self.critic.network.infer_batch(&self.critic.params, &self.inputs, &mut scratch);
        values.iter().map(|&value| f64::from(value)).collect()
    }

    /// The estimates from a trajectory whose step i counts with `weight(i)`: that of the average reward is returned, those of the
    /// networks are left in their gradients.
    fn estimate(&mut self, trajectory: &[Step], weight: impl Fn(usize) -> f64) -> f64 {
        let NetworkActorCritic { inputs, width, actor, critic, gain, tape, scratch, work, .. } = self;
        let Work { states, nexts, actions, values, coefficients } = work;
        let steps = trajectory.len();
        let input = |state: usize| &inputs[state * *width..][..*width];
        states.clear();
        nexts.clear();
        actions.clear();
        for step in trajectory {
            states.extend_from_slice(input(step.state));
            nexts.extend_from_slice(input(step.next));
            actions.push(step.action as u32);
        }
        values.clear();
        values.extend_from_slice(critic.network.infer_batch(&critic.params, states, scratch));
        let later = critic.network.infer_batch(&critic.params, nexts, scratch);
        coefficients.clear();
        let mut of_gain = 0.0;
        for (index, step) in trajectory.iter().enumerate() {
            let excess = step.reward - *gain;
            let difference = excess + f64::from(later[index]) - f64::from(values[index]);
            coefficients.push((weight(index) * difference) as f32);
            of_gain += weight(index) * excess;
        }
        let graph = tape.graph();
        let x = graph.constant(&[1, steps, *width], states);
        let c = graph.constant(&[steps], coefficients);
        let v = critic.network.forward(graph, &critic.params, x).reshape(&[steps]);
        (v * c).sum().gradient(&critic.params, &mut critic.gradient);
        let graph = tape.graph();
        let x = graph.constant(&[1, steps, *width], states);
        let c = graph.constant(&[steps], coefficients);
        let logits = actor.network.forward(graph, &actor.params, x).reshape(&[steps, self.actions]);
        (logits.log_softmax().gather(actions).reshape(&[steps]) * c)
            .sum()
            .gradient(&actor.params, &mut actor.gradient);
        of_gain
    }

    /// One update of all three from a trajectory, whose step i counts with `weight(i)`; all estimates are made before anything
    /// moves.
    pub fn update(&mut self, trajectory: &[Step], weight: impl Fn(usize) -> f64) {
        let of_gain = self.estimate(trajectory, weight);
        let NetworkOptions { rule, actor, critic, gain, .. } = self.options;
        self.gain += gain * of_gain;
        self.critic.climb(rule, critic as f32);
        self.actor.climb(rule, actor as f32);
    }

    /// The whole state.
    pub fn save(&self) -> Vec<u8> {
        let part = |part: &Part| (part.params.data().to_vec(), part.squares.clone());
        let saved = Saved {
            actor: part(&self.actor),
            critic: part(&self.critic),
            gain: self.gain,
            rng: self.rng.clone(),
        };
        state::encode("network actor-critic", &saved)
    }

    /// Goes on from what [`NetworkActorCritic::save`] returned.
    ///
    /// # Errors
    /// Networks of another shape.
    pub fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let Saved { actor, critic, gain, rng } = state::decode("network actor-critic", saved)?;
        for (part, (params, squares)) in [(&mut self.actor, actor), (&mut self.critic, critic)] {
            if (params.len(), squares.len()) != (part.params.len(), part.squares.len()) {
                return Err(Error::Resume("the saved networks have another shape".into()));
            }
            part.params.data_mut().copy_from_slice(&params);
            part.squares = squares;
        }
        (self.gain, self.rng) = (gain, rng);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::super::actor_critic::ActorCritic;
    use super::*;

    fn setting() -> Setting {
        let coordinates = Some(Arc::new(vec![0.0, 0.5, 1.0]));
        Setting {
            states: 3,
            actions: 2,
            hypotheses: None,
            kernels: None,
            features: None,
            coordinates,
            seeds: Seeds::new(4),
        }
    }

    const TRAJECTORY: [Step; 4] = [
        Step { state: 0, action: 1, reward: 0.5, next: 1 },
        Step { state: 1, action: 0, reward: -1.0, next: 0 },
        Step { state: 0, action: 0, reward: 2.0, next: 2 },
        Step { state: 2, action: 1, reward: 0.25, next: 0 },
    ];

    fn weight(index: usize) -> f64 {
        [1.5, -1.0, 0.5, 1.0][index]
    }

    /// Without hidden layers and with one indicator a state the weights are the tables, and the biases get the sums.
    #[test]
    fn linear_networks_of_indicators_are_tables() {
        let options = NetworkOptions { hidden: Vec::new(), ..NetworkOptions::default() };
        let mut networks = NetworkActorCritic::new(&setting(), options).unwrap();
        networks.gain = 0.3;
        let mut tables = ActorCritic::new(&setting());
        tables.gain = 0.3;
        tables.values = networks.values();
        tables.logits = networks.policy().iter().map(|p| p.ln()).collect();
        let of_gain = networks.estimate(&TRAJECTORY, weight);
        let by_hand: f64 =
            TRAJECTORY.iter().enumerate().map(|(i, step)| weight(i) * (step.reward - 0.3)).sum();
        assert!((of_gain - by_hand).abs() < 1e-12);
        let coefficient = |i: usize| weight(i) * tables.temporal_difference(&TRAJECTORY[i]);
        let mut critic = [0.0; 3];
        TRAJECTORY.iter().enumerate().for_each(|(i, step)| critic[step.state] += coefficient(i));
        let mut actor = Vec::new();
        let steps = TRAJECTORY.iter().enumerate().map(|(i, step)| (*step, coefficient(i)));
        tables.score(steps, &mut actor, &mut Vec::new());
        let close = |found: &[f32], expected: &[f64]| {
            found.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5)
        };
        assert!(close(&networks.critic.gradient[..3], &critic), "{:?}", networks.critic.gradient);
        assert!(close(&networks.critic.gradient[3..], &[critic.iter().sum()]));
        assert!(close(&networks.actor.gradient[..6], &actor), "{:?}", networks.actor.gradient);
        let sums = [0, 1].map(|a| actor.iter().skip(a).step_by(2).sum::<f64>());
        assert!(close(&networks.actor.gradient[6..], &sums));
    }

    #[test]
    fn the_three_steps_by_hand() {
        for (rule, first, second) in [
            // Gradients (3, 4), then (0, 12): AdaGrad moves each coordinate by the size at first.
            (NetworkStepRule::Adagrad, [0.1, 0.1], [0.1, 0.1 + 0.1 * 12.0 / 160.0_f32.sqrt()]),
            (NetworkStepRule::AdagradNorm, [0.06, 0.08], [0.06, 0.08 + 0.1 * 12.0 / 13.0]),
            (NetworkStepRule::Constant, [0.3, 0.4], [0.3, 1.6]),
        ] {
            let options = NetworkOptions { hidden: Vec::new(), rule, ..NetworkOptions::default() };
            let mut part = Part::new("part", 1, 1, &options, &mut Seeds::new(0).stream("part"));
            part.params.data_mut().fill(0.0);
            for (gradient, expected) in [([3.0, 4.0], first), ([0.0, 12.0], second)] {
                part.gradient.copy_from_slice(&gradient);
                part.climb(rule, 0.1);
                let close = part.params.data().iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6);
                assert!(close, "{rule:?}: {:?}", part.params.data());
            }
        }
    }

    #[test]
    fn coordinates_are_inputs_where_there_are_any() {
        let options = NetworkOptions { inputs: Inputs::Coordinates, ..NetworkOptions::default() };
        let networks = NetworkActorCritic::new(&setting(), options.clone()).unwrap();
        assert_eq!((networks.width, networks.policy().len()), (1, 6));
        let bare = Setting { coordinates: None, ..setting() };
        let error = NetworkActorCritic::new(&bare, options).err().unwrap().to_string();
        assert!(error.contains("network.inputs"), "{error}");
    }
}
