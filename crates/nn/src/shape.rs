//! Shapes: how many numbers along each axis, the last axis contiguous in memory.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most axes a tensor can have.
pub const MAX_RANK: usize = 6;

/// A shape of up to [`MAX_RANK`] axes, held in place.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    sizes: [usize; MAX_RANK],
    rank: usize,
}

impl Shape {
    /// The shape with these sizes.
    ///
    /// # Panics
    /// With more than [`MAX_RANK`] axes.
    pub fn new(sizes: &[usize]) -> Self {
        assert!(sizes.len() <= MAX_RANK, "a tensor has at most {MAX_RANK} axes, got the shape {sizes:?}");
        let mut own = [1; MAX_RANK];
        own[..sizes.len()].copy_from_slice(sizes);
        Shape { sizes: own, rank: sizes.len() }
    }

    /// The number of elements: the product of the sizes. (The length of a shape is its number of axes.)
    pub fn elements(&self) -> usize {
        self.iter().product()
    }

    /// The shape without one axis.
    pub(crate) fn without(mut self, axis: usize) -> Self {
        self.sizes.copy_within(axis + 1..self.rank, axis);
        self.rank -= 1;
        self
    }

    /// The shape with one size changed.
    pub(crate) fn with(mut self, axis: usize, size: usize) -> Self {
        self.sizes[..self.rank][axis] = size;
        self
    }
}

impl std::ops::Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.sizes[..self.rank]
    }
}

impl std::ops::DerefMut for Shape {
    fn deref_mut(&mut self) -> &mut [usize] {
        &mut self.sizes[..self.rank]
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// The axis that a possibly negative number means: -1 is the last.
pub(crate) fn axis_of(operation: &str, shape: &[usize], axis: isize) -> usize {
    let rank = shape.len() as isize;
    assert!((-rank..rank).contains(&axis), "{operation}: axis {axis} of a tensor of shape {shape:?}");
    if axis < 0 { (axis + rank) as usize } else { axis as usize }
}

/// The sizes before, at and after an axis: `[outer, size, inner]`.
pub(crate) fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

/// The shape two operands are broadcast to, by NumPy's rule.
pub(crate) fn broadcast(operation: &str, a: &[usize], b: &[usize]) -> Shape {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], i: usize| {
        let missing = rank - shape.len();
        if i < missing { 1 } else { shape[i - missing] }
    };
    let mut sizes = [1; MAX_RANK];
    for (i, out) in sizes[..rank].iter_mut().enumerate() {
        *out = match (size(a, i), size(b, i)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            _ => panic!("{operation}: the shapes {a:?} and {b:?} do not broadcast"),
        };
    }
    Shape::new(&sizes[..rank])
}

/// Strides of a contiguous tensor, stretched over `target`: 0 where an axis is broadcast.
pub(crate) fn broadcast_strides(shape: &[usize], target: &[usize]) -> [usize; MAX_RANK] {
    let mut strides = [0; MAX_RANK];
    let missing = target.len() - shape.len();
    let mut stride = 1;
    for i in (0..shape.len()).rev() {
        strides[missing + i] = if shape[i] == 1 { 0 } else { stride };
        stride *= shape[i];
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        assert_eq!(&*broadcast("add", &[3, 1, 5], &[4, 1]), &[3, 4, 5]);
        assert_eq!(&*broadcast("add", &[], &[2]), &[2]);
        assert_eq!(broadcast_strides(&[3, 1, 5], &[3, 4, 5])[..3], [5, 0, 1]);
    }

    #[test]
    #[should_panic(expected = "mul: the shapes [3] and [4] do not broadcast")]
    fn shapes_that_do_not_fit_are_named() {
        broadcast("mul", &[3], &[4]);
    }
}
