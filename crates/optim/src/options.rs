//! The option a learner embeds: an optimizer by name.

use quire_core::{Error, Result, Seeds};
use quire_kernels::compiled_once;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adam::{Adam, AdamOptions, AdamwOptions};
use crate::clip::{ClipNorm, ClipValue};
use crate::dog::{ADog, ADogOptions, Dog, DogOptions, ExtraGradient, Following, UDogOptions};
use crate::muon::{MuonOptions, TurboMuonOptions};
use crate::optimizer::{Composed, Optimizer, Rule, Transform};
use crate::psgd::{Psgd, PsgdOptions};
use crate::rmsprop::{Rmsprop, RmspropOptions};
use crate::sgd::{Sgd, SgdOptions};
use crate::{Float, Layout, Pool, Schedule};

/// An optimizer and its options: `{ name = "adam", learning_rate = 3e-4, clip_norm = 10.0 }`.
///
/// Internally tagged, so it needs a self-describing format (TOML, JSON). Names it does not know are ignored when
/// it is read alone: whoever reads a user's file checks them against the schema, where the nearest can be named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum OptimizerOptions {
    /// Stochastic gradient descent, with momentum if wanted.
    Sgd(SgdOptions),
    /// Adam: momentum over the root of the second moment (Kingma & Ba 2015).
    Adam(AdamOptions),
    /// AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    Adamw(AdamwOptions),
    /// RMSProp, plain or centered (Tieleman & Hinton 2012).
    Rmsprop(RmspropOptions),
    /// Muon: momentum whose matrices are made orthogonal (Jordan et al. 2024).
    Muon(MuonOptions),
    /// Turbo-Muon: Muon with rescaled rows and an iteration less (Boissin et al. 2025).
    TurboMuon(TurboMuonOptions),
    /// PSGD: a preconditioner fitted along the way, in a Lie group (Li 2024); it whitens gradients.
    Psgd(PsgdOptions),
    /// DoG: distance over gradients, without a learning rate (Ivgi, Hinder & Carmon 2023).
    Dog(DogOptions),
    /// A-DoG: DoG's steps in an accelerated scheme (Kreisler et al. 2024).
    ADog(ADogOptions),
    /// U-DoG: the same with two gradients an iteration, taken at two steps (Kreisler et al. 2024).
    UDog(UDogOptions),
}

/// What an optimizer is told about the run that it works in.
#[derive(Debug, Clone)]
pub struct OptimizerSetting {
    /// Optimizer steps of the run, where the number is known: schedules that end need it.
    pub total_steps: Option<u64>,
    /// Where its random numbers come from, if it draws any.
    pub seeds: Seeds,
    /// Threads that it may use: those of the tape that its gradients come from. They change the speed only, never a bit of
    /// the result.
    pub pool: Pool,
}

impl OptimizerSetting {
    /// A run of unknown length, on one thread.
    pub fn new(seeds: Seeds) -> Self {
        OptimizerSetting { total_steps: None, seeds, pool: Pool::new(1) }
    }

    /// A run of unknown length, on one thread, for an optimizer that draws nothing, such as Adam.
    pub fn without_noise() -> Self {
        OptimizerSetting::new(Seeds::new(0))
    }

    /// The same with a known number of steps.
    pub fn with_steps(self, total_steps: u64) -> Self {
        OptimizerSetting { total_steps: Some(total_steps), ..self }
    }

    /// The same on these threads.
    pub fn with_pool(self, pool: &Pool) -> Self {
        OptimizerSetting { pool: pool.clone(), ..self }
    }
}

impl Default for OptimizerOptions {
    fn default() -> Self {
        OptimizerOptions::Adam(AdamOptions::default())
    }
}

impl OptimizerOptions {
    /// The names a user can write.
    pub const NAMES: &[&str] =
        &["sgd", "adam", "adamw", "rmsprop", "muon", "turbo-muon", "psgd", "dog", "a-dog", "u-dog"];

    /// The optimizer with this name and its default options.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest names.
    pub fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "sgd" => OptimizerOptions::Sgd(SgdOptions::default()),
            "adam" => OptimizerOptions::Adam(AdamOptions::default()),
            "adamw" => OptimizerOptions::Adamw(AdamwOptions::default()),
            "rmsprop" => OptimizerOptions::Rmsprop(RmspropOptions::default()),
            "muon" => OptimizerOptions::Muon(MuonOptions::default()),
            "turbo-muon" => OptimizerOptions::TurboMuon(TurboMuonOptions::default()),
            "psgd" => OptimizerOptions::Psgd(PsgdOptions::default()),
            "dog" => OptimizerOptions::Dog(DogOptions::default()),
            "a-dog" => OptimizerOptions::ADog(ADogOptions::default()),
            "u-dog" => OptimizerOptions::UDog(UDogOptions::default()),
            _ => return Err(Error::unknown("optimizer", name, Self::NAMES.iter().copied(), "")),
        })
    }

    /// Adam at this learning rate: what most learners' defaults are.
    pub fn adam(learning_rate: f64) -> Self {
        OptimizerOptions::Adam(AdamOptions { learning_rate, ..AdamOptions::default() })
    }

    /// Its name as a user writes it.
    pub fn name(&self) -> &'static str {
        match self {
            OptimizerOptions::Sgd(_) => "sgd",
            OptimizerOptions::Adam(_) => "adam",
            OptimizerOptions::Adamw(_) => "adamw",
            OptimizerOptions::Rmsprop(_) => "rmsprop",
            OptimizerOptions::Muon(_) => "muon",
            OptimizerOptions::TurboMuon(_) => "turbo-muon",
            OptimizerOptions::Psgd(_) => "psgd",
            OptimizerOptions::Dog(_) => "dog",
            OptimizerOptions::ADog(_) => "a-dog",
            OptimizerOptions::UDog(_) => "u-dog",
        }
    }

    /// The learning rate before its schedule.
    pub fn learning_rate(&self) -> f64 {
        self.common().learning_rate
    }

    /// The same optimizer at another learning rate.
    pub fn with_learning_rate(mut self, learning_rate: f64) -> Self {
        let field = match &mut self {
            OptimizerOptions::Sgd(o) => &mut o.learning_rate,
            OptimizerOptions::Adam(o) => &mut o.learning_rate,
            OptimizerOptions::Adamw(o) => &mut o.learning_rate,
            OptimizerOptions::Rmsprop(o) => &mut o.learning_rate,
            OptimizerOptions::Muon(o) => &mut o.learning_rate,
            OptimizerOptions::TurboMuon(o) => &mut o.learning_rate,
            OptimizerOptions::Psgd(o) => &mut o.learning_rate,
            OptimizerOptions::Dog(o) => &mut o.learning_rate,
            OptimizerOptions::ADog(o) => &mut o.learning_rate,
            OptimizerOptions::UDog(o) => &mut o.learning_rate,
        };
        *field = learning_rate;
        self
    }

    /// The same optimizer at another schedule.
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        let field = match &mut self {
            OptimizerOptions::Sgd(o) => &mut o.schedule,
            OptimizerOptions::Adam(o) => &mut o.schedule,
            OptimizerOptions::Adamw(o) => &mut o.schedule,
            OptimizerOptions::Rmsprop(o) => &mut o.schedule,
            OptimizerOptions::Muon(o) => &mut o.schedule,
            OptimizerOptions::TurboMuon(o) => &mut o.schedule,
            OptimizerOptions::Psgd(o) => &mut o.schedule,
            OptimizerOptions::Dog(o) => &mut o.schedule,
            OptimizerOptions::ADog(o) => &mut o.schedule,
            OptimizerOptions::UDog(o) => &mut o.schedule,
        };
        *field = schedule;
        self
    }

    /// Checks every range; `option` is the learner's name for this option, such as `critic_optimizer`.
    ///
    /// # Errors
    /// [`Error::Option`] with the field's full name, such as `critic_optimizer.beta1`.
    pub fn check(&self, option: &str) -> Result<()> {
        let prefix = format!("{option}.");
        match self {
            OptimizerOptions::Sgd(o) => o.check(&prefix)?,
            OptimizerOptions::Adam(o) => o.check(&prefix)?,
            OptimizerOptions::Adamw(o) => o.check(&prefix)?,
            OptimizerOptions::Rmsprop(o) => o.check(&prefix)?,
            OptimizerOptions::Muon(o) => o.check(&prefix)?,
            OptimizerOptions::TurboMuon(o) => o.check(&prefix)?,
            OptimizerOptions::Psgd(o) => o.check(&prefix)?,
            OptimizerOptions::Dog(o) => o.check(&prefix)?,
            OptimizerOptions::ADog(o) => o.check(&prefix)?,
            OptimizerOptions::UDog(o) => o.check(&prefix)?,
        }
        self.common().schedule.check(&format!("{option}.schedule."))
    }

    /// The optimizer for single-precision parameters.
    ///
    /// # Errors
    /// [`Error::Option`] if an option is out of range (named `optimizer.<field>`; see
    /// [`check`](OptimizerOptions::check) for another name) or the schedule has no end.
    pub fn build(&self, layout: &Layout, setting: &OptimizerSetting) -> Result<Box<dyn Optimizer>> {
        self.build_for::<f32>(layout, setting)
    }

    /// The optimizer for parameters of either precision.
    ///
    /// # Errors
    /// As [`build`](OptimizerOptions::build).
    pub fn build_for<F: Float>(
        &self,
        layout: &Layout,
        setting: &OptimizerSetting,
    ) -> Result<Box<dyn Optimizer<F>>> {
        build(self, layout, setting)
    }

    fn common(&self) -> Common<'_> {
        macro_rules! common {
            ($($variant:ident),*) => {
                match self {
                    $(OptimizerOptions::$variant(o) => Common {
                        learning_rate: o.learning_rate,
                        schedule: &o.schedule,
                        clip_norm: o.clip_norm,
                        clip_value: o.clip_value,
                        record_norms: o.record_norms,
                    },)*
                }
            };
        }
        common!(Sgd, Adam, Adamw, Rmsprop, Muon, TurboMuon, Psgd, Dog, ADog, UDog)
    }
}

compiled_once! {
    /// See [`OptimizerOptions::build_for`].
    fn build<F>(options: &OptimizerOptions, layout: &Layout, setting: &OptimizerSetting) -> Result<Box<dyn Optimizer<F>>> {
        options.check("optimizer")?;
        let len = layout.len();
        let rule: Box<dyn Rule<F>> = match options {
            OptimizerOptions::Sgd(o) => Box::new(Sgd::new(o, len)),
            OptimizerOptions::Adam(o) => Box::new(Adam::new(o, len, &setting.pool)),
            OptimizerOptions::Adamw(o) => Box::new(Adam::decoupled(o, len, &setting.pool)),
            OptimizerOptions::Rmsprop(o) => Box::new(Rmsprop::new(o, len)),
            OptimizerOptions::Muon(o) => Box::new(o.rule(layout, &setting.pool)),
            OptimizerOptions::TurboMuon(o) => Box::new(o.rule(layout, &setting.pool)),
            OptimizerOptions::Psgd(o) => Box::new(Psgd::new(o, layout, setting)),
            OptimizerOptions::Dog(o) => Box::new(Following::<F, Dog<F>>::new(o.first_move, len)),
            OptimizerOptions::ADog(o) => Box::new(Following::<F, ADog<F>>::new(o.first_move, len)),
            OptimizerOptions::UDog(o) => Box::new(Following::<F, ExtraGradient<F>>::new(o.first_move, len)),
        };
        let common = options.common();
        let mut transforms: Vec<Box<dyn Transform<F>>> = Vec::new();
        if let Some(limit) = common.clip_value {
            transforms.push(Box::new(ClipValue { limit }));
        }
        if let Some(max_norm) = common.clip_norm {
            transforms.push(Box::new(ClipNorm { max_norm }));
        }
        let composed = Composed::new(
            options.name(),
            layout,
            common.learning_rate,
            common.schedule,
            setting.total_steps,
            transforms,
            rule,
        )?;
        Ok(Box::new(if common.record_norms { composed.recording_norms() } else { composed }))
    }
}

/// What every optimizer's options have.
struct Common<'a> {
    learning_rate: f64,
    schedule: &'a Schedule,
    clip_norm: Option<f64>,
    clip_value: Option<f64>,
    record_norms: bool,
}

/// An error unless `ok`.
pub(crate) fn check_range(prefix: &str, name: &str, value: f64, ok: bool, allowed: &str) -> Result<()> {
    if ok {
        Ok(())
    } else {
        Err(Error::option(format!("{prefix}{name}"), format!("is {value}, must be {allowed}")))
    }
}

/// An error unless the count is at least 1.
pub(crate) fn check_count(prefix: &str, name: &str, value: u64) -> Result<()> {
    check_range(prefix, name, value as f64, value >= 1, "at least 1")
}

/// The ranges that every optimizer's options share.
pub(crate) fn check_common(
    prefix: &str,
    learning_rate: f64,
    weight_decay: f64,
    clip_norm: Option<f64>,
    clip_value: Option<f64>,
) -> Result<()> {
    let positive = |value: f64| value > 0.0 && value.is_finite();
    check_range(prefix, "learning_rate", learning_rate, positive(learning_rate), "above 0")?;
    let decay = weight_decay;
    check_range(prefix, "weight_decay", decay, decay >= 0.0 && decay.is_finite(), "at least 0")?;
    for (name, clip) in [("clip_norm", clip_norm), ("clip_value", clip_value)] {
        if let Some(clip) = clip {
            check_range(prefix, name, clip, clip > 0.0, "above 0")?;
        }
    }
    Ok(())
}
