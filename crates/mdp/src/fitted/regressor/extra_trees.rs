//! Extremely randomized trees: an average of trees whose cuts are drawn at random.
//!
//! A node of n rows is a leaf, with the mean of its targets, if n < n_min or its targets or all its inputs are constant.
//! Otherwise up to K inputs that vary in it are drawn without replacement, a cut uniformly between the least and the
//! greatest value of each, and of these cuts the one that lowers the squared error most is made. Every tree sees all rows.
//!
//! Source: P. Geurts, D. Ernst & L. Wehenkel, *Extremely randomized trees*, Machine Learning 63, 2006; as a regressor of
//! fitted Q-iteration D. Ernst, P. Geurts & L. Wehenkel, *Tree-based batch mode reinforcement learning*, JMLR 6, 2005.
//!
//! How it is fast: a row with its target fills a cache line (or several), so that one pass finds the range of all its numbers
//! at once and another the sums below the cuts of all inputs. The rows of a node stand together, and a cut moves them to
//! where its children find them, in another of two arrays in turn, so that no branch depends on the data. In predictions many
//! rows fall through a tree side by side, since a single one mostly waits for memory. Sums go row after row, in lanes of
//! their own, and are the same at every width of vectors.

use quire_core::{Result, Rng};
use quire_kernels::multiversion;
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
#[repr(align(16))] // so that a node never lies in two cache lines
struct Node {
    /// The cut, or a leaf's prediction.
    value: f64,
    /// The input that is cut; for a leaf the number behind the inputs, which is NaN in rows to predict for.
    input: u32,
    /// The child for inputs below the cut, which the other one follows; for a leaf itself. So a row that has arrived stays.
    below: u32,
}

/// Numbers in a cache line.
const LANES: usize = 8;

/// A cache line of numbers. A row takes as many as its inputs and its target need, zeros behind them.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
struct Line([f64; LANES]);

impl Line {
    const ZERO: Line = Line([0.0; LANES]);
}

/// The numbers in lines, one after the other.
fn flat(lines: &[Line]) -> &[f64] {
    // SAFETY: a line is an array of numbers and has its size.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * LANES) }
}

/// The shape of rows.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    /// Inputs of a row; the target stands behind them.
    width: usize,
    /// Cache lines of a row.
    lines: usize,
}

impl Shape {
    fn new(width: usize) -> Self {
        Shape { width, lines: width / LANES + 1 }
    }

    /// The place `lane` of a row.
    #[inline(always)]
    fn get(self, row: &[Line], lane: usize) -> f64 {
        row[lane / LANES].0[lane % LANES]
    }

    /// Appends rows of inputs, each with a number behind it.
    fn load(self, inputs: &[f64], behind: impl Iterator<Item = f64>, rows: &mut Vec<Line>) {
        rows.clear();
        rows.resize(inputs.len() / self.width * self.lines, Line::ZERO);
        for ((row, input), behind) in
            rows.chunks_exact_mut(self.lines).zip(inputs.chunks_exact(self.width)).zip(behind)
        {
            for (line, part) in row.iter_mut().zip(input.chunks(LANES)) {
                line.0[..part.len()].copy_from_slice(part);
            }
            row[self.width / LANES].0[self.width % LANES] = behind;
        }
    }
}

/// Where the rows of a node are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// As they were given: the root.
    Given,
    /// In the first array that rows are moved to, or in the second.
    First,
    Second,
}

/// A node that is to be split, with at least n_min rows, `first..last` of those at `place`.
#[derive(Debug, Clone, Copy)]
struct Open {
    node: u32,
    first: usize,
    last: usize,
    place: Place,
}

/// The regressor.
#[derive(Debug, Clone)]
pub struct ExtraTrees {
    options: TreeOptions,
    shape: Shape,
    nodes: Vec<Node>,
    /// The root of each tree in `nodes`.
    roots: Vec<u32>,
    growth: Growth,
    /// Rows to predict for.
    queries: Vec<Line>,
}

/// Memory of fits.
#[derive(Debug, Clone, Default)]
struct Growth {
    /// Rows with their target behind them, as given and as they were moved.
    rows: Vec<Line>,
    first: Vec<Line>,
    second: Vec<Line>,
    open: Vec<Open>,
    /// Of the node at hand, in the lanes of a row: least and greatest values, cuts, sums of the targets and numbers of rows
    /// below the cuts.
    low: Vec<Line>,
    high: Vec<Line>,
    cuts: Vec<Line>,
    sums: Vec<Line>,
    counts: Vec<Line>,
    /// Inputs that vary, those that are tried in front.
    varying: Vec<usize>,
}

impl ExtraTrees {
    /// Without data.
    pub fn new(options: TreeOptions) -> Self {
        ExtraTrees {
            options,
            shape: Shape::default(),
            nodes: Vec::new(),
            roots: Vec::new(),
            growth: Growth::default(),
            queries: Vec::new(),
        }
    }

    /// The number of nodes of all trees.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }
}

multiversion! {
    /// Grows one tree at the end of `nodes`.
    fn grow[](options: &TreeOptions, shape: Shape, growth: &mut Growth, nodes: &mut Vec<Node>, rng: &mut Rng) |simd| {
        // Rows of one line are the common case, and faster if the compiler knows.
        if shape.lines == 1 {
            growth.grow(options, Shape { lines: 1, ..shape }, nodes, rng);
        } else {
            growth.grow(options, shape, nodes, rng);
        }
    }
}

impl Growth {
    #[inline(always)]
    fn grow(&mut self, options: &TreeOptions, shape: Shape, nodes: &mut Vec<Node>, rng: &mut Rng) {
        let count = self.rows.len() / shape.lines;
        let node = nodes.len() as u32;
        nodes.push(leaf(node, shape, 0.0));
        if count < options.min_split {
            nodes[node as usize].value = mean(&self.rows, shape);
        } else {
            self.open.push(Open { node, first: 0, last: count, place: Place::Given });
        }
        while let Some(Open { node, first, last, place }) = self.open.pop() {
            let Some((input, cut)) = self.choose(options, shape, first, last, place, rng) else {
                nodes[node as usize].value =
                    mean(&self.rows_at(place)[first * shape.lines..last * shape.lines], shape);
                continue;
            };
            let (from, to, place) = match place {
                Place::Given => (&self.rows, &mut self.first, Place::First),
                Place::First => (&self.first, &mut self.second, Place::Second),
                Place::Second => (&self.second, &mut self.first, Place::First),
            };
            let range = first * shape.lines..last * shape.lines;
            let middle = first + partition(&from[range.clone()], &mut to[range], shape, input, cut);
            let below = nodes.len() as u32;
            nodes[node as usize] = Node { value: cut, input: input as u32, below };
            nodes.extend([leaf(below, shape, 0.0), leaf(below + 1, shape, 0.0)]);
            // The one below the cut is split first.
            for (node, first, last) in [(below + 1, middle, last), (below, first, middle)] {
                if last - first < options.min_split {
                    nodes[node as usize].value = mean(&to[first * shape.lines..last * shape.lines], shape);
                } else {
                    self.open.push(Open { node, first, last, place });
                }
            }
        }
    }

    fn rows_at(&self, place: Place) -> &[Line] {
        match place {
            Place::Given => &self.rows,
            Place::First => &self.first,
            Place::Second => &self.second,
        }
    }

    /// The best of the cuts drawn for a node, input and value; none if its targets or all its inputs are constant.
    #[inline(always)]
    fn choose(
        &mut self,
        options: &TreeOptions,
        shape: Shape,
        first: usize,
        last: usize,
        place: Place,
        rng: &mut Rng,
    ) -> Option<(usize, f64)> {
        let rows = match place {
            Place::Given => &self.rows,
            Place::First => &self.first,
            Place::Second => &self.second,
        };
        let rows = &rows[first * shape.lines..last * shape.lines];
        ranges(rows, shape, &mut self.low, &mut self.high);
        let (low, high) = (&self.low[..], &self.high[..]);
        if shape.get(low, shape.width) == shape.get(high, shape.width) {
            return None;
        }
        self.varying.clear();
        self.varying.extend((0..shape.width).filter(|&input| shape.get(low, input) < shape.get(high, input)));
        let wanted = if options.candidates == 0 { shape.width } else { options.candidates };
        let tried = wanted.min(self.varying.len());
        if tried == 0 {
            return None;
        }
        // Nothing is below the cut of an input that is not tried, and all targets below that of the target.
        self.cuts.fill(Line([f64::NEG_INFINITY; LANES]));
        self.cuts[shape.width / LANES].0[shape.width % LANES] = f64::INFINITY;
        for place in 0..tried {
            if tried < self.varying.len() {
                let other = rng.random_range(place as u32..self.varying.len() as u32) as usize;
                self.varying.swap(place, other);
            }
            let input = self.varying[place];
            let (low, high) = (shape.get(low, input), shape.get(high, input));
            // Above the least value and at most the greatest, so that neither side is empty.
            let cut = high - (high - low) * rng.random::<f64>();
            self.cuts[input / LANES].0[input % LANES] = if cut > low { cut } else { high };
        }
        sums_below(rows, shape, &self.cuts, &mut self.sums, &mut self.counts);
        let sum = shape.get(&self.sums, shape.width);
        let count = (last - first) as f64;
        // The squared error falls by what Σ_sides (sum of targets)²/rows grows.
        for (sums, counts) in self.sums.iter_mut().zip(&self.counts) {
            for (score, below) in sums.0.iter_mut().zip(counts.0) {
                let above = sum - *score;
                *score = *score * *score / below + above * above / (count - below);
            }
        }
        let mut best = (f64::NEG_INFINITY, self.varying[0]);
        for &input in &self.varying[..tried] {
            let score = shape.get(&self.sums, input);
            if score > best.0 {
                best = (score, input);
            }
        }
        Some((best.1, shape.get(&self.cuts, best.1)))
    }
}

/// A leaf without children.
fn leaf(node: u32, shape: Shape, value: f64) -> Node {
    Node { value, input: shape.width as u32, below: node }
}

/// The mean of the targets.
#[inline(always)]
fn mean(rows: &[Line], shape: Shape) -> f64 {
    let rows = rows.chunks_exact(shape.lines);
    let count = rows.len() as f64;
    rows.map(|row| shape.get(row, shape.width)).sum::<f64>() / count
}

/// The lesser of each lane; `b` where neither is.
#[inline(always)]
fn lesser(a: [f64; LANES], b: [f64; LANES]) -> [f64; LANES] {
    std::array::from_fn(|lane| if a[lane] < b[lane] { a[lane] } else { b[lane] })
}

/// The greater of each lane; `b` where neither is.
#[inline(always)]
fn greater(a: [f64; LANES], b: [f64; LANES]) -> [f64; LANES] {
    std::array::from_fn(|lane| if a[lane] > b[lane] { a[lane] } else { b[lane] })
}

/// The least and the greatest value of each place of a row.
#[inline(always)]
fn ranges(rows: &[Line], shape: Shape, low: &mut [Line], high: &mut [Line]) {
    for (block, (low, high)) in low[..shape.lines].iter_mut().zip(&mut high[..shape.lines]).enumerate() {
        let mut least = [[f64::INFINITY; LANES]; 4];
        let mut greatest = [[f64::NEG_INFINITY; LANES]; 4];
        for four in rows.chunks_exact(4 * shape.lines) {
            for part in 0..4 {
                let row = four[part * shape.lines + block].0;
                least[part] = lesser(row, least[part]);
                greatest[part] = greater(row, greatest[part]);
            }
        }
        if rows.len() >= 4 * shape.lines {
            // The rest together with rows before it, which change nothing: no loop of a length that can't be foreseen.
            let four = &rows[rows.len() - 4 * shape.lines..];
            for part in 0..4 {
                let row = four[part * shape.lines + block].0;
                least[part] = lesser(row, least[part]);
                greatest[part] = greater(row, greatest[part]);
            }
        } else {
            for row in rows.chunks_exact(shape.lines) {
                least[0] = lesser(row[block].0, least[0]);
                greatest[0] = greater(row[block].0, greatest[0]);
            }
        }
        low.0 = lesser(lesser(least[0], least[1]), lesser(least[2], least[3]));
        high.0 = greater(greater(greatest[0], greatest[1]), greater(greatest[2], greatest[3]));
    }
}

/// `sum` + `x` in the lanes where a row is below the cut.
#[inline(always)]
fn add_below(sum: [f64; LANES], x: f64, row: &[f64; LANES], cuts: &[f64; LANES]) -> [f64; LANES] {
    std::array::from_fn(|lane| sum[lane] + if row[lane] < cuts[lane] { x } else { 0.0 })
}

/// The sum of the targets and the number of the rows below the cut of each place of a row, even rows and odd ones apart.
#[inline(always)]
fn sums_below(rows: &[Line], shape: Shape, cuts: &[Line], sums: &mut [Line], counts: &mut [Line]) {
    for (block, Line(cuts)) in cuts[..shape.lines].iter().enumerate() {
        let mut sum = [[0.0; LANES]; 2];
        let mut count = [[0.0; LANES]; 2];
        for pair in rows.chunks_exact(2 * shape.lines) {
            for part in 0..2 {
                let row = &pair[part * shape.lines..][..shape.lines];
                sum[part] = add_below(sum[part], shape.get(row, shape.width), &row[block].0, cuts);
                count[part] = add_below(count[part], 1.0, &row[block].0, cuts);
            }
        }
        // The last row, as nothing if it has been in a pair: cheaper than a branch that can't be foreseen.
        if let Some(row) = rows.chunks_exact(shape.lines).last() {
            let odd = rows.len() / shape.lines % 2 == 1;
            let target = if odd { shape.get(row, shape.width) } else { 0.0 };
            sum[0] = add_below(sum[0], target, &row[block].0, cuts);
            count[0] = add_below(count[0], if odd { 1.0 } else { 0.0 }, &row[block].0, cuts);
        }
        sums[block].0 = std::array::from_fn(|lane| sum[0][lane] + sum[1][lane]);
        counts[block].0 = std::array::from_fn(|lane| count[0][lane] + count[1][lane]);
    }
}

/// Copies the rows whose `input` is below `cut` to the front of `to`, the others to its back; how many are below.
#[inline(always)]
fn partition(from: &[Line], to: &mut [Line], shape: Shape, input: usize, cut: f64) -> usize {
    let mut front = 0;
    let last = (to.len() / shape.lines).saturating_sub(1);
    for (at, row) in from.chunks_exact(shape.lines).enumerate() {
        let below = usize::from(shape.get(row, input) < cut);
        // Behind `last` less the rows above the cut so far, `at - front`; or at `front`. Without a branch, which would be
        // mispredicted for every other row.
        let place = front + ((last - at) & below.wrapping_sub(1));
        to[place * shape.lines..][..shape.lines].copy_from_slice(row);
        front += below;
    }
    front
}

/// Rows that fall through a tree side by side.
const BLOCK: usize = 256;
/// Nodes that a row passes before it is asked whether it has arrived.
const STEPS: usize = 3;
/// Rows that all trees see before the next: no more than stay in the cache.
const SWEEP: usize = 16_384;

multiversion! {
    /// Adds to `outputs` what the tree at `root` predicts for rows.
    fn add_predictions[](shape: Shape, nodes: &[Node], root: u32, rows: &[Line], outputs: &mut [f64]) |simd| {
        for (rows, outputs) in rows.chunks(BLOCK * shape.lines).zip(outputs.chunks_mut(BLOCK)) {
            if shape.lines == 1 {
                descend(Shape { lines: 1, ..shape }, nodes, root, rows, outputs);
            } else {
                descend(shape, nodes, root, rows, outputs);
            }
        }
    }
}

#[inline(always)]
fn descend(shape: Shape, nodes: &[Node], root: u32, rows: &[Line], outputs: &mut [f64]) {
    let mut at = [root; BLOCK];
    let mut falling: [u32; BLOCK] = std::array::from_fn(|row| row as u32);
    let mut left = outputs.len();
    let numbers = flat(rows);
    while left > 0 {
        let mut kept = 0;
        for place in 0..left {
            let row = falling[place];
            let first = row as usize * shape.lines * LANES;
            let mut node = at[row as usize];
            let mut input = 0;
            for _ in 0..STEPS {
                // SAFETY: roots, children of nodes and leaves themselves are places in `nodes`.
                let Node { value, input: cut, below } = *unsafe { nodes.get_unchecked(node as usize) };
                // SAFETY: no input is greater than the number of inputs, whose place every row has.
                let number = *unsafe { numbers.get_unchecked(first + cut as usize) };
                node = below + u32::from(number >= value);
                input = cut as usize;
            }
            at[row as usize] = node;
            falling[kept] = row;
            kept += usize::from(input != shape.width);
        }
        left = kept;
    }
    for (output, node) in outputs.iter_mut().zip(at) {
        *output += nodes[node as usize].value;
    }
}

impl Regressor for ExtraTrees {
    fn fit(&mut self, rows: &Rows, rng: &mut Rng) -> Result<()> {
        let ExtraTrees { options, shape, nodes, roots, growth, .. } = self;
        *shape = Shape::new(rows.width);
        nodes.clear();
        roots.clear();
        shape.load(&rows.inputs, rows.targets.iter().copied(), &mut growth.rows);
        for moved in [&mut growth.first, &mut growth.second] {
            moved.resize(growth.rows.len(), Line::ZERO);
        }
        let Growth { low, high, cuts, sums, counts, .. } = growth;
        for line in [low, high, cuts, sums, counts] {
            line.resize(shape.lines, Line::ZERO);
        }
        for _ in 0..options.trees {
            roots.push(nodes.len() as u32);
            grow(options, *shape, growth, nodes, rng);
        }
        Ok(())
    }

    fn predict(&mut self, inputs: &[f64], outputs: &mut Vec<f64>) {
        let ExtraTrees { shape, nodes, roots, queries, .. } = self;
        outputs.clear();
        outputs.resize(inputs.len() / shape.width, 0.0);
        for (inputs, outputs) in inputs.chunks(SWEEP * shape.width).zip(outputs.chunks_mut(SWEEP)) {
            shape.load(inputs, std::iter::repeat(f64::NAN), queries);
            // Tree after tree: its nodes stay in the cache while all rows fall through it.
            for &root in roots.iter() {
                add_predictions(*shape, nodes, root, queries, outputs);
            }
        }
        let trees = roots.len() as f64;
        outputs.iter_mut().for_each(|output| *output /= trees);
    }
}
