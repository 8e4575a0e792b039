//! The nested Q-function as two networks, trained by full-batch Adam: one epoch is new targets and one step.

use quire_core::{Result, state};
use quire_nn::{Activation, Init, Mlp, MlpConfig, Params, Scratch, Tape};
use quire_optim::{Layout, Optimizer, OptimizerOptions, OptimizerSetting};

use super::{
    Clock, Group, GroupData, GroupLearner, GroupOptions, Model, Plan, Setting, inputs, inputs_of_all_actions,
    target,
};

/// One part of the Q-function: g_s or g_f.
pub struct Part {
    mlp: Mlp,
    /// Its parameters.
    pub params: Params<f32>,
    optimizer: Box<dyn Optimizer>,
    gradient: Vec<f32>,
    scratch: Scratch<f32>,
}

impl Part {
    fn optimizer(params: &Params<f32>, learning_rate: f64) -> Result<Box<dyn Optimizer>> {
        OptimizerOptions::adam(learning_rate)
            .build(&Layout::flat(params.len()), &OptimizerSetting::without_noise())
    }

    fn new(
        sizes: Vec<usize>,
        weights: Init,
        options: &GroupOptions,
        rng: &mut quire_core::Rng,
    ) -> Result<Self> {
        let config = MlpConfig {
            sizes,
            activation: Activation::Sigmoid,
            output_activation: Activation::Sigmoid,
            hidden_init: weights,
            output_init: weights,
            ..MlpConfig::default()
        };
        let mut params = Params::new();
        let mlp = Mlp::new(&mut params, "part", &config, rng);
        Ok(Part {
            optimizer: Part::optimizer(&params, options.learning_rate)?,
            gradient: vec![0.0; params.len()],
            scratch: Scratch::new(),
            mlp,
            params,
        })
    }

    fn values(&mut self, inputs: &[f32]) -> &[f32] {
        self.mlp.infer_batch(&self.params, inputs, &mut self.scratch)
    }

    fn step(&mut self, output_frozen: bool) {
        if output_frozen {
            let output = self.mlp.layers().last().expect("a network has layers");
            for view in [Some(output.weight), output.bias].into_iter().flatten() {
                self.gradient[view.range()].fill(0.0);
            }
        }
        self.optimizer.step(self.params.data_mut(), &mut self.gradient);
    }
}

/// The rows of a stage in the form of the networks, with what parts that do not learn make of them.
#[derive(Default)]
struct Batch {
    inputs: Vec<f32>,
    next: Vec<f32>,
    costs: Vec<f32>,
    done: Vec<bool>,
    /// Values of the shared part at `inputs` and `next` if it is frozen, else 0.
    frozen: Vec<f32>,
    frozen_next: Vec<f32>,
    q_next: Vec<f32>,
    targets: Vec<f32>,
}

/// The learner.
pub struct NetworkLearner {
    name: &'static str,
    plan: &'static Plan,
    options: GroupOptions,
    data: GroupData,
    first_stage_ends: u64,
    /// g_s.
    pub shared: Part,
    /// g_f.
    pub foreground: Part,
    /// The stage.
    pub clock: Clock,
    batch: Batch,
    tape: Tape<f32>,
    input: Vec<f32>,
}

impl NetworkLearner {
    /// A learner that follows `plan`. Initial weights: g_s uniform on [-0.5, 0.5], g_f 0; biases uniform on ±1/√inputs.
    ///
    /// # Errors
    /// Those of the optimizer.
    pub fn new(
        name: &'static str,
        plan: &'static Plan,
        setting: Setting,
        options: GroupOptions,
    ) -> Result<Self> {
        let width = setting.data.dimensions + 1;
        let sizes = match options.model {
            Model::Deep => vec![width, 2 * width, 3 * width, 2 * width, width, 1],
            _ => vec![width, 2 * width, width, 1],
        };
        let mut rng = setting.seeds.stream("networks");
        let shared = Part::new(sizes.clone(), Init::Uniform { bound: 0.5 }, &options, &mut rng)?;
        let foreground = Part::new(sizes, Init::Zeros, &options, &mut rng)?;
        let mut learner = NetworkLearner {
            name,
            plan,
            first_stage_ends: ((setting.budget as f64 * options.first_stage) as u64).max(1),
            data: setting.data,
            shared,
            foreground,
            clock: Clock::default(),
            batch: Batch::default(),
            tape: Tape::new(1),
            input: Vec::new(),
            options,
        };
        learner.enter();
        Ok(learner)
    }

    /// Takes up the rows of the current stage.
    fn enter(&mut self) {
        let stage = self.plan.stages[self.clock.stage];
        let part;
        let rows = match stage.rows {
            Group::Everybody => &self.data,
            group => {
                part = self.data.of_group(group == Group::Foreground);
                &part
            }
        };
        let single = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<_>>();
        let d = rows.dimensions;
        let batch = &mut self.batch;
        batch.inputs = single(inputs(&rows.states, d, rows.chosen.iter().copied()));
        batch.next = single(inputs_of_all_actions(&rows.next, d, rows.actions));
        batch.costs = rows.costs.iter().map(|&cost| cost as f32).collect();
        batch.done.clone_from(&rows.done);
        batch.frozen.clear();
        batch.frozen_next.clear();
        if !stage.shared_learns {
            batch.frozen.extend_from_slice(self.shared.values(&batch.inputs));
            batch.frozen_next.extend_from_slice(self.shared.values(&batch.next));
        }
    }

    /// A new stage: its own optimizers for what learns in it, its own rows.
    fn begin(&mut self) -> Result<()> {
        let stage = self.plan.stages[self.clock.stage];
        // Whatever learned before goes on with its moments.
        let learned = |part: fn(&super::Stage) -> bool| self.plan.stages[..self.clock.stage].iter().any(part);
        if stage.foreground_learns && !learned(|stage| stage.foreground_learns) {
            self.foreground.optimizer = Part::optimizer(&self.foreground.params, self.options.learning_rate)?;
        }
        self.enter();
        Ok(())
    }

    /// y of every row.
    fn set_targets(&mut self) {
        let stage = self.plan.stages[self.clock.stage];
        let Batch { next, costs, done, frozen_next, q_next, targets, .. } = &mut self.batch;
        q_next.clear();
        if stage.shared_learns {
            q_next.extend_from_slice(self.shared.values(next));
        } else {
            q_next.extend_from_slice(frozen_next);
        }
        if stage.nested {
            let added = self.foreground.values(next);
            q_next.iter_mut().zip(added).for_each(|(q, added)| *q += added);
        }
        targets.clear();
        let rows = q_next.chunks_exact(self.data.actions).zip(&*costs).zip(&*done);
        targets.extend(rows.map(|((q, &cost), &done)| {
            target(f64::from(cost), self.options.discount, done, q.iter().map(|&q| f64::from(q))) as f32
        }));
    }
}

impl GroupLearner for NetworkLearner {
    fn improve(&mut self) -> Result<()> {
        self.set_targets();
        let stage = self.plan.stages[self.clock.stage];
        let NetworkLearner { shared, foreground, batch, tape, .. } = self;
        let count = batch.targets.len();
        let graph = tape.graph();
        let x = graph.constant(&[count, batch.inputs.len() / count], &batch.inputs);
        let mut error = graph.constant(&[count, 1], &batch.targets).affine(-1.0, 0.0);
        if stage.shared_learns {
            error = error + shared.mlp.forward(graph, &shared.params, x);
        } else {
            error = error + graph.constant(&[count, 1], &batch.frozen);
        }
        if stage.nested {
            error = error + foreground.mlp.forward(graph, &foreground.params, x);
        }
        let loss = error.square().mean();
        match (stage.shared_learns, stage.foreground_learns) {
            (true, true) => loss.gradients(&mut [
                (&shared.params, &mut shared.gradient),
                (&foreground.params, &mut foreground.gradient),
            ]),
            (true, false) => loss.gradient(&shared.params, &mut shared.gradient),
            _ => loss.gradient(&foreground.params, &mut foreground.gradient),
        }
        if stage.shared_learns {
            shared.step(stage.output_frozen);
        }
        if stage.foreground_learns {
            foreground.step(stage.output_frozen);
        }
        if self.clock.tick(self.plan, self.first_stage_ends) {
            self.begin()?;
        }
        Ok(())
    }

    fn act(&mut self, state: &[f64], foreground: bool) -> usize {
        let adds = self.plan.adds_foreground(foreground);
        let mut best = (0, f32::INFINITY);
        for action in 0..self.data.actions {
            self.input.clear();
            self.input.extend(state.iter().map(|&value| value as f32));
            self.input.push(action as f32);
            let NetworkLearner { shared, foreground, input, .. } = self;
            let mut q = shared.mlp.infer(&shared.params, input, &mut shared.scratch)[0];
            if adds {
                q += foreground.mlp.infer(&foreground.params, input, &mut foreground.scratch)[0];
            }
            if q < best.1 {
                best = (action, q);
            }
        }
        best.0
    }

    fn watched(&self) -> bool {
        self.plan.stages[self.clock.stage].watched
    }

    fn hear(&mut self, survived: bool) -> Result<()> {
        if self.clock.hear(self.plan, survived, self.options.successes) {
            self.begin()?;
        }
        Ok(())
    }

    fn finished(&self) -> bool {
        self.clock.finished
    }

    fn save(&self) -> Vec<u8> {
        let part = |part: &Part| (part.params.data().to_vec(), part.optimizer.save());
        state::encode(self.name, &(&self.clock, part(&self.shared), part(&self.foreground)))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        type Saved = (Vec<f32>, Vec<u8>);
        let (clock, shared, foreground): (Clock, Saved, Saved) = state::decode(self.name, saved)?;
        for (part, (params, optimizer)) in [(&mut self.shared, shared), (&mut self.foreground, foreground)] {
            if params.len() != part.params.len() {
                return Err(quire_core::Error::Resume("the saved network has another shape".into()));
            }
            part.params.data_mut().copy_from_slice(&params);
            part.optimizer.restore(&optimizer)?;
        }
        self.clock = clock;
        self.enter();
        Ok(())
    }
}
