//! In which order a pass takes the components.
//!
//! GraB (gradient balancing) puts each component in front or at the back of the next order, so that the signed sum of centered gradients stays
//! short: with c = g - (the mean gradient of the pass before) and s the signed sum so far, the sign is + if ‖s + c‖ ≤ ‖s - c‖. Components with +
//! keep their order in front, those with - come reversed at the back. In pairs, c is the difference of two gradients that follow each other, one of which goes to
//! the front and the other to the back; no mean is needed.
//!
//! Source: Y. Lu, W. Guo & C. De Sa, *GraB: Finding Provably Better Data Permutations than Random Reshuffling*, arXiv:2205.10733; J. Cha, J. Lee & C. Yun,
//! *Tighter Lower Bounds for Shuffling SGD*, arXiv:2303.07160, which shows that no order does better in n and in passes.

use quire_core::Rng;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::vectors::{add_scaled, dot};

/// How the order of a pass is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Every component is drawn anew, with replacement: plain SGD.
    Replacement,
    /// One random order for all passes.
    ShuffleOnce,
    /// A random order for each pass.
    RandomReshuffling,
    /// A random order, and then the same backwards, in turns.
    FlipFlop,
    /// The order in which the components are given.
    Given,
    /// GraB with the mean gradient of the pass before.
    Grab,
    /// GraB in pairs.
    GrabPairs,
}

/// A uniformly random order (Fisher & Yates).
pub fn shuffle(order: &mut [usize], rng: &mut Rng) {
    for i in (1..order.len()).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
}

/// Makes one order after another; told every gradient, if it balances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    policy: Policy,
    order: Vec<usize>,
    /// Passes begun.
    passes: u64,
    rng: Rng,
    balance: Balance,
}

/// What GraB keeps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Balance {
    /// The mean of the pass before.
    mean: Vec<f64>,
    /// The mean of this pass so far.
    fresh: Vec<f64>,
    /// The signed sum.
    sum: Vec<f64>,
    /// The first of a pair: its component and gradient.
    first: Option<(usize, Vec<f64>)>,
    front: Vec<usize>,
    /// From the last place on.
    back: Vec<usize>,
}

impl Orders {
    /// For `components` components with gradients of `dimension` numbers.
    pub fn new(policy: Policy, components: usize, dimension: usize, mut rng: Rng) -> Self {
        let mut order: Vec<usize> = (0..components).collect();
        if !matches!(policy, Policy::Given | Policy::Replacement) {
            shuffle(&mut order, &mut rng);
        }
        let zeros = || vec![0.0; dimension];
        let balance = Balance { mean: zeros(), fresh: zeros(), sum: zeros(), ..Balance::default() };
        Orders { policy, order, passes: 0, rng, balance }
    }

    /// Begins a pass.
    pub fn begin(&mut self) {
        self.passes += 1;
        match self.policy {
            Policy::Replacement => {
                let n = self.order.len();
                self.order.iter_mut().for_each(|i| *i = self.rng.random_range(0..n));
            }
            Policy::RandomReshuffling if self.passes > 1 => shuffle(&mut self.order, &mut self.rng),
            Policy::FlipFlop if self.passes > 1 => {
                if self.passes.is_multiple_of(2) {
                    self.order.reverse();
                } else {
                    shuffle(&mut self.order, &mut self.rng);
                }
            }
            _ => {}
        }
    }

    /// The order of the pass that has begun.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The gradient of the next component of the order.
    pub fn tell(&mut self, component: usize, gradient: &[f64]) {
        let n = self.order.len() as f64;
        let balance = &mut self.balance;
        match self.policy {
            Policy::Grab => {
                add_scaled(1.0 / n, gradient, &mut balance.fresh);
                let centered: Vec<f64> =
                    gradient.iter().zip(&balance.mean).map(|(g, mean)| g - mean).collect();
                match balance.takes_plus(&centered) {
                    true => balance.front.push(component),
                    false => balance.back.push(component),
                }
            }
            Policy::GrabPairs => match balance.first.take() {
                None => balance.first = Some((component, gradient.to_vec())),
                Some((first, mut difference)) => {
                    add_scaled(-1.0, gradient, &mut difference);
                    let (ahead, behind) =
                        if balance.takes_plus(&difference) { (first, component) } else { (component, first) };
                    balance.front.push(ahead);
                    balance.back.push(behind);
                }
            },
            _ => {}
        }
    }

    /// Ends a pass: what was told makes the next order.
    pub fn end(&mut self) {
        if !matches!(self.policy, Policy::Grab | Policy::GrabPairs) {
            return;
        }
        let balance = &mut self.balance;
        // The last of an odd number is balanced alone.
        if let Some((component, gradient)) = balance.first.take() {
            match balance.takes_plus(&gradient) {
                true => balance.front.push(component),
                false => balance.back.push(component),
            }
        }
        self.order.clear();
        self.order.append(&mut balance.front);
        self.order.extend(balance.back.drain(..).rev());
        std::mem::swap(&mut balance.mean, &mut balance.fresh);
        balance.fresh.fill(0.0);
        balance.sum.fill(0.0);
    }
}

impl Balance {
    /// Takes c into the signed sum; true if with +. Ties go to +.
    fn takes_plus(&mut self, c: &[f64]) -> bool {
        // ‖s + c‖² - ‖s - c‖² = 4 s·c.
        let plus = dot(&self.sum, c) <= 0.0;
        add_scaled(if plus { 1.0 } else { -1.0 }, c, &mut self.sum);
        plus
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;

    fn orders(policy: Policy, n: usize) -> Orders {
        Orders::new(policy, n, 1, Seeds::new(1).stream("order"))
    }

    const ALL: [Policy; 6] = [
        Policy::ShuffleOnce,
        Policy::RandomReshuffling,
        Policy::FlipFlop,
        Policy::Given,
        Policy::Grab,
        Policy::GrabPairs,
    ];

    #[test]
    fn every_order_is_a_permutation_but_that_with_replacement() {
        for policy in ALL {
            let mut orders = orders(policy, 9);
            let mut rng = Seeds::new(2).stream("gradients");
            for _ in 0..7 {
                orders.begin();
                for component in orders.order().to_vec() {
                    orders.tell(component, &[rng.random::<f64>() - 0.5]);
                }
                orders.end();
                let mut sorted = orders.order().to_vec();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..9).collect::<Vec<_>>(), "{policy:?}");
            }
        }
    }

    #[test]
    fn orders_change_as_their_policy_says() {
        let pass = |orders: &mut Orders| {
            orders.begin();
            let order = orders.order().to_vec();
            orders.end();
            order
        };
        let mut once = orders(Policy::ShuffleOnce, 30);
        assert_eq!(pass(&mut once), pass(&mut once));
        let mut fresh = orders(Policy::RandomReshuffling, 30);
        assert_ne!(pass(&mut fresh), pass(&mut fresh));
        let mut flip = orders(Policy::FlipFlop, 30);
        let (first, second, third) = (pass(&mut flip), pass(&mut flip), pass(&mut flip));
        assert_eq!(first, second.iter().rev().copied().collect::<Vec<_>>());
        assert_ne!(third, first);
        assert_eq!(pass(&mut orders(Policy::Given, 4)), [0, 1, 2, 3]);
    }

    #[test]
    fn balancing_by_hand() {
        // c = 1, 1, -1, -1 in the order given: + (a tie), then s = 1: -, s = 0: + (a tie), s = -1: - makes it 0.
        let mut orders = orders(Policy::Grab, 4);
        orders.order = vec![0, 1, 2, 3];
        orders.begin();
        for (component, c) in [1.0, 1.0, -1.0, -1.0].into_iter().enumerate() {
            orders.tell(component, &[c]);
        }
        orders.end();
        // + in front in their order, - reversed at the back.
        assert_eq!(orders.order(), [0, 2, 3, 1]);
        assert_eq!(orders.balance.mean, [0.0]);
        // The mean of a pass centers the next one: gradients of 5 are 0 after a pass of 5, and keep their order.
        for _ in 0..2 {
            orders.begin();
            for component in orders.order().to_vec() {
                orders.tell(component, &[5.0]);
            }
            orders.end();
        }
        let before = orders.order().to_vec();
        orders.begin();
        for component in before.clone() {
            orders.tell(component, &[5.0]);
        }
        orders.end();
        assert_eq!(orders.order(), before);
    }

    #[test]
    fn the_new_order_halves_what_prefixes_sum_to() {
        // The herding inequality: max prefix of the new order <= half of (that of the old one + the largest signed sum).
        let mut rng = Seeds::new(3).stream("vectors");
        let n = 50;
        let mut vectors: Vec<f64> = (0..n).map(|_| rng.random::<f64>() - 0.5).collect();
        let mean = vectors.iter().sum::<f64>() / n as f64;
        vectors.iter_mut().for_each(|v| *v -= mean);
        let prefix = |order: &[usize]| {
            let mut sum: f64 = 0.0;
            order.iter().fold(0.0_f64, |most, &i| {
                sum += vectors[i];
                most.max(sum.abs())
            })
        };
        let mut orders = orders(Policy::Grab, n);
        orders.begin();
        let old = orders.order().to_vec();
        let mut signed: f64 = 0.0;
        for &component in &old {
            orders.tell(component, &vectors[component..=component]);
            signed = signed.max(orders.balance.sum[0].abs());
        }
        orders.end();
        assert!(prefix(orders.order()) <= 0.5 * (prefix(&old) + signed) + 1e-12);
    }
}
