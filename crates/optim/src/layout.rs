//! Named, shaped views of one flat parameter buffer.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// One tensor in the flat buffer, stored row-major from `offset` on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Its name, such as `critic.0.weight`.
    pub name: String,
    /// Index of its first element in the flat buffer.
    pub offset: usize,
    /// Its axes. The weights of an ensemble are `[members, in, out]`; a scalar is `[]`.
    pub shape: Vec<usize>,
}

impl Block {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True if an axis has length 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The weight matrices that it is made of, if it is: weights are `[members, in, out]`, filters `[members, ..., in, out]`, of
    /// which all axes but the first and the last count as inputs.
    pub fn matrices(&self) -> Option<Matrices> {
        let [members, inner @ .., outputs] = &self.shape[..] else { return None };
        let inputs = inner.iter().product();
        let matrices = Matrices { offset: self.offset, members: *members, inputs, outputs: *outputs };
        (!inner.is_empty() && !self.is_empty()).then_some(matrices)
    }

    /// Where its elements lie in the flat buffer.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.len()
    }
}

/// Where a weight matrix lies in the flat buffer, and its shape `[in, out]`.
pub type Weight = (Range<usize>, [usize; 2]);

/// The weight matrices of a block, `[inputs, outputs]` each and row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrices {
    offset: usize,
    members: usize,
    /// Rows of a matrix.
    pub inputs: usize,
    /// Columns of a matrix.
    pub outputs: usize,
}

impl Matrices {
    /// Where each lies in the flat buffer.
    pub fn ranges(self) -> impl Iterator<Item = Range<usize>> {
        let len = self.inputs * self.outputs;
        (0..self.members).map(move |member| self.offset + member * len..self.offset + (member + 1) * len)
    }
}

/// The blocks of a flat buffer, one after the other without gaps.
///
/// Most optimizers treat every parameter alike and only use the length; those that precondition matrices (Muon,
/// Kronecker factors) use the shapes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    blocks: Vec<Block>,
}

impl Layout {
    /// A buffer that is one unnamed vector of `len` elements.
    pub fn flat(len: usize) -> Self {
        let mut layout = Layout::default();
        layout.push("params", &[len]);
        layout
    }

    /// Appends a block and returns where it lies.
    pub fn push(&mut self, name: impl Into<String>, shape: &[usize]) -> Range<usize> {
        let block = Block { name: name.into(), offset: self.len(), shape: shape.to_vec() };
        let range = block.range();
        self.blocks.push(block);
        range
    }

    /// The blocks in the order of the buffer.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The weight matrices that `is_wanted`, each with its shape `[in, out]` and where it lies; and where everything else lies, neighbors together.
    pub fn split(&self, is_wanted: impl Fn([usize; 2]) -> bool) -> (Vec<Weight>, Vec<Range<usize>>) {
        let (mut weights, mut rest) = (Vec::new(), Vec::<Range<usize>>::new());
        for block in &self.blocks {
            match (block.matrices(), rest.last_mut()) {
                (Some(matrices), _) if is_wanted([matrices.inputs, matrices.outputs]) => {
                    let shape = [matrices.inputs, matrices.outputs];
                    weights.extend(matrices.ranges().map(|range| (range, shape)));
                }
                (_, Some(last)) if last.end == block.offset => last.end = block.range().end,
                _ => rest.push(block.range()),
            }
        }
        (weights, rest)
    }

    /// The block with this name.
    pub fn block(&self, name: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.name == name)
    }

    /// Number of elements of the whole buffer.
    pub fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| last.range().end)
    }

    /// True if there is no parameter at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Blocks by name and shape, one after the other.
impl<'a> FromIterator<(&'a str, &'a [usize])> for Layout {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [usize])>>(blocks: I) -> Self {
        let mut layout = Layout::default();
        for (name, shape) in blocks {
            layout.push(name, shape);
        }
        layout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_each_other_without_gaps() {
        let mut layout = Layout::default();
        assert!(layout.is_empty());
        assert_eq!(layout.push("weight", &[2, 3, 4]), 0..24);
        assert_eq!(layout.push("temperature", &[]), 24..25);
        assert_eq!(layout.push("bias", &[2, 4]), 25..33);
        assert_eq!(layout.len(), 33);
        assert_eq!(layout.block("bias").unwrap().offset, 25);
        assert!(layout.block("nothing").is_none());
        let weight = layout.block("weight").unwrap().matrices().unwrap();
        assert_eq!((weight.inputs, weight.outputs), (3, 4));
        assert_eq!(weight.ranges().collect::<Vec<_>>(), [0..12, 12..24]);
        assert!(layout.block("bias").unwrap().matrices().is_none());
    }
}
