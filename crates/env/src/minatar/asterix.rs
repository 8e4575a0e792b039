//! Asterix: collect the gold that crosses the field, avoid the enemies that cross it too.

use serde::{Deserialize, Serialize};

use super::{Chance, Command, Game, SIDE, Screen, beside, cards, on_grid};
use crate::registry::EnvCard;

pub(crate) const CARDS: [EnvCard; 2] = cards(
    ["MinAtar/Asterix-v0", "MinAtar/Asterix-v1"],
    "0: nothing, 1: left, 2: up, 3: right, 4: down",
    EnvCard {
        summary: "collect gold that crosses the field and avoid enemies, ever faster",
        observation: "[4, 10, 10]: player, enemy, trail (the cell a thing came from), gold",
        reward: "1 for each gold",
        ..EnvCard::EMPTY
    },
);

const PLAYER: usize = 0;
const ENEMY: usize = 1;
const TRAIL: usize = 2;
const GOLD: usize = 3;

const FIRST_SPAWN_INTERVAL: u8 = 10;
const FIRST_MOVE_INTERVAL: u8 = 5;
/// The difficulty ramps up once the countdown from here has passed 0.
const RAMP_COUNTDOWN: i8 = 100;

/// Something that crosses the field in the row of its slot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Crosser {
    x: i8,
    rightwards: bool,
    is_gold: bool,
}

/// The rules of Asterix.
///
/// The player moves in rows 1 to 8. Each of these rows holds at most one thing, which enters from the left or right
/// edge and is gold with probability 1/3, else an enemy. Touching gold collects it for a reward of 1, touching an
/// enemy ends the game, whether the player moved or the thing did. Every 102 frames things appear more often, and
/// every other time they also move faster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asterix {
    ramping: bool,
    player: (i8, i8),
    /// By row, from row 1.
    rows: [Option<Crosser>; 8],
    spawn_interval: u8,
    spawn_timer: u8,
    move_interval: u8,
    move_timer: u8,
    ramp_countdown: i8,
    ramps: u32,
    over: bool,
}

impl Asterix {
    fn spawn<C: Chance>(&mut self, chance: &mut C) {
        let rightwards = chance.unit() < 1.0 / 2.0;
        let is_gold = chance.unit() < 1.0 / 3.0;
        let free = self.rows.iter().filter(|row| row.is_none()).count();
        if free == 0 {
            return;
        }
        let chosen = chance.below(free);
        let row = self.rows.iter_mut().filter(|row| row.is_none()).nth(chosen).expect("below the count");
        *row = Some(Crosser { x: if rightwards { 0 } else { SIDE as i8 - 1 }, rightwards, is_gold });
    }

    /// Lets the player touch what is at the same place, and returns the reward.
    fn touch(&mut self) -> u32 {
        let (x, y) = self.player;
        let row = &mut self.rows[(y - 1) as usize];
        match row {
            Some(thing) if thing.x == x && thing.is_gold => {
                *row = None;
                1
            }
            Some(thing) if thing.x == x => {
                self.over = true;
                0
            }
            _ => 0,
        }
    }

    fn move_things(&mut self) {
        for row in &mut self.rows {
            if let Some(thing) = row {
                thing.x = beside(thing.x, thing.rightwards);
                if !on_grid(thing.x) {
                    *row = None;
                }
            }
        }
    }

    fn ramp(&mut self) {
        if self.spawn_interval == 1 && self.move_interval == 1 {
            return;
        }
        if self.ramp_countdown >= 0 {
            self.ramp_countdown -= 1;
            return;
        }
        if self.ramps % 2 == 1 {
            self.move_interval = (self.move_interval - 1).max(1);
        }
        self.spawn_interval = (self.spawn_interval - 1).max(1);
        self.ramps += 1;
        self.ramp_countdown = RAMP_COUNTDOWN;
    }
}

impl Game for Asterix {
    const NAME: &'static str = "MinAtar/Asterix";
    const CHANNELS: usize = 4;
    const MINIMAL_COMMANDS: &'static [Command] =
        &[Command::Nothing, Command::Left, Command::Up, Command::Right, Command::Down];

    fn new(ramping: bool) -> Self {
        Asterix {
            ramping,
            player: (5, 5),
            rows: [None; 8],
            spawn_interval: FIRST_SPAWN_INTERVAL,
            spawn_timer: FIRST_SPAWN_INTERVAL,
            move_interval: FIRST_MOVE_INTERVAL,
            move_timer: FIRST_MOVE_INTERVAL,
            ramp_countdown: RAMP_COUNTDOWN,
            ramps: 0,
            over: false,
        }
    }

    fn start<C: Chance>(&mut self, _: &mut C) {
        *self = Asterix::new(self.ramping);
    }

    fn play<C: Chance>(&mut self, command: Command, chance: &mut C) -> u32 {
        if self.spawn_timer == 0 {
            self.spawn(chance);
            self.spawn_timer = self.spawn_interval;
        }
        let (x, y) = &mut self.player;
        match command {
            Command::Left => *x = (*x - 1).max(0),
            Command::Right => *x = (*x + 1).min(9),
            Command::Up => *y = (*y - 1).max(1),
            Command::Down => *y = (*y + 1).min(8),
            Command::Nothing | Command::Fire => {}
        }
        let mut reward = self.touch();
        if self.move_timer == 0 {
            self.move_timer = self.move_interval;
            self.move_things();
            reward += self.touch();
        }
        self.spawn_timer -= 1;
        self.move_timer -= 1;
        if self.ramping {
            self.ramp();
        }
        reward
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn draw(&self, screen: &mut Screen<'_>) {
        screen.set(PLAYER, self.player.0, self.player.1);
        for (y, thing) in (1..).zip(&self.rows) {
            if let Some(Crosser { x, rightwards, is_gold }) = *thing {
                screen.set(if is_gold { GOLD } else { ENEMY }, x, y);
                screen.set(TRAIL, beside(x, !rightwards), y);
            }
        }
    }
}
