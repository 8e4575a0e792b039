//! The MinAtar games against recordings of the official package: with the same actions and the same random draws,
//! every observation, reward and end must be the same (see tests/data/README.md).

use quire_env::minatar::{
    ActionSet, Asterix, Breakout, Chance, Command, Freeway, Game, MinAtar, Seaquest, SpaceInvaders,
};
use quire_env::{Action, Environment};

/// Gives out recorded draws, and insists that the same kind of draw is asked for.
struct Replay<'a>(&'a str);

impl Replay<'_> {
    fn digits(&mut self, after: char) -> usize {
        self.0 = self.0.strip_prefix(after).unwrap_or_else(|| panic!("draw {after} from {:?}", self.0));
        let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        digits.parse().unwrap()
    }
}

impl Chance for Replay<'_> {
    fn unit(&mut self) -> f64 {
        (self.digits('u') as f64 + 0.5) / 10_000.0
    }

    fn below(&mut self, n: usize) -> usize {
        assert_eq!(self.digits('i'), n);
        self.digits(':')
    }
}

/// Applies a list of changed cells.
fn change(observation: &mut [f32], changes: &str) {
    let digit = |byte: u8| (byte as char).to_digit(32).unwrap() as usize;
    for pair in changes.trim_start_matches('-').as_bytes().chunks(2) {
        let cell = &mut observation[digit(pair[0]) * 32 + digit(pair[1])];
        *cell = 1.0 - *cell;
    }
}

#[derive(Debug, Default, PartialEq)]
struct Totals {
    steps: usize,
    ends: usize,
    reward: f64,
}

fn replay<G: Game>(recording: &str) -> Totals {
    let mut environment = MinAtar::<G>::new(ActionSet::Full);
    let mut expected = vec![0.0f32; environment.observation_space().size()];
    let mut observation = expected.clone();
    let mut totals = Totals::default();
    for (number, line) in (1..).zip(recording.lines()) {
        let words: Vec<&str> = line.split(' ').collect();
        let (draws, changes) = match words[..] {
            ["actions", ..] => {
                let minimal: Vec<usize> = words[1..].iter().map(|word| word.parse().unwrap()).collect();
                let ours: Vec<usize> =
                    G::MINIMAL_COMMANDS.iter().map(|&command: &Command| command as usize).collect();
                assert_eq!(ours, minimal);
                environment = MinAtar::new(ActionSet::Full);
                continue;
            }
            ["fixed", "difficulty,", ..] => {
                environment = environment.with_ramping(false).with_sticky_actions(0.0).unwrap();
                continue;
            }
            ["reset", draws, changes] => {
                let mut chance = Replay(draws.trim_start_matches('-'));
                environment.reset_with(&mut chance, &mut observation);
                expected.fill(0.0);
                (chance.0, changes)
            }
            ["step", action, reward, terminal, draws, changes] => {
                let mut chance = Replay(draws);
                let action = Action::Discrete(action.parse().unwrap());
                let step = environment.step_with(action, &mut chance, &mut observation).unwrap();
                assert_eq!(step.reward, reward.parse::<f64>().unwrap(), "reward, line {number}");
                assert_eq!(step.terminated, terminal == "1", "end, line {number}");
                assert!(!step.truncated);
                totals.steps += 1;
                totals.ends += usize::from(step.terminated);
                totals.reward += step.reward;
                (chance.0, changes)
            }
            _ => panic!("line {number}: {line}"),
        };
        assert_eq!(draws, "", "draws left over, line {number}");
        change(&mut expected, changes);
        for (cell, (ours, theirs)) in observation.iter().zip(&expected).enumerate() {
            let place = [cell / 100, cell / 10 % 10, cell % 10];
            assert_eq!(ours, theirs, "[channel, row, column] {place:?}, line {number}");
        }
    }
    totals
}

#[test]
fn asterix() {
    let totals = replay::<Asterix>(include_str!("data/minatar_asterix.txt"));
    assert_eq!(totals, Totals { steps: 2162, ends: 11, reward: 70.0 });
}

#[test]
fn breakout() {
    let totals = replay::<Breakout>(include_str!("data/minatar_breakout.txt"));
    assert_eq!(totals, Totals { steps: 1878, ends: 30, reward: 128.0 });
}

#[test]
fn freeway() {
    let totals = replay::<Freeway>(include_str!("data/minatar_freeway.txt"));
    assert_eq!(totals, Totals { steps: 2801, ends: 1, reward: 44.0 });
}

#[test]
fn seaquest() {
    let totals = replay::<Seaquest>(include_str!("data/minatar_seaquest.txt"));
    assert_eq!(totals, Totals { steps: 4420, ends: 11, reward: 119.0 });
}

#[test]
fn space_invaders() {
    let totals = replay::<SpaceInvaders>(include_str!("data/minatar_space_invaders.txt"));
    assert_eq!(totals, Totals { steps: 2663, ends: 10, reward: 259.0 });
}
