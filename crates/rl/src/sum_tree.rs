//! Numbers that are drawn in proportion to themselves: a binary tree whose nodes hold the sum of what is below.
//!
//! Changing a number and finding the one in which a given part of the total lies take a walk between leaf and root, O(log n).
//! Every sum is that of its two children and never corrected by differences, so that no rounding adds up over a run, and a tree
//! that is built again from its leaves is the same to the bit.

use serde::{Deserialize, Serialize};

/// Numbers that are not negative, and the sums of them.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct SumTree {
    /// The root is node 1, the children of node i are 2i and 2i + 1, the leaves are the second half.
    nodes: Vec<f64>,
    len: usize,
}

impl Default for SumTree {
    fn default() -> Self {
        SumTree { nodes: vec![0.0; 2], len: 0 }
    }
}

impl From<SumTree> for Vec<f64> {
    fn from(tree: SumTree) -> Self {
        tree.leaves().to_vec()
    }
}

impl TryFrom<Vec<f64>> for SumTree {
    type Error = &'static str;

    fn try_from(leaves: Vec<f64>) -> Result<Self, Self::Error> {
        let possible = |&leaf: &f64| leaf >= 0.0 && leaf <= f64::MAX / leaves.len() as f64;
        if !leaves.iter().all(possible) {
            return Err("priorities that are negative, not finite or too large to be added");
        }
        let mut tree = SumTree { nodes: Vec::new(), len: leaves.len() };
        tree.build(&leaves);
        Ok(tree)
    }
}

impl SumTree {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there is no number.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The numbers.
    pub fn leaves(&self) -> &[f64] {
        &self.nodes[self.nodes.len() / 2..][..self.len]
    }

    /// The sum of all numbers.
    pub fn total(&self) -> f64 {
        self.nodes[1]
    }

    /// Makes `value` the number at `index`, which may be one beyond the last.
    ///
    /// # Panics
    /// If `index` lies further out, or `value` is negative or not finite.
    pub fn set(&mut self, index: usize, value: f64) {
        assert!(index <= self.len, "number {index} of a tree of {}", self.len);
        assert!(value >= 0.0 && value.is_finite(), "a priority of {value}");
        if index == self.nodes.len() / 2 {
            let leaves = self.leaves().to_vec();
            self.len += 1;
            self.build(&leaves);
        }
        self.len = self.len.max(index + 1);
        let mut node = self.nodes.len() / 2 + index;
        self.nodes[node] = value;
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
    }

    /// Room for `self.len` leaves, of which the first are these and the others 0.
    fn build(&mut self, leaves: &[f64]) {
        let room = self.len.next_power_of_two();
        self.nodes.clear();
        self.nodes.resize(2 * room, 0.0);
        self.nodes[room..room + leaves.len()].copy_from_slice(leaves);
        for node in (1..room).rev() {
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
    }

    /// The index at which the running sum of the numbers first exceeds `mass`, a part of [`SumTree::total`]; never that of a
    /// number that is 0, whatever the rounding.
    ///
    /// # Panics
    /// If all numbers are 0.
    pub fn find(&self, mut mass: f64) -> usize {
        assert!(self.total() > 0.0, "drawing from numbers whose sum is {}", self.total());
        let room = self.nodes.len() / 2;
        let mut node = 1;
        while node < room {
            let (left, right) = (self.nodes[2 * node], self.nodes[2 * node + 1]);
            if mass < left || right == 0.0 {
                node *= 2;
            } else {
                mass -= left;
                node = 2 * node + 1;
            }
        }
        node - room
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_found_by_hand() {
        let mut tree = SumTree::default();
        for (index, value) in [3.0, 0.0, 1.0, 4.0, 2.0].into_iter().enumerate() {
            tree.set(index, value);
        }
        assert_eq!((tree.len(), tree.total()), (5, 10.0));
        let found: Vec<usize> = [0.0, 2.9, 3.0, 3.9, 4.0, 7.9, 8.0, 9.9].map(|mass| tree.find(mass)).to_vec();
        assert_eq!(found, [0, 0, 2, 2, 3, 3, 4, 4]);
        // Beyond the total, as rounding may make it, is the last number.
        assert_eq!((tree.find(10.0), tree.find(1e9)), (4, 4));
        tree.set(4, 0.0);
        tree.set(3, 0.5);
        assert_eq!((tree.total(), tree.find(4.4), tree.find(1e9)), (4.5, 3, 3));
    }

    proptest! {
        /// Against the running sum itself, for whole numbers, of which sums are exact.
        #[test]
        fn a_walk_finds_what_the_running_sum_says(
            changes in prop::collection::vec((0_usize..40, 0_u32..9), 1..120), part in 0.0_f64..1.0,
        ) {
            let (mut tree, mut plain) = (SumTree::default(), Vec::new());
            for (index, value) in changes {
                let index = index.min(plain.len());
                if index == plain.len() { plain.push(0.0); }
                plain[index] = f64::from(value);
                tree.set(index, f64::from(value));
            }
            let total: f64 = plain.iter().sum();
            prop_assert_eq!((tree.total(), tree.leaves()), (total, &plain[..]));
            if total > 0.0 {
                let (mut sum, mass) = (0.0, (part * total).floor());
                let wanted = plain.iter().position(|value| { sum += value; sum > mass }).unwrap();
                prop_assert_eq!(tree.find(mass), wanted);
            }
            let again = SumTree::try_from(Vec::from(tree.clone())).unwrap();
            prop_assert_eq!(again.leaves(), tree.leaves());
            prop_assert_eq!(again.total().to_bits(), tree.total().to_bits());
        }
    }

    #[test]
    fn a_saved_tree_is_checked_and_sums_to_the_same_bits() {
        let mut tree = SumTree::default();
        (0..1000).for_each(|i| tree.set(i, 1.0 / (1.0 + i as f64)));
        (0..5000).for_each(|i| tree.set(i * 7 % 1000, (i as f64).sin().abs()));
        let saved = serde_json::to_string(&tree).unwrap();
        let restored: SumTree = serde_json::from_str(&saved).unwrap();
        assert_eq!(restored.total().to_bits(), tree.total().to_bits());
        assert_eq!(restored.find(123.456), tree.find(123.456));
        assert!(serde_json::from_str::<SumTree>("[1.0, -0.5]").is_err());
        assert!(serde_json::from_str::<SumTree>("[1e308, 1.7e308]").is_err());
        assert!(serde_json::from_str::<SumTree>("[]").unwrap().is_empty());
    }
}
