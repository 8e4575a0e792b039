//! One seed a run, named streams split from it.
//!
//! A run owns one [`Seeds`]. Whatever needs randomness asks for a stream *by name*, so that adding a consumer
//! never shifts the numbers another consumer sees: `seeds.stream("env")` is the same generator whether or not
//! somebody also asks for `seeds.stream("replay")`.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

/// The generator every part of Quire draws from: xoshiro256++ (Blackman & Vigna 2019), 32 bytes of state,
/// serializable, the same numbers on every platform.
pub type Rng = Xoshiro256PlusPlus;

/// A node in the tree of seeds: the root seed of a run, or a child named below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeds(u64);

impl Seeds {
    /// The tree of a run with this seed.
    pub fn new(seed: u64) -> Self {
        Seeds(mix(seed ^ 0x5175_6972_6521_5365))
    }

    /// The child node with this name: for a part that itself splits streams.
    pub fn child(self, name: &str) -> Self {
        Seeds(mix(self.0 ^ fnv1a(name.as_bytes())))
    }

    /// The child node with this name and index: for members of an ensemble, workers, episodes.
    pub fn nth(self, name: &str, index: u64) -> Self {
        Seeds(mix(self.child(name).0 ^ mix(index.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// The generator with this name.
    pub fn stream(self, name: &str) -> Rng {
        Rng::seed_from_u64(self.child(name).0)
    }

    /// A 64-bit key with this name: for counter-based generators and for seeding foreign code.
    pub fn key(self, name: &str) -> u64 {
        self.child(name).0
    }
}

/// FNV-1a, 64 bits: a fixed, platform-independent hash of a stream's name.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finalizer of SplitMix64 (Steele, Lea & Flood 2014): every input bit reaches every output bit.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn the_same_name_gives_the_same_stream() {
        let draw = |seed: u64, name: &str| Seeds::new(seed).stream(name).random::<u64>();
        assert_eq!(draw(7, "env"), draw(7, "env"));
        assert_ne!(draw(7, "env"), draw(7, "replay"));
        assert_ne!(draw(7, "env"), draw(8, "env"));
    }

    #[test]
    fn siblings_and_indices_do_not_collide() {
        let root = Seeds::new(0);
        let mut keys: Vec<u64> = (0..1000).map(|i| root.nth("member", i).key("init")).collect();
        keys.extend(["a", "b", "ab", "ba", "member"].map(|name| root.key(name)));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 1005);
    }

    #[test]
    fn streams_are_uniform_across_seeds() {
        // First draw of 4096 seeds: mean 1/2 with standard error 1/sqrt(12 * 4096) = 0.0045.
        let mean = (0..4096).map(|seed| Seeds::new(seed).stream("x").random::<f64>()).sum::<f64>() / 4096.0;
        assert!((mean - 0.5).abs() < 5.0 * 0.0046, "mean {mean}");
    }

    #[test]
    fn a_generator_survives_serialization() {
        let mut rng = Seeds::new(3).stream("x");
        let _: u64 = rng.random();
        let saved = serde_json::to_string(&rng).unwrap();
        let mut restored: Rng = serde_json::from_str(&saved).unwrap();
        assert_eq!(rng.random::<u64>(), restored.random::<u64>());
    }
}
