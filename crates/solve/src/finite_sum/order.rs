//! In which order a pass takes the components.
//!
//! GraB (gradient balancing) puts each component in front or at the back of the next order, so that the signed sum of centered gradients stays
//! short: with c = g - (the mean gradient of the pass before) and s the signed sum so far, the sign is + if ‖s + c‖ ≤ ‖s - c‖. Components with +
//! keep their order in front, those with - come reversed at the back. In pairs, c is the difference of two gradients that follow each other, one of which goes to
//! the front and the other to the back; no mean is needed. With a sign by chance + has the probability ½ - s·c/(60 m²), m the longest c so far: the walk for which theory bounds s.
//! Greedy herding, GraB's ancestor, keeps the gradients of a pass and always takes the component that leaves the sum of centered gradients shortest: n d numbers and n² d operations.
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
    /// GraB with signs by chance.
    GrabByChance,
    /// Greedy herding on the gradients of the pass before.
    Herding,
}

impl Policy {
    /// Whether it has to be told the gradients of single components.
    pub fn balances(self) -> bool {
        matches!(self, Policy::Grab | Policy::GrabPairs | Policy::GrabByChance | Policy::Herding)
    }
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

/// What signs by chance are divided by; the code's.
const CHANCE: f64 = 60.0;

/// What GraB and herding keep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Balance {
    /// The mean of the pass before.
    mean: Vec<f64>,
    /// The mean of this pass so far.
    fresh: Vec<f64>,
    /// The signed sum.
    sum: Vec<f64>,
    /// c; or the gradient of the first of a pair.
    centered: Vec<f64>,
    /// The first of a pair.
    first: Option<usize>,
    /// The square of the longest c so far.
    longest: f64,
    /// All gradients of the pass, component by component, for herding.
    gradients: Vec<f64>,
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
        let kept = if policy == Policy::Herding { components * dimension } else { 0 };
        let balance = Balance {
            mean: zeros(),
            fresh: zeros(),
            sum: zeros(),
            centered: zeros(),
            gradients: vec![0.0; kept],
            ..Balance::default()
        };
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
            Policy::Grab | Policy::GrabByChance => {
                add_scaled(1.0 / n, gradient, &mut balance.fresh);
                balance.centered.copy_from_slice(gradient);
                add_scaled(-1.0, &balance.mean, &mut balance.centered);
                let chance = (self.policy == Policy::GrabByChance).then_some(&mut self.rng);
                match balance.takes_plus(chance) {
                    true => balance.front.push(component),
                    false => balance.back.push(component),
                }
            }
            Policy::GrabPairs => match balance.first.take() {
                None => {
                    balance.first = Some(component);
                    balance.centered.copy_from_slice(gradient);
                }
                Some(first) => {
                    add_scaled(-1.0, gradient, &mut balance.centered);
                    let (ahead, behind) =
                        if balance.takes_plus(None) { (first, component) } else { (component, first) };
                    balance.front.push(ahead);
                    balance.back.push(behind);
                }
            },
            Policy::Herding => {
                let d = gradient.len();
                add_scaled(1.0 / n, gradient, &mut balance.fresh);
                balance.gradients[component * d..(component + 1) * d].copy_from_slice(gradient);
            }
            _ => {}
        }
    }

    /// Ends a pass: what was told makes the next order.
    pub fn end(&mut self) {
        if !self.policy.balances() {
            return;
        }
        let balance = &mut self.balance;
        if self.policy == Policy::Herding {
            balance.herd(&mut self.order);
        } else {
            // The last of an odd number is balanced alone.
            if let Some(component) = balance.first.take() {
                match balance.takes_plus(None) {
                    true => balance.front.push(component),
                    false => balance.back.push(component),
                }
            }
            self.order.clear();
            self.order.append(&mut balance.front);
            self.order.extend(balance.back.drain(..).rev());
        }
        std::mem::swap(&mut balance.mean, &mut balance.fresh);
        balance.fresh.fill(0.0);
        balance.sum.fill(0.0);
    }
}

impl Balance {
    /// Takes c into the signed sum; true if with +. Ties go to +; with `chance` the sign is drawn.
    fn takes_plus(&mut self, chance: Option<&mut Rng>) -> bool {
        let along = dot(&self.sum, &self.centered);
        let plus = match chance {
            // ‖s + c‖² - ‖s - c‖² = 4 s·c.
            None => along <= 0.0,
            Some(rng) => {
                self.longest = self.longest.max(dot(&self.centered, &self.centered));
                // Where all c were 0 there is nothing to lean to.
                let lean = if self.longest > 0.0 { along / (CHANCE * self.longest) } else { 0.0 };
                rng.random::<f64>() < 0.5 - lean
            }
        };
        add_scaled(if plus { 1.0 } else { -1.0 }, &self.centered, &mut self.sum);
        plus
    }

    /// Orders the components so that each next one leaves ‖s + c‖ shortest; ties go to the one that came first.
    fn herd(&mut self, order: &mut [usize]) {
        let d = self.fresh.len();
        let Balance { gradients, fresh, sum, .. } = self;
        gradients.chunks_exact_mut(d).for_each(|c| add_scaled(-1.0, fresh, c));
        let of = |i: usize| &gradients[i * d..(i + 1) * d];
        for place in 0..order.len() {
            // ‖s + c‖² - ‖s‖² = (2 s + c)·c.
            let length = |i: usize| 2.0 * dot(sum, of(i)) + dot(of(i), of(i));
            let rest = order[place..].iter().enumerate();
            let best = rest.map(|(at, &i)| (at, length(i))).reduce(|a, b| if b.1 < a.1 { b } else { a });
            let (at, _) = best.expect("there is a component left");
            // The others keep their order.
            order[place..=place + at].rotate_right(1);
            add_scaled(1.0, of(order[place]), sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use quire_core::Seeds;

    use super::*;

    fn orders(policy: Policy, n: usize) -> Orders {
        Orders::new(policy, n, 1, Seeds::new(1).stream("order"))
    }

    const ALL: [Policy; 8] = [
        Policy::ShuffleOnce,
        Policy::RandomReshuffling,
        Policy::FlipFlop,
        Policy::Given,
        Policy::Grab,
        Policy::GrabPairs,
        Policy::GrabByChance,
        Policy::Herding,
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
    fn herding_by_hand() {
        // Centered 3, 1, -2, -2: first 1, the shortest; then s = 1: -2 makes it -1, the same for both; 3 makes 2 and -2 makes -3; and the last -2 makes 0.
        let mut orders = orders(Policy::Herding, 4);
        orders.order = vec![0, 1, 2, 3];
        orders.begin();
        for (component, g) in [8.0, 6.0, 3.0, 3.0].into_iter().enumerate() {
            orders.tell(component, &[g]);
        }
        orders.end();
        assert_eq!(orders.order(), [1, 2, 0, 3]);
        assert_eq!(orders.balance.mean, [5.0]);
    }

    #[test]
    fn signs_by_chance_lean_against_the_sum() {
        // c = 1 with s = 15: + with probability ½ - 15/60 = ¼.
        let mut rng = Seeds::new(5).stream("signs");
        let mut plus = 0;
        for _ in 0..4000 {
            let mut balance = Balance { sum: vec![15.0], centered: vec![1.0], ..Balance::default() };
            plus += u32::from(balance.takes_plus(Some(&mut rng)));
        }
        assert!((f64::from(plus) / 4000.0 - 0.25).abs() < 0.025, "{plus}");
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
