//! Breakout: bounce a ball off a paddle to break bricks.

use serde::{Deserialize, Serialize};

use super::screen::Cells;
use super::{Chance, Command, Game, SIDE, Screen, cards};
use crate::registry::EnvCard;

pub(crate) const CARDS: [EnvCard; 2] = cards(
    ["MinAtar/Breakout-v0", "MinAtar/Breakout-v1"],
    "0: nothing, 1: left, 2: right",
    EnvCard {
        summary: "bounce a ball off a paddle to break rows of bricks",
        observation: "[4, 10, 10]: paddle, ball, trail (where the ball was), brick",
        reward: "1 for each brick",
        ..EnvCard::EMPTY
    },
);

const PADDLE: usize = 0;
const BALL: usize = 1;
const TRAIL: usize = 2;
const BRICK: usize = 3;

const BOTTOM: i8 = SIDE as i8 - 1;
const FULL_ROW: u16 = (1 << SIDE) - 1;
const WALL: Cells = [0, FULL_ROW, FULL_ROW, FULL_ROW, 0, 0, 0, 0, 0, 0];

/// The rules of Breakout.
///
/// The ball flies along diagonals and is mirrored by the left, right and upper edge. A brick it flies into breaks,
/// for a reward of 1, and throws it back; but it flies on through bricks met in the frames directly after. On
/// the lowest row the paddle throws it back up if the ball came from right above the paddle, back where it came from
/// if it would have landed on the paddle, and otherwise the game is over. The wall of three rows is put up anew
/// when the ball reaches the lowest row and no brick is left. Difficulty does not ramp up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Breakout {
    paddle: i8,
    ball: (i8, i8),
    /// Where the ball was a frame before.
    trail: (i8, i8),
    velocity: (i8, i8),
    bricks: Cells,
    /// The ball broke a brick in the last frame, or has been inside bricks since.
    in_bricks: bool,
    over: bool,
}

impl Game for Breakout {
    const NAME: &'static str = "MinAtar/Breakout";
    const CHANNELS: usize = 4;
    const MINIMAL_COMMANDS: &'static [Command] = &[Command::Nothing, Command::Left, Command::Right];

    fn new(_: bool) -> Self {
        Breakout {
            paddle: 4,
            ball: (0, 3),
            trail: (0, 3),
            velocity: (1, 1),
            bricks: WALL,
            in_bricks: false,
            over: false,
        }
    }

    fn start<C: Chance>(&mut self, chance: &mut C) {
        *self = Breakout::new(false);
        if chance.below(2) == 1 {
            (self.ball, self.trail, self.velocity) = ((9, 3), (9, 3), (-1, 1));
        }
    }

    fn play<C: Chance>(&mut self, command: Command, _: &mut C) -> u32 {
        match command {
            Command::Left => self.paddle = (self.paddle - 1).max(0),
            Command::Right => self.paddle = (self.paddle + 1).min(9),
            _ => {}
        }
        let (from_x, from_y) = self.ball;
        let (dx, dy) = &mut self.velocity;
        let (mut x, mut y) = (from_x + *dx, from_y + *dy);
        let mut reward = 0;
        let mut meets_brick = false;
        if !(0..=9).contains(&x) {
            x = from_x;
            *dx = -*dx;
        }
        if y < 0 {
            y = 0;
            *dy = -*dy;
        } else if self.bricks[y as usize] >> x & 1 == 1 {
            meets_brick = true;
            if !self.in_bricks {
                self.in_bricks = true;
                self.bricks[y as usize] ^= 1 << x;
                reward = 1;
                y = from_y;
                *dy = -*dy;
            }
        } else if y == BOTTOM {
            if self.bricks == [0; SIDE] {
                self.bricks = WALL;
            }
            if from_x == self.paddle {
                *dy = -*dy;
                y = from_y;
            } else if x == self.paddle {
                (*dx, *dy) = (-*dx, -*dy);
                y = from_y;
            } else {
                self.over = true;
            }
        }
        self.in_bricks &= meets_brick;
        (self.trail, self.ball) = (self.ball, (x, y));
        reward
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn draw(&self, screen: &mut Screen<'_>) {
        screen.set(BALL, self.ball.0, self.ball.1);
        screen.set(PADDLE, self.paddle, BOTTOM);
        screen.set(TRAIL, self.trail.0, self.trail.1);
        screen.set_cells(BRICK, &self.bricks);
    }
}
