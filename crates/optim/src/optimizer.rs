//! The optimizer a learner holds, and the chain it is made of.

use quire_core::{Error, Result};
use quire_kernels::multiversion;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::clip::{absolute_sum, global_norm};
use crate::{Float, GradientNorms, Layout, Schedule};

/// Moves the parameters against their gradient, one step a call.
pub trait Optimizer<F: Float = f32>: Send {
    /// Its name as a user writes it: `adam`.
    fn name(&self) -> &str;

    /// Steps taken so far.
    fn steps(&self) -> u64;

    /// The learning rate that the next step will use.
    fn learning_rate(&self) -> f64;

    /// Takes one step. Both slices have the length of the layout the optimizer was built for.
    ///
    /// The gradient is used as scratch space: afterwards it holds whatever the chain left in it.
    ///
    /// # Panics
    /// If a slice has another length.
    fn step(&mut self, params: &mut [F], gradient: &mut [F]);

    /// The norms of the gradients it was given, if it records them.
    fn gradient_norms(&self) -> Option<&GradientNorms> {
        None
    }

    /// The whole state (step count, moments, ...), so that [`restore`](Optimizer::restore) continues bit for bit.
    fn save(&self) -> Vec<u8>;

    /// Continues from a state saved by an optimizer that was built from the same options and layout.
    ///
    /// # Errors
    /// [`Error::Resume`] if the bytes are damaged or belong to another optimizer or another layout; the
    /// optimizer is then in no defined state and must be dropped.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// What a link of the chain may know about the step being taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepInfo {
    /// The step's number, from 1.
    pub number: u64,
    /// The scheduled learning rate of this step.
    pub learning_rate: f64,
}

/// A link that turns a gradient (or what the link before made of it) into another direction, in place.
pub trait Transform<F: Float>: Send {
    /// Rewrites `update`; `params` are the parameters before the step.
    fn apply(&mut self, step: StepInfo, params: &[F], update: &mut [F]);

    /// The link's state; nothing for a link without one.
    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Continues from a saved state.
    ///
    /// # Errors
    /// [`Error::Resume`] if the bytes do not fit.
    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        if saved.is_empty() {
            Ok(())
        } else {
            Err(Error::Resume("the saved optimizer has another chain".into()))
        }
    }
}

/// The last link: moves the parameters, in one pass over them and its own buffers.
pub trait Rule<F: Float>: Send {
    /// Takes the step along the direction that the links before made of the gradient.
    fn apply(&mut self, step: StepInfo, params: &mut [F], direction: &[F]);

    /// The rule's state.
    fn save(&self) -> Vec<u8>;

    /// Continues from a saved state.
    ///
    /// # Errors
    /// [`Error::Resume`] if the bytes do not fit.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// An optimizer made of transformations, a schedule and a rule.
pub struct Composed<F: Float> {
    name: String,
    len: usize,
    steps: u64,
    learning_rate: f64,
    schedule: Schedule,
    transforms: Vec<Box<dyn Transform<F>>>,
    rule: Box<dyn Rule<F>>,
    norms: Option<GradientNorms>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    norms: Option<GradientNorms>,
    name: String,
    len: usize,
    steps: u64,
    transforms: Vec<ByteBuf>,
    rule: ByteBuf,
}

impl<F: Float> Composed<F> {
    /// An optimizer for the buffer described by `layout`: `transforms` in order, then `rule`, at
    /// `learning_rate` (the peak) times the schedule's factor.
    ///
    /// # Errors
    /// [`Error::Option`] if the schedule needs a number of steps and neither it nor `total_steps` gives one.
    pub fn new(
        name: impl Into<String>,
        layout: &Layout,
        learning_rate: f64,
        schedule: &Schedule,
        total_steps: Option<u64>,
        transforms: Vec<Box<dyn Transform<F>>>,
        rule: Box<dyn Rule<F>>,
    ) -> Result<Self> {
        let schedule = schedule.with_total_steps(total_steps)?;
        Ok(Composed {
            name: name.into(),
            len: layout.len(),
            steps: 0,
            learning_rate,
            schedule,
            transforms,
            rule,
            norms: None,
        })
    }

    /// The same, recording the norms of the gradients before anything is done to them.
    pub fn recording_norms(self) -> Self {
        Composed { norms: Some(GradientNorms::default()), ..self }
    }
}

impl<F: Float> Optimizer<F> for Composed<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn gradient_norms(&self) -> Option<&GradientNorms> {
        self.norms.as_ref()
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate * self.schedule.factor(self.steps)
    }

    fn step(&mut self, params: &mut [F], gradient: &mut [F]) {
        assert_eq!(params.len(), self.len, "the parameters do not have the length of the layout");
        assert_eq!(gradient.len(), self.len, "the gradient does not have the length of the layout");
        let step = StepInfo { number: self.steps + 1, learning_rate: Optimizer::<F>::learning_rate(self) };
        if let Some(norms) = &mut self.norms {
            norms.record(absolute_sum(gradient), global_norm(gradient));
        }
        for transform in &mut self.transforms {
            transform.apply(step, params, gradient);
        }
        self.rule.apply(step, params, gradient);
        self.steps += 1;
    }

    fn save(&self) -> Vec<u8> {
        encode(&Saved {
            norms: self.norms.clone(),
            name: self.name.clone(),
            len: self.len,
            steps: self.steps,
            transforms: self.transforms.iter().map(|transform| ByteBuf::from(transform.save())).collect(),
            rule: ByteBuf::from(self.rule.save()),
        })
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let saved: Saved = decode(saved)?;
        if saved.name != self.name {
            return Err(Error::Resume(format!(
                "the saved optimizer is `{}`, this one is `{}`",
                saved.name, self.name
            )));
        }
        if saved.len != self.len || saved.transforms.len() != self.transforms.len() {
            return Err(Error::Resume(format!(
                "the saved optimizer has {} parameters and {} transformations, this one {} and {}",
                saved.len,
                saved.transforms.len(),
                self.len,
                self.transforms.len()
            )));
        }
        for (transform, bytes) in self.transforms.iter_mut().zip(&saved.transforms) {
            transform.restore(bytes)?;
        }
        self.rule.restore(&saved.rule)?;
        self.steps = saved.steps;
        self.norms = saved.norms;
        Ok(())
    }
}

/// The plain rule, `params <- (1 - learning_rate * weight_decay) * params - learning_rate * direction`: what
/// follows a transformation that has already made a direction of the gradient.
#[derive(Debug, Clone, Copy, Default)]
pub struct Descend {
    /// Decoupled weight decay, 0 for none.
    pub weight_decay: f64,
}

impl<F: Float> Rule<F> for Descend {
    fn apply(&mut self, step: StepInfo, params: &mut [F], direction: &[F]) {
        let keep = 1.0 - step.learning_rate * self.weight_decay;
        descend(params, direction, F::from_f64(keep), F::from_f64(step.learning_rate));
    }

    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        if saved.is_empty() {
            Ok(())
        } else {
            Err(Error::Resume("the saved optimizer has another rule".into()))
        }
    }
}

multiversion! {
    fn descend[F: Float](params: &mut [F], direction: &[F], keep: F, rate: F) |simd| {
        for (p, &d) in params.iter_mut().zip(direction) {
            *p = keep * *p - rate * d;
        }
    }
}

/// Postcard bytes of a link's state.
pub(crate) fn encode<T: Serialize>(state: &T) -> Vec<u8> {
    postcard::to_stdvec(state).expect("buffers and numbers always serialize")
}

/// A link's state from postcard bytes.
pub(crate) fn decode<T: DeserializeOwned>(saved: &[u8]) -> Result<T> {
    match postcard::take_from_bytes(saved) {
        Ok((state, [])) => Ok(state),
        Ok(_) => Err(Error::Resume("the saved optimizer state has bytes left over".into())),
        Err(error) => Err(Error::Resume(format!("the saved optimizer state is damaged ({error})"))),
    }
}

/// Puts a saved buffer in the place of `buffer`, whose length it must have.
pub(crate) fn replace<F>(buffer: &mut Vec<F>, saved: Vec<F>, name: &str) -> Result<()> {
    if saved.len() != buffer.len() {
        return Err(Error::Resume(format!(
            "the saved {name} has {} elements, {} are needed",
            saved.len(),
            buffer.len()
        )));
    }
    *buffer = saved;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A diagonal preconditioner that counts its own steps: a stand-in for a published one.
    struct Halve(u32);

    impl Transform<f64> for Halve {
        fn apply(&mut self, _: StepInfo, _: &[f64], update: &mut [f64]) {
            self.0 += 1;
            update.iter_mut().for_each(|u| *u *= 0.5 / f64::from(self.0));
        }
        fn save(&self) -> Vec<u8> {
            encode(&self.0)
        }
        fn restore(&mut self, saved: &[u8]) -> Result<()> {
            self.0 = decode(saved)?;
            Ok(())
        }
    }

    fn halving() -> Composed<f64> {
        let rule = Box::new(Descend { weight_decay: 0.5 });
        let transforms: Vec<Box<dyn Transform<f64>>> = vec![Box::new(Halve(0))];
        Composed::new("halve", &Layout::flat(1), 0.1, &Schedule::default(), None, transforms, rule).unwrap()
    }

    #[test]
    fn a_transformation_comes_before_the_rule_and_keeps_its_state() {
        // Step 1: 0.95 * 2 - 0.1 * (4 * 0.5) = 1.7; step 2: 0.95 * 1.7 - 0.1 * (4 * 0.25) = 1.515.
        let mut params = [2.0];
        let mut optimizer = halving();
        optimizer.step(&mut params, &mut [4.0]);
        assert!((params[0] - 1.7).abs() < 1e-15);
        let mut resumed = halving();
        resumed.restore(&optimizer.save()).unwrap();
        resumed.step(&mut params, &mut [4.0]);
        assert!((params[0] - 1.515).abs() < 1e-15);
        assert_eq!(resumed.steps(), 2);
    }

    #[test]
    fn a_foreign_or_damaged_state_is_refused() {
        let saved = halving().save();
        let rule = || Box::new(Descend::default());
        let build = |name: &str, len: usize, transforms: Vec<Box<dyn Transform<f64>>>| {
            Composed::<f64>::new(
                name,
                &Layout::flat(len),
                0.1,
                &Schedule::default(),
                None,
                transforms,
                rule(),
            )
            .unwrap()
        };
        let message =
            |mut optimizer: Composed<f64>, bytes: &[u8]| optimizer.restore(bytes).unwrap_err().to_string();
        assert!(message(build("other", 1, vec![]), &saved).contains("`halve`"));
        assert!(message(build("halve", 2, vec![Box::new(Halve(0))]), &saved).contains("1 parameters"));
        assert!(message(build("halve", 1, vec![]), &saved).contains("transformations"));
        assert!(message(halving(), &saved[..saved.len() - 1]).contains("damaged"));
        assert!(message(halving(), &[&saved[..], &[0]].concat()).contains("left over"));
    }
}
