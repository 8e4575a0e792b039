//! Several copies of an environment, stepped together.

use quire_core::{Error, Result, Seeds};

use crate::environment::{Action, Environment, Step, check_action};
use crate::registry;
use crate::saved;
use crate::space::Space;

const NAME: &str = "VectorEnv";

/// One action a copy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Actions<'a> {
    /// One index a copy, shape `[copies]`.
    Discrete(&'a [usize]),
    /// One point of the action space a copy, row-major, shape `[copies, size]`.
    Continuous(&'a [f32]),
}

/// `n` copies of an environment, stepped together, each beginning a new episode by itself.
///
/// A copy whose episode ends in a step is reset within the same step: [`VectorEnv::observations`] then holds the
/// first observation of its next episode, and the final observation of the ended one is kept in
/// [`VectorEnv::final_observation`] until the next step. [`VectorEnv::next_observation`] is always the one
/// that the action led to: what a transition `(observation, action, reward, next observation)` stores.
///
/// ```
/// use quire_env::vector::{Actions, VectorEnv};
///
/// let mut carts = VectorEnv::make("CartPole-v1", 2)?;
/// carts.reset(Some(7))?;
/// for _ in 0..100 {
///     carts.step(Actions::Discrete(&[0, 1]))?;
///     for (copy, step) in carts.steps().iter().enumerate() {
///         assert_eq!(step.ended(), carts.final_observation(copy).is_some());
///     }
/// }
/// # Ok::<(), quire_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct VectorEnv<E> {
    copies: Vec<E>,
    /// Numbers in one observation.
    size: usize,
    /// `[copies, size]`
    observations: Vec<f32>,
    /// `[copies, size]`; a row holds something where the copy's last step ended an episode.
    final_observations: Vec<f32>,
    steps: Vec<Step>,
}

impl VectorEnv<Box<dyn Environment>> {
    /// `n` copies of the environment that `id` names, see [`registry::make`].
    ///
    /// # Errors
    /// As [`registry::make`] and [`VectorEnv::new`].
    pub fn make(id: &str, n: usize) -> Result<Self> {
        VectorEnv::new((0..n).map(|_| registry::make(id)).collect::<Result<_>>()?)
    }
}

impl<E: Environment> VectorEnv<E> {
    /// Takes the copies to step together; begin with [`VectorEnv::reset`].
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, or their spaces differ.
    pub fn new(copies: Vec<E>) -> Result<Self> {
        let Some(first) = copies.first() else {
            return Err(Error::Usage("a vector of environments needs at least one".into()));
        };
        let same = |copy: &E| {
            copy.observation_space() == first.observation_space()
                && copy.action_space() == first.action_space()
        };
        if !copies.iter().all(same) {
            return Err(Error::Usage("a vector of environments needs copies with the same spaces".into()));
        }
        let (n, size) = (copies.len(), first.observation_space().size());
        Ok(VectorEnv {
            copies,
            size,
            observations: vec![0.0; n * size],
            final_observations: vec![0.0; n * size],
            steps: vec![Step::default(); n],
        })
    }

    /// The number of copies, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is always a copy")]
    pub fn len(&self) -> usize {
        self.copies.len()
    }

    /// The copies.
    pub fn copies(&self) -> &[E] {
        &self.copies
    }

    /// What an observation of one copy looks like.
    pub fn observation_space(&self) -> &Space {
        self.copies[0].observation_space()
    }

    /// What an action of one copy looks like.
    pub fn action_space(&self) -> &Space {
        self.copies[0].action_space()
    }

    /// Begins an episode in every copy. With `Some(seed)` every copy gets a seed of its own, made from this one and
    /// its place: copy `i` behaves alike however many copies there are.
    ///
    /// # Errors
    /// As [`Environment::reset`] of a copy.
    pub fn reset(&mut self, seed: Option<u64>) -> Result<()> {
        let seeds = seed.map(Seeds::new);
        for (i, (copy, observation)) in
            self.copies.iter_mut().zip(self.observations.chunks_exact_mut(self.size)).enumerate()
        {
            copy.reset(seeds.map(|seeds| seeds.nth("copy", i as u64).key("seed")), observation)?;
        }
        self.steps.fill(Step::default());
        Ok(())
    }

    /// Advances every copy by one step, and resets the ones whose episode ends.
    ///
    /// # Errors
    /// As [`Environment::step`]. All actions are looked at before any copy moves; an error of a copy itself
    /// leaves the copies at different times, and needs a [`VectorEnv::reset`].
    pub fn step(&mut self, actions: Actions<'_>) -> Result<()> {
        let (n, width) = (self.copies.len(), self.action_space().size());
        let (given, wanted) = match actions {
            Actions::Discrete(indices) => (indices.len(), n),
            Actions::Continuous(values) => (values.len(), n * width),
        };
        if given != wanted {
            return Err(Error::Failed(format!(
                "{NAME}: {n} copies take {wanted} numbers to act, not {given}"
            )));
        }
        let action = |i: usize| match actions {
            Actions::Discrete(indices) => Action::Discrete(indices[i]),
            Actions::Continuous(values) => Action::Continuous(&values[i * width..][..width]),
        };
        for i in 0..n {
            check_action(NAME, action(i), self.action_space())?;
        }
        for i in 0..n {
            let range = i * self.size..(i + 1) * self.size;
            let observation = &mut self.observations[range.clone()];
            let step = self.copies[i].step(action(i), observation)?;
            if step.ended() {
                self.final_observations[range].copy_from_slice(observation);
                self.copies[i].reset(None, observation)?;
            }
            self.steps[i] = step;
        }
        Ok(())
    }

    /// The observations to act on next, row-major, shape `[copies, size]`.
    pub fn observations(&self) -> &[f32] {
        &self.observations
    }

    /// The observation of one copy to act on next.
    pub fn observation(&self, copy: usize) -> &[f32] {
        &self.observations[copy * self.size..][..self.size]
    }

    /// What the last step brought each copy; after a reset, nothing.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The final observation of the episode that the last step ended in this copy, if it did.
    pub fn final_observation(&self, copy: usize) -> Option<&[f32]> {
        self.steps[copy].ended().then(|| &self.final_observations[copy * self.size..][..self.size])
    }

    /// The observation that the last action of this copy led to, final or not.
    pub fn next_observation(&self, copy: usize) -> &[f32] {
        self.final_observation(copy).unwrap_or_else(|| self.observation(copy))
    }

    /// The whole state: every copy, and the observations and steps that the methods above show.
    pub fn save(&self) -> Vec<u8> {
        let copies: Vec<Vec<u8>> = self.copies.iter().map(Environment::save).collect();
        saved::pack(NAME, &(copies, &self.observations, &self.final_observations, &self.steps))
    }

    /// Takes over a state that [`VectorEnv::save`] of the same copies gave.
    ///
    /// # Errors
    /// [`Error::Resume`] if the bytes are damaged or belong to something else; reset before going on.
    pub fn restore(&mut self, saved: &[u8]) -> Result<()> {
        type State = (Vec<Vec<u8>>, Vec<f32>, Vec<f32>, Vec<Step>);
        let (copies, observations, final_observations, steps): State = saved::unpack(NAME, saved)?;
        let n = self.copies.len();
        if copies.len() != n || steps.len() != n {
            return Err(Error::Resume(format!("the saved state has {} copies, here are {n}", copies.len())));
        }
        if [&observations, &final_observations].iter().any(|saved| saved.len() != n * self.size) {
            return Err(Error::Resume("the saved observations are of another size".into()));
        }
        for (copy, saved) in self.copies.iter_mut().zip(&copies) {
            copy.restore(saved)?;
        }
        (self.observations, self.final_observations) = (observations, final_observations);
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::CartPole;
    use crate::wrappers::TimeLimit;

    #[test]
    fn copies_go_their_own_way_and_no_observation_is_lost() {
        let mut vector = VectorEnv::make("CartPole-v1", 3).unwrap();
        vector.reset(Some(9)).unwrap();
        let mut single: Vec<_> = (0..3).map(|_| registry::make("CartPole-v1").unwrap()).collect();
        let mut observations = vec![vec![0.0; 4]; 3];
        for i in 0..3 {
            let seed = Seeds::new(9).nth("copy", i as u64).key("seed");
            single[i].reset(Some(seed), &mut observations[i]).unwrap();
        }
        assert_ne!(observations[0], observations[1]);
        let mut ends = 0;
        for time in 0..200 {
            let actions = [time % 2, (time / 3) % 2, 1];
            vector.step(Actions::Discrete(&actions)).unwrap();
            for i in 0..3 {
                let step = single[i].step(Action::Discrete(actions[i]), &mut observations[i]).unwrap();
                assert_eq!(vector.steps()[i], step);
                assert_eq!(vector.next_observation(i), observations[i]);
                if step.ended() {
                    ends += 1;
                    assert_eq!(vector.final_observation(i).unwrap(), observations[i]);
                    single[i].reset(None, &mut observations[i]).unwrap();
                } else {
                    assert!(vector.final_observation(i).is_none());
                }
                assert_eq!(vector.observation(i), observations[i]);
            }
        }
        assert!(ends > 20);
    }

    #[test]
    fn a_restored_vector_goes_on_alike() {
        let carts = || VectorEnv::new(vec![TimeLimit::new(CartPole::new(), 9).unwrap(); 2]).unwrap();
        let mut vector = carts();
        vector.reset(Some(1)).unwrap();
        for time in 0..9 {
            vector.step(Actions::Discrete(&[time % 2, 1 - time % 2])).unwrap();
        }
        assert!(vector.steps()[0].truncated);
        let mut other = carts();
        other.restore(&vector.save()).unwrap();
        assert_eq!(other.final_observation(0), vector.final_observation(0));
        for time in 0..30 {
            assert_eq!(other.observations(), vector.observations());
            assert_eq!(other.steps(), vector.steps());
            vector.step(Actions::Discrete(&[time % 2, 0])).unwrap();
            other.step(Actions::Discrete(&[time % 2, 0])).unwrap();
        }
        assert!(VectorEnv::make("CartPole-v1", 2).unwrap().restore(&vector.save()).is_err());
    }

    #[test]
    fn bad_actions_move_no_copy() {
        let mut vector = VectorEnv::make("CartPole-v1", 2).unwrap();
        assert!(vector.step(Actions::Discrete(&[0, 0])).is_err(), "before the first reset");
        vector.reset(Some(1)).unwrap();
        let before = vector.save();
        assert!(vector.step(Actions::Discrete(&[0, 2])).is_err());
        assert!(vector.step(Actions::Discrete(&[0])).is_err());
        assert!(vector.step(Actions::Continuous(&[0.0, 0.0])).is_err());
        assert_eq!(vector.save(), before);
        assert!(VectorEnv::make("CartPole-v1", 0).is_err());
        let different = vec![registry::make("CartPole-v1").unwrap(), registry::make("Pendulum-v1").unwrap()];
        assert!(VectorEnv::new(different).is_err());
    }
}
