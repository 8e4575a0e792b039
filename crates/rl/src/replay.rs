//! Experience replay (Lin 1992): the last transitions, sampled uniformly with replacement.
//!
//! A transition is one contiguous row that shares no more cache lines with others than it must, so that a small one costs
//! one cache miss, and the rows of a batch are fetched ahead of their use: sampling is bound by memory latency and
//! nothing else.

use bytemuck::{Pod, Zeroable, cast_slice, cast_slice_mut};
use quire_core::Rng;
use quire_env::Space;
use quire_kernels::simd::prefetch;
use rand::RngExt;
use serde::{Deserialize, Serialize, Serializer};

/// One step of an environment, as a learner sees it.
#[derive(Debug, Clone, Copy)]
pub struct Transition<'a> {
    /// What was seen before the action.
    pub observation: &'a [f32],
    /// What was done: the action's number in one element, or the action vector.
    pub action: &'a [f32],
    /// The reward, or the discounted sum of those of `steps` steps.
    pub reward: f32,
    /// Environment steps from the observation to the next one: 1, or more in an [n-step return](crate::n_step).
    pub steps: u32,
    /// What was seen after it; at the end of an episode the final observation, not the first of the next.
    pub next_observation: &'a [f32],
    /// The episode ended in the environment's own terms: there is no value to bootstrap from.
    pub terminated: bool,
    /// The episode was cut off, by a time limit for instance: the value after it still counts.
    pub truncated: bool,
}

/// How observations are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// As they are, 4 bytes an element.
    Single,
    /// Rounded to whole numbers 0..=255, 1 byte an element: for frames and binary planes.
    Byte,
}

impl Precision {
    /// A byte an element where observations are whole numbers from 0 to 255, as frames and feature planes are: boxes
    /// with three axes and those bounds.
    pub fn of(observation: &Space) -> Self {
        let in_byte = |(low, high): (&[f32], &[f32])| {
            low.iter().all(|&low| low == 0.0) && high.iter().all(|&high| high == 1.0 || high == 255.0)
        };
        let planes = observation.shape().len() == 3 && observation.bounds().is_some_and(in_byte);
        if planes { Precision::Byte } else { Precision::Single }
    }
}

/// A batch of transitions, one array a field, rows in the order of sampling. Buffers are reused.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// `[batch, observation]`.
    pub observations: Vec<f32>,
    /// `[batch, action]`.
    pub actions: Vec<f32>,
    /// `[batch]`: the first number of each action as an index, which is the action itself if actions are discrete.
    pub choices: Vec<u32>,
    /// `[batch]`.
    pub rewards: Vec<f32>,
    /// `[batch]`: environment steps from an observation to the next one.
    pub steps: Vec<f32>,
    /// `[batch, observation]`.
    pub next_observations: Vec<f32>,
    /// `[batch]`, 1 where the episode terminated, else 0.
    pub terminated: Vec<f32>,
    rows: Vec<usize>,
}

impl Batch {
    /// The number of transitions.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// True before the first sample.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }
}

/// A cache line.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

/// Bytes of a cache line.
const LINE: usize = 64;

/// How many rows ahead of its use a row is asked for: as many as a core keeps in flight, and some more.
const AHEAD: usize = 32;

/// The last `capacity` transitions, first in first out.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Replay {
    observation_size: usize,
    action_size: usize,
    precision: Precision,
    capacity: usize,
    /// Transitions ever stored; the oldest row is overwritten at `written % capacity`.
    written: u64,
    /// Row by row, little-endian: observation, next observation, then (as f32) action, reward, terminated, steps. A row takes
    /// [`Replay::stride`] bytes.
    lines: Vec<Line>,
}

/// What is saved of it: the same without the gaps between the rows.
#[derive(Serialize, Deserialize)]
struct Saved {
    observation_size: usize,
    action_size: usize,
    precision: Precision,
    capacity: usize,
    written: u64,
    #[serde(with = "serde_bytes")]
    rows: Vec<u8>,
}

impl Serialize for Replay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Replay { observation_size, action_size, precision, capacity, written, .. } = *self;
        let (row_bytes, held) = (self.row_bytes(), self.len() * self.stride());
        let mut rows = Vec::with_capacity(self.len() * row_bytes);
        let stored = cast_slice::<_, u8>(&self.lines)[..held].chunks_exact(self.stride());
        stored.for_each(|row| rows.extend_from_slice(&row[..row_bytes]));
        Saved { observation_size, action_size, precision, capacity, written, rows }.serialize(serializer)
    }
}

impl TryFrom<Saved> for Replay {
    type Error = &'static str;

    fn try_from(saved: Saved) -> Result<Self, Self::Error> {
        let Saved { observation_size, action_size, precision, capacity, written, rows } = saved;
        let lines = Vec::new();
        let mut replay = Replay { observation_size, action_size, precision, capacity, written, lines };
        // Rows are there before anything is multiplied by the sizes that the state claims to have.
        if capacity == 0 || observation_size.max(action_size) > rows.len().max(1 << 20) {
            return Err("a replay memory of impossible sizes");
        }
        let row_bytes = replay.row_bytes();
        if replay.len().checked_mul(row_bytes) != Some(rows.len()) {
            return Err("a replay memory whose rows do not fit its sizes");
        }
        for (index, row) in rows.chunks_exact(row_bytes).enumerate() {
            replay.row_mut(index).copy_from_slice(row);
        }
        Ok(replay)
    }
}

impl Replay {
    /// An empty memory. Rows are allocated as they come, so a large `capacity` costs nothing until it is used.
    pub fn new(capacity: usize, observation_size: usize, action_size: usize, precision: Precision) -> Self {
        assert!(capacity > 0, "a replay memory holds at least one transition");
        Replay { observation_size, action_size, precision, capacity, written: 0, lines: Vec::new() }
    }

    /// The number of transitions held.
    pub fn len(&self) -> usize {
        self.written.min(self.capacity as u64) as usize
    }

    /// True if nothing is held.
    pub fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// True if `other` has the same capacity and keeps the same kind of transitions.
    pub fn is_alike(&self, other: &Replay) -> bool {
        let kind = |replay: &Replay| {
            (replay.observation_size, replay.action_size, replay.precision, replay.capacity)
        };
        kind(self) == kind(other)
    }

    fn observation_bytes(&self) -> usize {
        match self.precision {
            Precision::Single => 4 * self.observation_size,
            Precision::Byte => self.observation_size,
        }
    }

    fn row_bytes(&self) -> usize {
        2 * self.observation_bytes() + 4 * (self.action_size + 3)
    }

    /// Bytes from one row to the next: a power of two up to a cache line, whole cache lines above, so that no row lies in
    /// more lines than it must.
    fn stride(&self) -> usize {
        let bytes = self.row_bytes();
        if bytes <= LINE { bytes.next_power_of_two() } else { bytes.next_multiple_of(LINE) }
    }

    /// A row's bytes; rows are allocated up to it.
    fn row_mut(&mut self, index: usize) -> &mut [u8] {
        let (at, row_bytes) = (index * self.stride(), self.row_bytes());
        let lines = (at + row_bytes).div_ceil(LINE);
        if self.lines.len() < lines {
            self.lines.resize(lines, Line::zeroed());
        }
        &mut cast_slice_mut(&mut self.lines)[at..at + row_bytes]
    }

    /// Stores a transition in place of the oldest one.
    pub fn push(&mut self, transition: &Transition<'_>) {
        assert_eq!(transition.observation.len(), self.observation_size, "observation of the wrong size");
        assert_eq!(transition.action.len(), self.action_size, "action of the wrong size");
        let (observation_bytes, action_bytes) = (self.observation_bytes(), 4 * self.action_size);
        let precision = self.precision;
        let row = self.row_mut((self.written % self.capacity as u64) as usize);
        let (observation, rest) = row.split_at_mut(observation_bytes);
        let (next, rest) = rest.split_at_mut(observation_bytes);
        write_observation(observation, transition.observation, precision);
        write_observation(next, transition.next_observation, precision);
        let (action, rest) = rest.split_at_mut(action_bytes);
        write_floats(action, transition.action);
        let terminated = f32::from(u8::from(transition.terminated));
        write_floats(rest, &[transition.reward, terminated, transition.steps as f32]);
        self.written += 1;
    }

    /// Transitions ever stored.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Where the transition of this number, counted from 0, lies or lay: a place below the capacity.
    pub fn place(&self, number: u64) -> usize {
        (number % self.capacity as u64) as usize
    }

    /// The number, counted from 0, of the transition that lies at `place`.
    ///
    /// # Panics
    /// If none does.
    pub fn number(&self, place: usize) -> u64 {
        assert!(place < self.len(), "place {place} of a replay memory that holds {}", self.len());
        let newest = self.written - 1;
        let last = self.place(newest);
        // Places up to the newest one's were written since the memory last began anew, those behind it before.
        let before = if place <= last { last - place } else { last + (self.capacity - place) };
        newest - before as u64
    }

    /// The places of a batch's transitions.
    pub fn places<'b>(&self, batch: &'b Batch) -> impl ExactSizeIterator<Item = usize> + 'b {
        let stride = self.stride();
        batch.rows.iter().map(move |at| at / stride)
    }

    /// Fills `batch` with `size` transitions drawn uniformly with replacement.
    ///
    /// # Panics
    /// If nothing is held.
    pub fn sample(&self, size: usize, rng: &mut Rng, batch: &mut Batch) {
        assert!(!self.is_empty(), "sampling from an empty replay memory");
        let (stride, held) = (self.stride(), self.len());
        batch.rows.clear();
        batch.rows.extend((0..size).map(|_| rng.random_range(0..held) * stride));
        self.gather(batch);
    }

    /// Fills `batch` with the transitions at these places.
    ///
    /// # Panics
    /// If a place holds nothing.
    pub fn sample_at(&self, places: &[usize], batch: &mut Batch) {
        let (stride, held) = (self.stride(), self.len());
        assert!(places.iter().all(|&place| place < held), "a place of a replay memory that holds nothing");
        batch.rows.clear();
        batch.rows.extend(places.iter().map(|place| place * stride));
        self.gather(batch);
    }

    /// Fills `batch` from its rows.
    fn gather(&self, batch: &mut Batch) {
        let (row_bytes, size) = (self.row_bytes(), batch.rows.len());
        let rows: &[u8] = cast_slice(&self.lines);
        batch.rows.iter().take(AHEAD).for_each(|&at| prefetch_row(&rows[at..at + row_bytes]));
        batch.observations.resize(size * self.observation_size, 0.0);
        batch.next_observations.resize(size * self.observation_size, 0.0);
        batch.actions.resize(size * self.action_size, 0.0);
        batch.choices.resize(size, 0);
        batch.rewards.resize(size, 0.0);
        batch.terminated.resize(size, 0.0);
        batch.steps.resize(size, 0.0);
        let observation_bytes = self.observation_bytes();
        let observations = batch.observations.chunks_exact_mut(self.observation_size);
        let next_observations = batch.next_observations.chunks_exact_mut(self.observation_size);
        let actions = batch.actions.chunks_exact_mut(self.action_size);
        let singles =
            batch.choices.iter_mut().zip(&mut batch.rewards).zip(&mut batch.terminated).zip(&mut batch.steps);
        let fields = observations.zip(next_observations).zip(actions).zip(singles);
        for (index, (((observation, next), action), (((choice, reward), terminated), steps))) in
            fields.enumerate()
        {
            if let Some(&at) = batch.rows.get(index + AHEAD) {
                prefetch_row(&rows[at..at + row_bytes]);
            }
            let at = batch.rows[index];
            let row = &rows[at..at + row_bytes];
            let (stored, rest) = row.split_at(observation_bytes);
            let (stored_next, rest) = rest.split_at(observation_bytes);
            read_observation(observation, stored, self.precision);
            read_observation(next, stored_next, self.precision);
            let (stored_action, rest) = rest.split_at(4 * self.action_size);
            read_floats(action, stored_action);
            *choice = action[0] as u32; // saturates where a continuous action is negative, and nobody asks
            let mut last = [0.0; 3];
            read_floats(&mut last, rest);
            [*reward, *terminated, *steps] = last;
        }
    }
}

fn write_observation(bytes: &mut [u8], values: &[f32], precision: Precision) {
    match precision {
        Precision::Single => write_floats(bytes, values),
        Precision::Byte => bytes.iter_mut().zip(values).for_each(|(byte, value)| *byte = value.round() as u8),
    }
}

fn read_observation(values: &mut [f32], bytes: &[u8], precision: Precision) {
    match precision {
        Precision::Single => read_floats(values, bytes),
        Precision::Byte => values.iter_mut().zip(bytes).for_each(|(value, &byte)| *value = f32::from(byte)),
    }
}

fn write_floats(bytes: &mut [u8], values: &[f32]) {
    bytes
        .chunks_exact_mut(4)
        .zip(values)
        .for_each(|(bytes, value)| bytes.copy_from_slice(&value.to_le_bytes()));
}

#[inline(always)]
fn read_floats(values: &mut [f32], bytes: &[u8]) {
    // A few numbers are moved in registers: calling memcpy for each field costs more than the cache miss.
    match values.len() {
        1 => read_array::<1>(values, bytes),
        2 => read_array::<2>(values, bytes),
        3 => read_array::<3>(values, bytes),
        4 => read_array::<4>(values, bytes),
        6 => read_array::<6>(values, bytes),
        8 => read_array::<8>(values, bytes),
        _ => read_any(values, bytes),
    }
}

#[inline(always)]
fn read_array<const N: usize>(values: &mut [f32], bytes: &[u8]) {
    read_any(&mut values[..N], &bytes[..4 * N]);
}

#[inline(always)]
fn read_any(values: &mut [f32], bytes: &[u8]) {
    for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(4)) {
        *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
}

/// Asks for the cache lines of a row before they are needed. At most four: a long row is fetched ahead by the processor
/// once it is being read.
fn prefetch_row(row: &[u8]) {
    row.iter().step_by(LINE).take(4).for_each(|byte| prefetch(byte));
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;

    fn transition(observation: &[f32; 2], reward: f32) -> Transition<'_> {
        Transition {
            observation,
            action: &[1.0],
            reward,
            steps: 1,
            next_observation: observation,
            terminated: reward == 3.0,
            truncated: false,
        }
    }

    #[test]
    fn the_oldest_transition_is_overwritten() {
        let mut replay = Replay::new(3, 2, 1, Precision::Single);
        for reward in 0..5 {
            replay.push(&transition(&[reward as f32, 0.5], reward as f32));
        }
        assert_eq!(replay.len(), 3);
        let mut batch = Batch::default();
        replay.sample(300, &mut Seeds::new(0).stream("replay"), &mut batch);
        let mut counts = [0; 5];
        for index in 0..300 {
            let reward = batch.rewards[index];
            assert_eq!(batch.observations[2 * index..2 * index + 2], [reward, 0.5]);
            assert_eq!(batch.terminated[index], f32::from(u8::from(reward == 3.0)));
            counts[reward as usize] += 1;
        }
        assert_eq!(counts[..2], [0, 0]);
        // Binomial(300, 1/3): mean 100, standard deviation 8.2.
        assert!(counts[2..].iter().all(|&count| (60..140).contains(&count)), "{counts:?}");
    }

    #[test]
    fn bytes_hold_frames_exactly() {
        let mut replay = Replay::new(2, 2, 1, Precision::Byte);
        replay.push(&transition(&[255.0, 7.0], 1.0));
        let mut batch = Batch::default();
        replay.sample(1, &mut Seeds::new(0).stream("replay"), &mut batch);
        assert_eq!(batch.observations, [255.0, 7.0]);
        assert_eq!(batch.next_observations, [255.0, 7.0]);
        assert_eq!((replay.row_bytes(), replay.stride()), (2 * 2 + 16, 32));
    }

    #[test]
    fn places_and_numbers_of_transitions_belong_together() {
        let mut replay = Replay::new(3, 2, 1, Precision::Single);
        let mut batch = Batch::default();
        for number in 0..8_u64 {
            replay.push(&transition(&[number as f32, 0.0], 0.0));
            assert_eq!(replay.written(), number + 1);
            let oldest = number.saturating_sub(2);
            let places: Vec<usize> = (oldest..=number).map(|number| replay.place(number)).collect();
            replay.sample_at(&places, &mut batch);
            assert_eq!(replay.places(&batch).collect::<Vec<_>>(), places);
            for (row, number) in (oldest..=number).enumerate() {
                assert_eq!(replay.number(places[row]), number);
                assert_eq!(batch.observations[2 * row], number as f32);
            }
        }
    }

    #[test]
    fn a_saved_memory_samples_the_same() {
        let mut replay = Replay::new(10, 2, 1, Precision::Single);
        (0..7).for_each(|i| replay.push(&transition(&[i as f32, 0.1], i as f32)));
        let restored: Replay =
            quire_core::state::decode("r", &quire_core::state::encode("r", &replay)).unwrap();
        let (mut a, mut b) = (Batch::default(), Batch::default());
        replay.sample(20, &mut Seeds::new(1).stream("replay"), &mut a);
        restored.sample(20, &mut Seeds::new(1).stream("replay"), &mut b);
        assert_eq!(a.observations, b.observations);
        assert_eq!(a.rewards, b.rewards);
    }

    #[test]
    fn rows_are_saved_without_gaps_and_checked_when_restored() {
        // 10 numbers a row: 40 bytes, one row a line.
        let mut replay = Replay::new(4, 3, 1, Precision::Single);
        let observation = [1.0, 2.0, 3.0];
        let transition = Transition {
            observation: &observation,
            next_observation: &observation,
            ..transition(&[0.0; 2], 0.5)
        };
        (0..6).for_each(|_| replay.push(&transition));
        assert_eq!((replay.stride(), replay.lines.len()), (LINE, 4));
        let json = serde_json::to_value(&replay).unwrap();
        assert_eq!(json["rows"].as_array().unwrap().len(), 4 * 40);
        for (field, value) in
            [("written", 3), ("capacity", 0), ("action_size", i64::MAX), ("observation_size", 2)]
        {
            let mut damaged = json.clone();
            damaged[field] = value.into();
            assert!(serde_json::from_value::<Replay>(damaged).is_err(), "{field}");
        }
        assert!(serde_json::from_value::<Replay>(json).is_ok());
    }
}
