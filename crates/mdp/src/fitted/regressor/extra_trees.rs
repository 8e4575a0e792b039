//! Extremely randomized trees: an average of trees whose cuts are drawn at random.
//!
//! A node of n rows is a leaf, with the mean of its targets, if n < n_min or its targets or all its inputs are constant.
//! Otherwise up to K inputs that vary in it are drawn without replacement, a cut uniformly between the least and the
//! greatest value of each, and of these cuts the one that lowers the squared error most is made. Every tree sees all rows.
//!
//! Source: P. Geurts, D. Ernst & L. Wehenkel, *Extremely randomized trees*, Machine Learning 63, 2006; as a regressor of
//! fitted Q-iteration D. Ernst, P. Geurts & L. Wehenkel, *Tree-based batch mode reinforcement learning*, JMLR 6, 2005.

use quire_core::{Result, Rng};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Regressor, Rows};

/// Options of extremely randomized trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TreeOptions {
    /// Trees M. Geurts et al.: 100; Ernst et al.: 50, the default.
    #[schemars(range(min = 1, max = 10_000))]
    pub trees: usize,
    /// Least number of rows of a node that is split, n_min. Geurts et al., for regression: 5.
    #[schemars(range(min = 2))]
    pub min_split: usize,
    /// Cuts that are tried in a node, K; 0 tries one on every input. Geurts et al., for regression: every input.
    pub candidates: usize,
}

impl Default for TreeOptions {
    fn default() -> Self {
        TreeOptions { trees: 50, min_split: 5, candidates: 0 }
    }
}

/// A node: a cut, or a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    /// The cut, or a leaf's prediction.
    value: f64,
    /// The input that is cut; [`LEAF`] for a leaf.
    input: u32,
    /// The child for inputs below the cut; the other one follows it.
    below: u32,
}

const LEAF: u32 = u32::MAX;

/// What is known of one input in the node that is being split.
#[derive(Debug, Clone, Copy, Default)]
struct Candidate {
    input: usize,
    cut: f64,
    /// Sum of the targets, and number of rows, below the cut.
    sum: f64,
    count: f64,
}

/// The regressor.
#[derive(Debug, Clone)]
pub struct ExtraTrees {
    options: TreeOptions,
    width: usize,
    nodes: Vec<Node>,
    /// The root of each tree in `nodes`.
    roots: Vec<u32>,
    // Memory of fits: rows with their target behind them in the order of the leaves so far, nodes to be split, the range
    // of each input, candidates.
    rows: Vec<f64>,
    open: Vec<(u32, usize, usize)>,
    low: Vec<f64>,
    high: Vec<f64>,
    varying: Vec<usize>,
    tried: Vec<Candidate>,
}

impl ExtraTrees {
    /// Without data.
    pub fn new(options: TreeOptions) -> Self {
        ExtraTrees {
            options,
            width: 0,
            nodes: Vec::new(),
            roots: Vec::new(),
            rows: Vec::new(),
            open: Vec::new(),
            low: Vec::new(),
            high: Vec::new(),
            varying: Vec::new(),
            tried: Vec::new(),
        }
    }

    /// The number of nodes of all trees.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Grows one tree on `self.rows`.
    fn grow(&mut self, count: usize, rng: &mut Rng) {
        let root = self.nodes.len() as u32;
        self.roots.push(root);
        self.nodes.push(Node { value: 0.0, input: LEAF, below: 0 });
        self.open.push((root, 0, count));
        while let Some((node, first, last)) = self.open.pop() {
            let mean = match self.split(first, last, rng) {
                Ok((input, cut, middle)) => {
                    let below = self.nodes.len() as u32;
                    self.nodes[node as usize] = Node { value: cut, input: input as u32, below };
                    self.nodes.extend([Node { value: 0.0, input: LEAF, below: 0 }; 2]);
                    self.open.push((below + 1, middle, last));
                    self.open.push((below, first, middle));
                    continue;
                }
                Err(mean) => mean,
            };
            self.nodes[node as usize].value = mean;
        }
    }

    /// Splits the rows `first..last`: the input, the cut, and where the rows above it begin; or the mean of a leaf.
    fn split(
        &mut self,
        first: usize,
        last: usize,
        rng: &mut Rng,
    ) -> std::result::Result<(usize, f64, usize), f64> {
        let (width, stride) = (self.width, self.width + 1);
        let part = &mut self.rows[first * stride..last * stride];
        let count = (last - first) as f64;
        let (mut sum, mut least, mut greatest) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
        self.low.fill(f64::INFINITY);
        self.high.fill(f64::NEG_INFINITY);
        for row in part.chunks_exact(stride) {
            let target = row[width];
            sum += target;
            least = least.min(target);
            greatest = greatest.max(target);
            for ((x, low), high) in row[..width].iter().zip(&mut self.low).zip(&mut self.high) {
                *low = low.min(*x);
                *high = high.max(*x);
            }
        }
        let leaf = Err(sum / count);
        if last - first < self.options.min_split || least == greatest {
            return leaf;
        }
        let (low, high) = (&self.low, &self.high);
        self.varying.clear();
        self.varying.extend((0..width).filter(|&input| low[input] < high[input]));
        let wanted = if self.options.candidates == 0 { width } else { self.options.candidates };
        let tried = wanted.min(self.varying.len());
        if tried == 0 {
            return leaf;
        }
        self.tried.clear();
        for place in 0..tried {
            if tried < self.varying.len() {
                let other = rng.random_range(place as u32..self.varying.len() as u32) as usize;
                self.varying.swap(place, other);
            }
            let input = self.varying[place];
            // Above the least value and at most the greatest, so that neither side is empty.
            let cut = high[input] - (high[input] - low[input]) * rng.random::<f64>();
            let cut = if cut > low[input] { cut } else { high[input] };
            self.tried.push(Candidate { input, cut, ..Candidate::default() });
        }
        for row in part.chunks_exact(stride) {
            for candidate in &mut self.tried {
                let below = f64::from(u8::from(row[candidate.input] < candidate.cut));
                candidate.sum += below * row[width];
                candidate.count += below;
            }
        }
        // The squared error falls by what Σ_sides (sum of targets)²/rows grows.
        let mut best = (f64::NEG_INFINITY, 0, 0.0);
        for candidate in &self.tried {
            let above = sum - candidate.sum;
            let score =
                candidate.sum * candidate.sum / candidate.count + above * above / (count - candidate.count);
            if score > best.0 {
                best = (score, candidate.input, candidate.cut);
            }
        }
        let (_, input, cut) = best;
        let middle = first + partition(part, stride, input, cut);
        Ok((input, cut, middle))
    }
}

/// Moves the rows whose `input` is below `cut` to the front; how many they are.
fn partition(rows: &mut [f64], stride: usize, input: usize, cut: f64) -> usize {
    let (mut front, mut back) = (0, rows.len() / stride);
    while front < back {
        if rows[front * stride + input] < cut {
            front += 1;
        } else {
            back -= 1;
            if front < back {
                let (head, tail) = rows.split_at_mut(back * stride);
                head[front * stride..(front + 1) * stride].swap_with_slice(&mut tail[..stride]);
            }
        }
    }
    front
}

impl Regressor for ExtraTrees {
    fn fit(&mut self, rows: &Rows, rng: &mut Rng) -> Result<()> {
        self.width = rows.width;
        self.nodes.clear();
        self.roots.clear();
        self.low.resize(rows.width, 0.0);
        self.high.resize(rows.width, 0.0);
        self.rows.clear();
        for (input, target) in rows.inputs.chunks_exact(rows.width).zip(&rows.targets) {
            self.rows.extend_from_slice(input);
            self.rows.push(*target);
        }
        for _ in 0..self.options.trees {
            self.grow(rows.len(), rng);
        }
        Ok(())
    }

    fn predict(&mut self, inputs: &[f64], outputs: &mut Vec<f64>) {
        outputs.clear();
        outputs.resize(inputs.len() / self.width, 0.0);
        // Tree after tree: its nodes stay in the cache while all rows fall through it.
        for &root in &self.roots {
            for (row, output) in inputs.chunks_exact(self.width).zip(outputs.iter_mut()) {
                let mut node = self.nodes[root as usize];
                while node.input != LEAF {
                    let above = u32::from(row[node.input as usize] >= node.value);
                    node = self.nodes[(node.below + above) as usize];
                }
                *output += node.value;
            }
        }
        let trees = self.roots.len() as f64;
        outputs.iter_mut().for_each(|output| *output /= trees);
    }
}
