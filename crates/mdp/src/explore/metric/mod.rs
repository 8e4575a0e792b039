//! Family: explore where states are points, not names.
//!
//! States lie in a unit cube with the greatest difference of coordinates as their distance, actions are a few. Nothing is
//! known of an unseen state but that near states have near values, so an explorer cuts the cube into cells and keeps tables
//! over cells: a net of equal ones, or cells that are split where they are visited often.
//!
//! | file | what it holds |
//! |---|---|
//! | [`rand_ql`] | Net- and Adaptive-RandQL |
//! | [`opt_ql`] | optimistic Q-learning on the same cells |
//! | [`partition`] | nets and splitting cells |
//! | [`ball`] | the world `ball-2d` |
//! | [`problem`], [`run`] | the problem and its runs |

pub mod ball;
pub mod opt_ql;
pub mod partition;
pub mod problem;
pub mod rand_ql;
pub mod run;

use quire_core::{About, Entry, OptionMap, Options, Result, Seeds, options};

pub use problem::problems;

/// What an explorer is told.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Coordinates of a state, each in [0, 1].
    pub dimensions: usize,
    /// The number of actions A.
    pub actions: usize,
    /// Steps of an episode H.
    pub horizon: usize,
    /// Where its random streams come from.
    pub seeds: Seeds,
}

impl Setting {
    /// The greatest return from stage `stage` (from 0) on, for rewards in [0, 1].
    pub fn greatest_return(&self, stage: usize) -> f64 {
        (self.horizon - stage) as f64
    }
}

/// The role: act and observe, stage after stage.
pub trait Explorer: Send {
    /// An episode begins.
    fn begin(&mut self) {}

    /// The action at stage `stage` (from 0) in `state`, `[dimensions]`.
    fn act(&self, stage: usize, state: &[f64]) -> usize;

    /// Takes in one step: at `stage`, `action` in `state` paid `reward` in [0, 1] and led to `next`.
    fn observe(&mut self, stage: usize, state: &[f64], action: usize, reward: f64, next: &[f64]);

    /// The number of cells that tables are kept over, all stages and actions together.
    fn cells(&self) -> usize;

    /// The whole state, generators included.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Explorer::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A method of this family: an explorer that is made from typed options.
pub trait Method: Explorer + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Makes the explorer. Fails if the options don't suit the setting.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// Makes the explorer from the options that the user has set, laid over the defaults.
pub type Make = fn(&Setting, &OptionMap) -> Result<Box<dyn Explorer>>;

const fn entry<M: Method>() -> Entry<Make> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Make>] = &[entry::<rand_ql::MetricRandQl>(), entry::<opt_ql::MetricOptQl>()];
