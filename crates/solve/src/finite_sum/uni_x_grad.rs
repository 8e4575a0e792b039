//! UniXGrad (Kavis, Levy, Bach & Cevher 2019): U-DoG's ancestor, which is told the diameter of the set that it keeps to.
//!
//! α_t = t, η_t = 2 D/√(1 + Σ_{k<t} α_k² ‖g_k - m_k‖²), in a ball of diameter D about the start; the rest is [`quire_optim::dog::ExtraGradient`].

use quire_core::{About, Options, Reason, Result};
use quire_optim::dog::{ExtraGradient, Pace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::u_dog::State;
use super::{Draws, Rule, Task};

/// Options of `uni-x-grad`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UniXGradOptions {
    /// Diameter D of a ball about the start that the minimum lies in, > 0; to be known.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub diameter: f64,
    /// Components of a batch, drawn with replacement, at least 1; from as many as there are on, gradients are exact.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
}

impl Default for UniXGradOptions {
    fn default() -> Self {
        UniXGradOptions { diameter: 25.0, batch_size: 16 }
    }
}

impl Options for UniXGradOptions {}

/// The method.
pub struct UniXGrad {
    gradient: Vec<f64>,
}

impl Rule for UniXGrad {
    type Options = UniXGradOptions;
    type State = State;

    const ABOUT: About = About {
        name: "uni-x-grad",
        summary: "accelerated extragradient that is told the diameter of the set",
        when: "A rival of u-dog, which does without the diameter.",
        wing: "solve",
        family: "finite_sum",
        paper: None,
        is_baseline: true,
        tuned: "",
    };

    fn new(task: &Task, options: UniXGradOptions) -> Result<(Self, State)> {
        let pace = Pace::Diameter(options.diameter);
        let state = State::new(
            ExtraGradient::new(&task.start, pace, Some(0.5 * options.diameter)),
            Draws::new(task.sum.len(), options.batch_size, task.seeds.stream("batches")),
        );
        Ok((UniXGrad { gradient: vec![0.0; task.start.len()] }, state))
    }

    fn step(&mut self, task: &Task, state: &mut State) -> Result<(u64, Option<Reason>)> {
        state.advance(task, &mut self.gradient)
    }

    fn point(state: &State) -> &[f64] {
        state.point()
    }

    fn norm(&self, state: &State) -> f64 {
        state.norm()
    }
}
