//! What a work is, and how it is timed.

use std::hint::black_box;
use std::time::Instant;

use quire_core::{OptionMap, Result, Seeds};
use rand::RngExt;
use serde::Deserialize;
use serde_json::{Value, json};

/// What is asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// The work's name.
    pub work: String,
    /// Threads it may use.
    pub threads: usize,
    /// How long to repeat it.
    pub seconds: f64,
    /// Repeat it exactly so often instead, and untimed: for counting instructions.
    pub repetitions: Option<usize>,
    /// Environment steps of a learner, episodes of an explorer.
    pub steps: u64,
    /// The seed of a learner or explorer.
    pub seed: u64,
    /// A learner's options, over the tuned ones.
    pub options: OptionMap,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            work: String::new(),
            threads: 1,
            seconds: 0.5,
            repetitions: None,
            steps: 10_000,
            seed: 0,
            options: OptionMap::new(),
        }
    }
}

impl Request {
    /// The number of this name among the options.
    pub fn number(&self, name: &str, usual: f64) -> f64 {
        self.options.get(name).and_then(Value::as_f64).unwrap_or(usual)
    }

    /// The word of this name among the options.
    pub fn word<'a>(&'a self, name: &str, usual: &'a str) -> &'a str {
        self.options.get(name).and_then(Value::as_str).unwrap_or(usual)
    }

    /// The median time of one unit of work, in seconds, where a call of `step` does `units` of them.
    pub fn time(&self, units: usize, mut step: impl FnMut()) -> Value {
        if let Some(repetitions) = self.repetitions {
            (0..repetitions).for_each(|_| step());
            return json!({});
        }
        (0..3).for_each(|_| step());
        let start = Instant::now();
        let mut times = Vec::new();
        while times.len() < 3 || start.elapsed().as_secs_f64() < self.seconds {
            let at = Instant::now();
            step();
            times.push(at.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        json!({ "seconds": black_box(times[times.len() / 2]) / units as f64, "samples": times.len() })
    }
}

/// Seconds of processor time that the threads of this process have had so far, where the system tells (Linux). Unlike the
/// clock it goes on only while they run, so a long measurement bears a busy machine.
pub fn processor_seconds() -> Option<f64> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let nanoseconds = tasks.map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<Option<f64>>().map(|total| total * 1e-9)
}

/// The processor time since `start`, for each of `units`.
pub fn processor_since(start: Option<f64>, units: u64) -> Option<f64> {
    Some((processor_seconds()? - start?) / units as f64)
}

/// A piece of work.
#[derive(Debug, Clone)]
pub struct Work {
    /// Its name.
    pub name: &'static str,
    /// What it is, and its unit.
    pub summary: &'static str,
    /// Does it.
    pub run: fn(&Request) -> Result<Value>,
}

/// Uniform numbers in [-1, 1).
pub fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut rng = Seeds::new(seed).stream("noise");
    (0..len).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect()
}
