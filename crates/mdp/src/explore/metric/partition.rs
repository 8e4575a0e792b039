//! Cells of the unit cube: one tree for each stage and action, whose leaves are the cells.
//!
//! A cell at level ℓ has the side 2^-ℓ, which is its diameter where the distance is the greatest difference of coordinates.
//! Splitting halves every side. An even level everywhere is an ε-net with ε = 2^-ℓ.

use quire_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The deepest level: a side of a millionth.
const DEEPEST: u8 = 20;
/// The most cells that a net may have.
const MOST_CELLS: usize = 1 << 24;

/// How the cube is cut.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cells {
    /// A fixed net of equal cells, or one cell at first that is split where it is visited.
    pub kind: CellKind,
    /// Level ℓ of a net: 2^ℓ cells along each coordinate. Ours: 4.
    #[schemars(range(min = 0, max = 20))]
    pub level: u8,
    /// A cell of diameter D is split after `split_factor` (D_max/D)² visits, where cells are adaptive. Ours: 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub split_factor: f64,
}

/// The two kinds of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CellKind {
    /// Equal cells.
    Net,
    /// Cells that are split.
    Adaptive,
}

impl Default for Cells {
    fn default() -> Self {
        Cells { kind: CellKind::Adaptive, level: 4, split_factor: 1.0 }
    }
}

impl Cells {
    /// A net of 2^level cells along each coordinate.
    pub fn net(level: u8) -> Self {
        Cells { kind: CellKind::Net, level, ..Cells::default() }
    }

    /// Whether a cell at `level` is to be split after `visits`.
    pub fn splits(self, level: u8, visits: u64) -> bool {
        self.kind == CellKind::Adaptive
            && level < DEEPEST
            && visits as f64 >= self.split_factor * 4.0_f64.powi(i32::from(level))
    }
}

/// The trees. Nodes are numbered as they come; what a method keeps of a node is a table by these numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    dimensions: usize,
    /// The tree that a node is in.
    trees: Vec<u32>,
    /// The first of the 2^d children of each node; 0 for a leaf.
    children: Vec<u32>,
    levels: Vec<u8>,
    leaves: usize,
}

impl Partition {
    /// `roots` trees over a cube of so many dimensions, whose leaves all lie where `cells` begin.
    ///
    /// # Errors
    /// A net of more cells than fit in memory.
    pub fn new(roots: usize, dimensions: usize, cells: Cells) -> Result<Self> {
        let level = match cells.kind {
            CellKind::Net => cells.level,
            CellKind::Adaptive => 0,
        };
        let per_root = 1_usize.checked_shl(u32::from(level) * dimensions as u32).filter(|&n| n <= MOST_CELLS);
        if per_root.and_then(|n| n.checked_mul(roots)).is_none_or(|n| n > MOST_CELLS) {
            let problem = format!("makes a net of more than {MOST_CELLS} cells; take a lower level");
            return Err(Error::option("cells.level", problem));
        }
        let mut partition = Partition {
            dimensions,
            trees: (0..roots as u32).collect(),
            children: vec![0; roots],
            levels: vec![0; roots],
            leaves: roots,
        };
        let mut node = 0;
        while node < partition.children.len() {
            if partition.levels[node] < level {
                partition.split(node);
            }
            node += 1;
        }
        Ok(partition)
    }

    /// The number of nodes, leaves or not: the length of a table over them.
    pub fn nodes(&self) -> usize {
        self.children.len()
    }

    /// The number of cells.
    pub fn cells(&self) -> usize {
        self.leaves
    }

    /// The number of the tree that a node is in.
    pub fn tree(&self, node: usize) -> usize {
        self.trees[node] as usize
    }

    /// The level of a node.
    pub fn level(&self, node: usize) -> u8 {
        self.levels[node]
    }

    /// Children of a node when it is split.
    pub fn fan(&self) -> usize {
        1 << self.dimensions
    }

    /// The cell of tree `root` that `point` lies in; a coordinate between two cells is in the upper one.
    pub fn locate(&self, root: usize, point: &[f64]) -> usize {
        let (mut node, mut side) = (root, 0.5);
        let mut corner = [0.0; 8];
        while self.children[node] != 0 {
            let mut child = 0;
            for (axis, &x) in point.iter().enumerate() {
                if x >= corner[axis] + side {
                    corner[axis] += side;
                    child |= 1 << axis;
                }
            }
            node = self.children[node] as usize + child;
            side *= 0.5;
        }
        node
    }

    /// Splits a leaf; returns the first of its children, which are new nodes at the end.
    pub fn split(&mut self, leaf: usize) -> usize {
        let first = self.children.len();
        let (level, fan) = (self.levels[leaf] + 1, self.fan());
        self.children[leaf] = first as u32;
        self.children.extend(std::iter::repeat_n(0, fan));
        self.levels.extend(std::iter::repeat_n(level, fan));
        self.trees.extend(std::iter::repeat_n(self.trees[leaf], fan));
        self.leaves += fan - 1;
        first
    }
}

/// Gives the children of `parent`, `fan` rows of `width` at the end of `table`, what it has.
pub fn inherit<T: Copy>(table: &mut Vec<T>, parent: usize, fan: usize, width: usize) {
    for _ in 0..fan {
        table.extend_from_within(parent * width..(parent + 1) * width);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_net_is_a_grid() {
        let partition = Partition::new(2, 2, Cells::net(2)).unwrap();
        assert_eq!((partition.cells(), partition.nodes()), (2 * 16, 2 * (1 + 4 + 16)));
        let mut seen = std::collections::BTreeSet::new();
        for root in 0..2 {
            for (i, j) in (0..16).map(|n| (n / 4, n % 4)) {
                let corner = [f64::from(i) / 4.0, f64::from(j) / 4.0];
                let cell = partition.locate(root, &corner);
                assert_eq!((partition.level(cell), partition.tree(cell)), (2, root));
                assert_eq!(partition.locate(root, &[corner[0] + 0.2499, corner[1] + 0.2499]), cell);
                assert!(seen.insert(cell));
            }
        }
        assert_eq!(partition.locate(0, &[1.0, 1.0]), partition.locate(0, &[0.9, 0.9]));
        assert!(Partition::new(120, 2, Cells::net(20)).is_err());
    }

    /// The root splits at its first visit, its children after 4, theirs after 16.
    #[test]
    fn visits_that_split() {
        let cells = Cells::default();
        assert!(cells.splits(0, 1) && !cells.splits(1, 3) && cells.splits(1, 4) && !cells.splits(2, 15));
        assert!(cells.splits(2, 16) && !cells.splits(DEEPEST, u64::MAX));
        assert!(!Cells::net(0).splits(0, 1000));
    }

    proptest! {
        #[test]
        fn every_point_has_one_cell_whose_box_holds_it(
            points in proptest::collection::vec((0.0..=1.0, 0.0..=1.0), 1..60),
        ) {
            let mut partition = Partition::new(1, 2, Cells::default()).unwrap();
            let mut boxes = vec![([0.0, 0.0], 1.0)];
            for (x, y) in points {
                let cell = partition.locate(0, &[x, y]);
                let (corner, side): ([f64; 2], f64) = boxes[cell];
                prop_assert!(corner[0] <= x && x <= corner[0] + side && corner[1] <= y && y <= corner[1] + side);
                prop_assert_eq!(side, 0.5_f64.powi(i32::from(partition.level(cell))));
                if partition.level(cell) < DEEPEST {
                    let half = side / 2.0;
                    prop_assert_eq!(partition.split(cell), boxes.len());
                    boxes.extend((0..4).map(|child| {
                        let step = |axis: usize| if child >> axis & 1 == 1 { half } else { 0.0 };
                        ([corner[0] + step(0), corner[1] + step(1)], half)
                    }));
                }
            }
            prop_assert_eq!(boxes.len(), partition.nodes());
        }
    }
}
