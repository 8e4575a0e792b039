//! Exploration schedules for ε-greedy behaviour.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// ε falls linearly from `initial` to `last` over the first `steps` environment steps, then stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Exploration {
    /// Probability of a uniformly random action at the first step. Paper: 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub initial: f64,
    /// Probability of a uniformly random action after `steps`. Paper: 0.1, tuned version 0.01.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub last: f64,
    /// Environment steps until `last` is reached. Paper: 1,000,000.
    pub steps: u64,
}

impl Default for Exploration {
    fn default() -> Self {
        Exploration { initial: 1.0, last: 0.1, steps: 1_000_000 }
    }
}

impl Exploration {
    /// ε at environment step `step`, counted from 0.
    pub fn epsilon(&self, step: u64) -> f64 {
        if step >= self.steps {
            return self.last;
        }
        self.initial + (self.last - self.initial) * step as f64 / self.steps as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epsilon_falls_linearly_and_stays() {
        let exploration = Exploration { initial: 1.0, last: 0.2, steps: 8 };
        assert_eq!(exploration.epsilon(0), 1.0);
        assert!((exploration.epsilon(4) - 0.6).abs() < 1e-15);
        assert_eq!(exploration.epsilon(8), 0.2);
        assert_eq!(exploration.epsilon(u64::MAX), 0.2);
        assert_eq!(Exploration { steps: 0, ..exploration }.epsilon(0), 0.2);
    }
}
