//! Classic control against trajectories that Gymnasium recorded (see tests/data/README.md).

use quire_env::classic::{Acrobot, CartPole, MountainCar, MountainCarContinuous, Pendulum};
use quire_env::{Action, Environment};
use serde::Deserialize;

#[derive(Deserialize)]
struct Recording {
    starts: Vec<Vec<f64>>,
    /// New episode, action, reward, terminated, then the state after the step.
    rows: Vec<Vec<f64>>,
    /// Time, then the observation after that step.
    observations: Vec<Vec<f64>>,
}

/// What the parity test needs beside the contract: the state in full precision.
trait Stateful: Environment {
    const STATE: usize;
    fn get(&self) -> Vec<f64>;
    fn put(&mut self, state: &[f64]);
}

macro_rules! stateful {
    ($($environment:ident $size:literal),*) => {
        $(impl Stateful for $environment {
            const STATE: usize = $size;
            fn get(&self) -> Vec<f64> {
                self.state().to_vec()
            }
            fn put(&mut self, state: &[f64]) {
                self.set_state(state.try_into().unwrap());
            }
        })*
    };
}
stateful!(CartPole 4, Acrobot 4, MountainCar 2, MountainCarContinuous 2, Pendulum 2);

/// Where the recordings were made, the states agree to the last bit (Acrobot: 2.2e-16). Another mathematics library may
/// round a sine differently, which the unstable systems amplify.
const TOLERANCE: f64 = 1e-9;

fn compare<E: Stateful>(mut environment: E, recording: &str) -> Recording {
    let recording: Recording = serde_json::from_str(recording).unwrap();
    let mut observation = vec![0.0; environment.observation_space().size()];
    let mut starts = recording.starts.iter();
    let mut observations = recording.observations.iter().peekable();
    for (time, row) in recording.rows.iter().enumerate() {
        if row[0] == 1.0 {
            environment.put(starts.next().unwrap());
        }
        let continuous = [row[1] as f32];
        let action = match environment.action_space().discrete_n() {
            Some(_) => Action::Discrete(row[1] as usize),
            None => Action::Continuous(&continuous),
        };
        let step = environment.step(action, &mut observation).unwrap();
        assert_eq!(step.terminated, row[3] == 1.0, "end at {time}");
        assert!((step.reward - row[2]).abs() <= TOLERANCE, "reward {} for {} at {time}", step.reward, row[2]);
        let state = environment.get();
        assert_eq!(row.len(), 4 + E::STATE);
        for (value, expected) in state.iter().zip(&row[4..]) {
            assert!((value - expected).abs() <= TOLERANCE, "{state:?} for {:?} at {time}", &row[4..]);
        }
        if let Some(recorded) = observations.next_if(|recorded| recorded[0] == time as f64) {
            for (&value, &expected) in observation.iter().zip(&recorded[1..]) {
                // One unit in the last place of single precision.
                let tolerance = expected.abs().max(0.1) * f64::from(f32::EPSILON);
                assert!((f64::from(value) - expected).abs() <= tolerance, "{value} for {expected} at {time}");
            }
        }
    }
    assert!(starts.next().is_none() && observations.next().is_none());
    recording
}

#[test]
fn cart_pole() {
    let recording = compare(CartPole::new(), include_str!("data/CartPole-v1.json"));
    assert!(recording.rows.iter().any(|row| row[3] == 1.0));
}

#[test]
fn acrobot() {
    let recording = compare(Acrobot::new(), include_str!("data/Acrobot-v1.json"));
    assert!(recording.rows.iter().any(|row| row[3] == 1.0 && row[2] == 0.0), "the line is reached");
    assert!(recording.rows.windows(2).any(|rows| (rows[1][4] - rows[0][4]).abs() > 5.0), "an angle wraps");
}

#[test]
fn mountain_car() {
    let recording = compare(MountainCar::new(), include_str!("data/MountainCar-v0.json"));
    assert!(recording.rows.iter().any(|row| row[3] == 1.0), "the goal is reached");
    assert!(recording.rows.iter().any(|row| row[4] == -1.2 && row[5] == 0.0), "the wall is hit");
}

#[test]
fn mountain_car_continuous() {
    let recording = compare(MountainCarContinuous::new(), include_str!("data/MountainCarContinuous-v0.json"));
    assert!(recording.rows.iter().any(|row| row[3] == 1.0 && row[2] > 99.0), "the goal is reached");
    assert!(recording.rows.iter().any(|row| row[4] < -1.199 && row[5] == 0.0), "the wall is hit");
    assert!(recording.rows.iter().any(|row| row[1].abs() > 1.0), "an action is clipped");
}

#[test]
fn pendulum() {
    let recording = compare(Pendulum::new(), include_str!("data/Pendulum-v1.json"));
    assert!(recording.rows.iter().any(|row| row[5].abs() == 8.0), "the speed limit is met");
    assert!(recording.rows.iter().any(|row| row[4].abs() > 4.0), "the angle leaves one turn");
    assert!(recording.rows.iter().any(|row| row[1].abs() > 2.0), "an action is clipped");
}

/// Every start lies in its published range, and the four moments of a uniform distribution come out.
fn starts<E: Stateful>(mut environment: E, ranges: &[(f64, f64)]) {
    const EPISODES: usize = 4000;
    let mut observation = vec![0.0; environment.observation_space().size()];
    let mut samples = vec![Vec::with_capacity(EPISODES); E::STATE];
    for episode in 0..EPISODES {
        let seed = (episode == 0).then_some(11);
        environment.reset(seed, &mut observation).unwrap();
        environment.get().iter().zip(&mut samples).for_each(|(&value, samples)| samples.push(value));
    }
    for (samples, &(low, high)) in samples.iter_mut().zip(ranges) {
        if low == high {
            assert!(samples.iter().all(|&value| value == low));
            continue;
        }
        assert!(samples.iter().all(|&value| low <= value && value <= high));
        // Kolmogorov-Smirnov distance to the uniform distribution; 1.95 / sqrt(n) has level 0.001.
        samples.sort_by(f64::total_cmp);
        let distance = samples.iter().enumerate().map(|(rank, value)| {
            ((value - low) / (high - low) - (rank as f64 + 0.5) / EPISODES as f64).abs()
        });
        let distance = distance.fold(0.0, f64::max);
        assert!(distance < 1.95 / (EPISODES as f64).sqrt(), "{distance}");
    }
}

#[test]
fn starts_are_distributed_as_published() {
    use std::f64::consts::PI;
    starts(CartPole::new(), &[(-0.05, 0.05); 4]);
    starts(Acrobot::new(), &[(-0.1f32 as f64, 0.1f32 as f64); 4]);
    starts(MountainCar::new(), &[(-0.6, -0.4), (0.0, 0.0)]);
    starts(MountainCarContinuous::new(), &[(-0.6, -0.4), (0.0, 0.0)]);
    starts(Pendulum::new(), &[(-PI, PI), (-1.0, 1.0)]);
}
