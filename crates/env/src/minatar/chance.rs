//! Where a game's random decisions come from.

use quire_core::Rng;
use rand::RngExt;

/// A source of random decisions. A game asks in a fixed order, so that decisions recorded elsewhere can be replayed.
pub trait Chance {
    /// A number uniform in \[0, 1).
    fn unit(&mut self) -> f64;

    /// An integer uniform in `0..n`, for `n` of at least 1.
    fn below(&mut self, n: usize) -> usize;
}

impl Chance for Rng {
    #[inline]
    fn unit(&mut self) -> f64 {
        self.random()
    }

    #[inline]
    fn below(&mut self, n: usize) -> usize {
        self.random_range(0..n)
    }
}
