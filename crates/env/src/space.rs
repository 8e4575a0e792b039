//! What observations and actions may be.

use std::fmt;

use quire_core::{Error, Result, Rng};
use rand::RngExt;
use rand_distr::{Exp1, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::environment::{Action, OwnedAction};

/// A set of observations or actions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Space {
    /// The indices `0..n`.
    Discrete {
        /// How many there are.
        n: usize,
    },
    /// An axis-parallel box of single-precision numbers; a bound may be infinite.
    Box {
        /// Lower bounds, row-major, one a number.
        #[serde(with = "bounds")]
        low: Vec<f32>,
        /// Upper bounds, row-major, one a number.
        #[serde(with = "bounds")]
        high: Vec<f32>,
        /// The extent of each axis; images are channel-first, `[channels, height, width]`.
        shape: Vec<usize>,
    },
}

impl Space {
    /// A one-axis box with these bounds.
    ///
    /// # Panics
    /// If the bounds differ in length, or a lower one is above its upper one or not a number.
    pub fn bounded(low: &[f32], high: &[f32]) -> Self {
        Space::new_box(low.to_vec(), high.to_vec(), vec![low.len()])
            .expect("an environment states valid bounds")
    }

    /// A box with the same bounds for every number.
    ///
    /// # Panics
    /// If `low` is above `high` or either is not a number.
    pub fn uniform(low: f32, high: f32, shape: &[usize]) -> Self {
        let size = shape.iter().product();
        Space::new_box(vec![low; size], vec![high; size], shape.to_vec())
            .expect("an environment states valid bounds")
    }

    /// A box, checked: for bounds that come from outside.
    ///
    /// # Errors
    /// [`Error::Usage`] if the lengths do not fit the shape, or a lower bound is above its upper one or not a
    /// number.
    pub fn new_box(low: Vec<f32>, high: Vec<f32>, shape: Vec<usize>) -> Result<Self> {
        let size: usize = shape.iter().product();
        if low.len() != size || high.len() != size {
            return Err(Error::Usage(format!(
                "a box of shape {shape:?} needs {size} lower and upper bounds, not {} and {}",
                low.len(),
                high.len()
            )));
        }
        if let Some(i) = (0..size).find(|&i| !matches!(low[i].partial_cmp(&high[i]), Some(o) if o.is_le())) {
            return Err(Error::Usage(format!("bound {i} of a box: {} is not <= {}", low[i], high[i])));
        }
        Ok(Space::Box { low, high, shape })
    }

    /// How many numbers one element takes when written to a slice; 1 for a discrete space.
    pub fn size(&self) -> usize {
        match self {
            Space::Discrete { .. } => 1,
            Space::Box { low, .. } => low.len(),
        }
    }

    /// The extent of each axis; none for a discrete space.
    pub fn shape(&self) -> &[usize] {
        match self {
            Space::Discrete { .. } => &[],
            Space::Box { shape, .. } => shape,
        }
    }

    /// The number of actions of a discrete space.
    pub fn discrete_n(&self) -> Option<usize> {
        match self {
            Space::Discrete { n } => Some(*n),
            Space::Box { .. } => None,
        }
    }

    /// The lower and upper bounds of a box.
    pub fn bounds(&self) -> Option<(&[f32], &[f32])> {
        match self {
            Space::Discrete { .. } => None,
            Space::Box { low, high, .. } => Some((low, high)),
        }
    }

    /// True if the element written in `element` lies in the space; the bounds belong to it, NaN never does.
    pub fn contains(&self, element: &[f32]) -> bool {
        match self {
            Space::Discrete { n } => {
                matches!(element, &[index] if index >= 0.0 && index.fract() == 0.0 && (index as usize) < *n)
            }
            Space::Box { low, high, .. } => {
                element.len() == low.len()
                    && element
                        .iter()
                        .zip(low)
                        .zip(high)
                        .all(|((value, low), high)| low <= value && value <= high)
            }
        }
    }

    /// True if the action is of this space's kind and lies in it.
    pub fn contains_action(&self, action: Action<'_>) -> bool {
        match (self, action) {
            (Space::Discrete { n }, Action::Discrete(index)) => index < *n,
            (Space::Box { .. }, Action::Continuous(values)) => self.contains(values),
            _ => false,
        }
    }

    /// Draws an element into `element`, of [`Space::size`] numbers: uniform where both bounds are finite, a
    /// unit exponential from the finite bound where one is, a standard normal where none is.
    pub fn sample(&self, rng: &mut Rng, element: &mut [f32]) {
        assert_eq!(element.len(), self.size(), "the element has the size of the space");
        match self {
            Space::Discrete { n } => element[0] = rng.random_range(0..*n) as f32,
            Space::Box { low, high, .. } => {
                for ((value, &low), &high) in element.iter_mut().zip(low).zip(high) {
                    *value = sample_between(low, high, rng);
                }
            }
        }
    }

    /// Draws an action, distributed as by [`Space::sample`].
    pub fn sample_action(&self, rng: &mut Rng) -> OwnedAction {
        match self {
            Space::Discrete { n } => OwnedAction::Discrete(rng.random_range(0..*n)),
            Space::Box { low, .. } => {
                let mut values = vec![0.0; low.len()];
                self.sample(rng, &mut values);
                OwnedAction::Continuous(values)
            }
        }
    }
}

fn sample_between(low: f32, high: f32, rng: &mut Rng) -> f32 {
    match (low.is_finite(), high.is_finite()) {
        // In double precision the width of the widest box does not overflow.
        (true, true) => {
            let (low, high) = (f64::from(low), f64::from(high));
            (low + rng.random::<f64>() * (high - low)) as f32
        }
        (true, false) => low + rng.sample::<f32, _>(Exp1),
        (false, true) => high - rng.sample::<f32, _>(Exp1),
        (false, false) => rng.sample(StandardNormal),
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Space::Discrete { n } => write!(f, "Discrete({n})"),
            Space::Box { low, high, shape } => {
                let same = |bounds: &[f32]| bounds.windows(2).all(|pair| pair[0] == pair[1]);
                match (low.first(), high.first()) {
                    (Some(low_0), Some(high_0)) if same(low) && same(high) => {
                        write!(f, "Box({low_0}, {high_0}, {shape:?})")
                    }
                    _ => write!(f, "Box({low:?}, {high:?}, {shape:?})"),
                }
            }
        }
    }
}

/// Bounds in text formats: JSON has no infinity, so an infinite bound is written as `"inf"` or `"-inf"`.
mod bounds {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Bound {
        Finite(f32),
        Infinite(String),
    }

    pub(super) fn serialize<S: Serializer>(bounds: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return bounds.serialize(serializer);
        }
        serializer.collect_seq(bounds.iter().map(|&bound| {
            if bound.is_finite() { Bound::Finite(bound) } else { Bound::Infinite(bound.to_string()) }
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        if !deserializer.is_human_readable() {
            return Vec::deserialize(deserializer);
        }
        let bounds: Vec<Bound> = Vec::deserialize(deserializer)?;
        let value = |bound| match bound {
            Bound::Finite(value) => Ok(value),
            Bound::Infinite(text) => match text.as_str() {
                "inf" => Ok(f32::INFINITY),
                "-inf" => Ok(f32::NEG_INFINITY),
                _ => Err(D::Error::custom(format!("a bound is a number, \"inf\" or \"-inf\", not {text:?}"))),
            },
        };
        bounds.into_iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;

    #[test]
    fn membership_counts_bounds_in_and_not_a_number_out() {
        let space = Space::bounded(&[-1.0, f32::NEG_INFINITY], &[1.0, 0.0]);
        assert!(space.contains(&[1.0, -1e30]));
        assert!(space.contains(&[-1.0, 0.0]));
        assert!(!space.contains(&[1.1, 0.0]));
        assert!(!space.contains(&[f32::NAN, 0.0]));
        assert!(!space.contains(&[0.0]));
        assert!(!space.contains_action(Action::Discrete(0)));
        let three = Space::Discrete { n: 3 };
        assert!(three.contains_action(Action::Discrete(2)) && !three.contains_action(Action::Discrete(3)));
        assert!(three.contains(&[2.0]) && !three.contains(&[1.5]) && !three.contains(&[-1.0]));
    }

    #[test]
    fn samples_lie_inside_and_fill_the_space() {
        let mut rng = Seeds::new(1).stream("test");
        let infinite = f32::INFINITY;
        let space = Space::bounded(&[-2.0, 3.0, -infinite, -infinite], &[2.0, infinite, -3.0, infinite]);
        let mut sum = [0.0; 4];
        let mut element = [0.0; 4];
        for _ in 0..10_000 {
            space.sample(&mut rng, &mut element);
            assert!(space.contains(&element));
            sum.iter_mut().zip(element).for_each(|(sum, value)| *sum += f64::from(value) / 1e4);
        }
        // Means 0, 4, -4, 0; the widest standard deviation is 2 / sqrt(3), so 5 standard errors are 0.058.
        for (mean, expected) in sum.into_iter().zip([0.0, 4.0, -4.0, 0.0]) {
            assert!((mean - expected).abs() < 0.06, "{mean} for {expected}");
        }
        let mut counts = [0; 5];
        for _ in 0..10_000 {
            let OwnedAction::Discrete(index) = Space::Discrete { n: 5 }.sample_action(&mut rng) else {
                panic!()
            };
            counts[index] += 1;
        }
        assert!(counts.iter().all(|&count| (1800..2200).contains(&count)), "{counts:?}");
    }

    #[test]
    fn the_widest_box_can_be_sampled() {
        let mut rng = Seeds::new(1).stream("test");
        let space = Space::uniform(f32::MIN, f32::MAX, &[2, 3]);
        let mut element = [0.0; 6];
        space.sample(&mut rng, &mut element);
        assert!(space.contains(&element) && element.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn spaces_survive_text_and_binary() {
        for space in
            [Space::Discrete { n: 4 }, Space::bounded(&[-1.5, f32::NEG_INFINITY], &[f32::INFINITY, 0.25])]
        {
            let text = serde_json::to_string(&space).unwrap();
            assert_eq!(serde_json::from_str::<Space>(&text).unwrap(), space, "{text}");
            let bytes = postcard::to_stdvec(&space).unwrap();
            assert_eq!(postcard::from_bytes::<Space>(&bytes).unwrap(), space);
        }
    }

    #[test]
    fn bad_bounds_are_refused() {
        assert!(Space::new_box(vec![0.0], vec![1.0], vec![2]).is_err());
        assert!(Space::new_box(vec![1.0], vec![0.0], vec![1]).is_err());
        assert!(Space::new_box(vec![f32::NAN], vec![0.0], vec![1]).is_err());
    }
}
