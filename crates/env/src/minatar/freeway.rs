//! Freeway: bring a chicken across a road of eight lanes, again and again.

use serde::{Deserialize, Serialize};

use super::{Chance, Command, Game, SIDE, Screen, beside, cards, count_down, on_grid};
use crate::registry::EnvCard;

pub(crate) const CARDS: [EnvCard; 2] = cards(
    ["MinAtar/Freeway-v0", "MinAtar/Freeway-v1"],
    "0: nothing, 1: up, 2: down",
    EnvCard {
        summary: "bring a chicken across a road of eight lanes, again and again",
        observation: "[7, 10, 10]: chicken, car, then the cell a car came from: five channels, for cars that wait \
                      1, 2, 3, 4 or 5 frames between moves",
        reward: "1 for each crossing",
        ..EnvCard::EMPTY
    },
);

const CHICKEN: usize = 0;
const CAR: usize = 1;
/// The channel of interval 1; the others follow.
const FIRST_SPEED: usize = 2;

const CHICKEN_X: i8 = 4;
const CHICKEN_INTERVAL: u8 = 3;
const START_ROW: i8 = SIDE as i8 - 1;
const FRAMES: u16 = 2500;

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Car {
    x: i8,
    rightwards: bool,
    /// Frames to wait between moves, 1 to 5.
    interval: u8,
    timer: u8,
}

impl Car {
    fn advance(&mut self) {
        self.x = beside(self.x, self.rightwards).rem_euclid(SIDE as i8);
    }
}

/// The rules of Freeway.
///
/// The chicken moves up or down in column 4, at most every third frame. Each of rows 1 to 8 is a lane with one car,
/// which leaves at one edge and comes back at the other; a car that runs into the chicken, or is run into, sends it
/// back to the start. Arriving at row 0 is rewarded by 1, starts the chicken anew and draws new speeds and
/// directions for the cars. The game ends after 2501 frames.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Freeway {
    row: i8,
    move_timer: u8,
    cars: [Car; 8],
    /// Frames left before the last one.
    frames_left: u16,
    over: bool,
}

impl Freeway {
    fn draw_speeds<C: Chance>(&mut self, chance: &mut C) {
        for car in &mut self.cars {
            car.interval = 1 + chance.below(5) as u8;
            car.timer = car.interval;
        }
        for car in &mut self.cars {
            car.rightwards = chance.unit() >= 0.5;
        }
    }

    /// Moves the car of one lane if it is its time, and sends the chicken back if they meet.
    fn drive(&mut self, lane: usize) {
        let car = &mut self.cars[lane];
        let crossed = self.row == lane as i8 + 1;
        let mut meets = car.x == CHICKEN_X;
        if car.timer == 0 {
            car.timer = car.interval;
            car.advance();
            meets |= car.x == CHICKEN_X;
        } else {
            car.timer -= 1;
        }
        if crossed && meets {
            self.row = START_ROW;
        }
    }
}

impl Game for Freeway {
    const NAME: &'static str = "MinAtar/Freeway";
    const CHANNELS: usize = 7;
    const MINIMAL_COMMANDS: &'static [Command] = &[Command::Nothing, Command::Up, Command::Down];

    fn new(_: bool) -> Self {
        Freeway {
            row: START_ROW,
            move_timer: CHICKEN_INTERVAL,
            cars: [Car::default(); 8],
            frames_left: FRAMES,
            over: false,
        }
    }

    fn start<C: Chance>(&mut self, chance: &mut C) {
        *self = Freeway::new(false);
        self.draw_speeds(chance);
    }

    fn play<C: Chance>(&mut self, command: Command, chance: &mut C) -> u32 {
        let step = match command {
            Command::Up => -1,
            Command::Down => 1,
            _ => 0,
        };
        if step != 0 && self.move_timer == 0 {
            self.move_timer = CHICKEN_INTERVAL;
            self.row = (self.row + step).clamp(0, START_ROW);
        }
        let mut reward = 0;
        if self.row == 0 {
            reward = 1;
            self.draw_speeds(chance);
            self.row = START_ROW;
        }
        for lane in 0..self.cars.len() {
            self.drive(lane);
        }
        count_down(&mut self.move_timer);
        match self.frames_left {
            0 => self.over = true,
            _ => self.frames_left -= 1,
        }
        reward
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn draw(&self, screen: &mut Screen<'_>) {
        screen.set(CHICKEN, CHICKEN_X, self.row);
        for (y, car) in (1..).zip(&self.cars) {
            screen.set(CAR, car.x, y);
            let behind = beside(car.x, !car.rightwards).rem_euclid(SIDE as i8);
            debug_assert!(on_grid(behind));
            screen.set(FIRST_SPEED + usize::from(car.interval) - 1, behind, y);
        }
    }
}
