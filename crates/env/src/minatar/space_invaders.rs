//! Space Invaders: shoot the aliens that march from side to side and down.

use serde::{Deserialize, Serialize};

use super::screen::Cells;
use super::{Chance, Command, Game, SIDE, Screen, cards, count_down};
use crate::registry::EnvCard;

pub(crate) const CARDS: [EnvCard; 2] = cards(
    ["MinAtar/SpaceInvaders-v0", "MinAtar/SpaceInvaders-v1"],
    "0: nothing, 1: left, 2: right, 3: fire",
    EnvCard {
        summary: "shoot aliens that march from side to side and down, and dodge their bullets",
        observation: "[6, 10, 10]: cannon, alien, alien moving left, alien moving right, own bullet, enemy bullet",
        reward: "1 for each alien",
        ..EnvCard::EMPTY
    },
);

const CANNON: usize = 0;
const ALIEN: usize = 1;
const ALIEN_LEFT: usize = 2;
const ALIEN_RIGHT: usize = 3;
const OWN_BULLET: usize = 4;
const ENEMY_BULLET: usize = 5;

const BOTTOM: usize = SIDE - 1;
const LEFT_EDGE: u16 = 1;
const RIGHT_EDGE: u16 = 1 << (SIDE - 1);
const SHOT_INTERVAL: u8 = 5;
const ENEMY_SHOT_INTERVAL: u8 = 10;
const FIRST_MOVE_INTERVAL: u8 = 12;
const LAST_MOVE_INTERVAL: u8 = 6;
/// Columns 2 to 7 of rows 0 to 3.
const WAVE: Cells = [0xfc, 0xfc, 0xfc, 0xfc, 0, 0, 0, 0, 0, 0];

/// The rules of Space Invaders.
///
/// The cannon on the lowest row moves sideways and fires upwards, at most every fifth frame; each alien shot is
/// rewarded by 1. The aliens march sideways together; at an edge they go down one row and turn round. They move every
/// 12 frames, or as many as there are aliens if these are fewer, and every 10 frames the lowest alien of the
/// occupied column nearest to the cannon (the left one of two) drops a bullet. The game is over when a bullet or an
/// alien meets the cannon, or when the aliens would march below the lowest row. A wave that is shot is followed by
/// another, which moves a frame sooner, down to 6.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SpaceInvaders {
    ramping: bool,
    cannon: usize,
    shot_timer: u8,
    own_bullets: Cells,
    enemy_bullets: Cells,
    aliens: Cells,
    rightwards: bool,
    move_interval: u8,
    move_timer: u8,
    enemy_shot_timer: u8,
    over: bool,
}

impl SpaceInvaders {
    fn count_aliens(&self) -> u32 {
        self.aliens.iter().map(|row| row.count_ones()).sum()
    }

    fn is_cannon_on(&self, cells: &Cells) -> bool {
        cells[BOTTOM] >> self.cannon & 1 == 1
    }

    fn march(&mut self) {
        let columns = self.aliens.iter().fold(0, |columns, row| columns | row);
        let edge = if self.rightwards { RIGHT_EDGE } else { LEFT_EDGE };
        if columns & edge == 0 {
            for row in &mut self.aliens {
                *row = if self.rightwards { *row << 1 } else { *row >> 1 };
            }
            return;
        }
        self.rightwards = !self.rightwards;
        self.over |= self.aliens[BOTTOM] != 0;
        // The lowest row comes back at the top; the game is over then, and this is its final picture.
        self.aliens.rotate_right(1);
    }

    fn enemy_shoots(&mut self) {
        let columns = self.aliens.iter().fold(0, |columns, row| columns | row);
        let nearest = (0..SIDE)
            .filter(|&x| columns >> x & 1 == 1)
            .min_by_key(|&x| x.abs_diff(self.cannon))
            .expect("a wave follows a wave");
        let lowest = self.aliens.iter().rposition(|row| row >> nearest & 1 == 1).expect("an occupied column");
        self.enemy_bullets[lowest] |= 1 << nearest;
    }

    /// Removes aliens together with the bullets that hit them, and returns how many.
    fn hits(&mut self) -> u32 {
        let mut count = 0;
        for (aliens, bullets) in self.aliens.iter_mut().zip(&mut self.own_bullets) {
            let hit = *aliens & *bullets;
            *aliens ^= hit;
            *bullets ^= hit;
            count += hit.count_ones();
        }
        count
    }
}

impl Game for SpaceInvaders {
    const NAME: &'static str = "MinAtar/SpaceInvaders";
    const CHANNELS: usize = 6;
    const MINIMAL_COMMANDS: &'static [Command] =
        &[Command::Nothing, Command::Left, Command::Right, Command::Fire];

    fn new(ramping: bool) -> Self {
        SpaceInvaders {
            ramping,
            cannon: 5,
            shot_timer: 0,
            own_bullets: [0; SIDE],
            enemy_bullets: [0; SIDE],
            aliens: WAVE,
            rightwards: false,
            move_interval: FIRST_MOVE_INTERVAL,
            move_timer: FIRST_MOVE_INTERVAL,
            enemy_shot_timer: ENEMY_SHOT_INTERVAL,
            over: false,
        }
    }

    fn start<C: Chance>(&mut self, _: &mut C) {
        *self = SpaceInvaders::new(self.ramping);
    }

    fn play<C: Chance>(&mut self, command: Command, _: &mut C) -> u32 {
        // A bullet leaves the cannon upwards: it is first seen one row above.
        self.own_bullets.rotate_left(1);
        self.own_bullets[BOTTOM] = 0;
        match command {
            Command::Fire if self.shot_timer == 0 => {
                self.own_bullets[BOTTOM - 1] |= 1 << self.cannon;
                self.shot_timer = SHOT_INTERVAL;
            }
            Command::Left => self.cannon = self.cannon.saturating_sub(1),
            Command::Right => self.cannon = (self.cannon + 1).min(BOTTOM),
            _ => {}
        }
        self.enemy_bullets.rotate_right(1);
        self.enemy_bullets[0] = 0;
        self.over |= self.is_cannon_on(&self.enemy_bullets) || self.is_cannon_on(&self.aliens);
        if self.move_timer == 0 {
            self.move_timer = self.move_interval.min(self.count_aliens() as u8);
            self.march();
            self.over |= self.is_cannon_on(&self.aliens);
        }
        if self.enemy_shot_timer == 0 {
            self.enemy_shot_timer = ENEMY_SHOT_INTERVAL;
            self.enemy_shoots();
        }
        let reward = self.hits();
        count_down(&mut self.shot_timer);
        self.move_timer -= 1;
        self.enemy_shot_timer -= 1;
        if self.count_aliens() == 0 {
            if self.ramping {
                self.move_interval = (self.move_interval - 1).max(LAST_MOVE_INTERVAL);
            }
            self.aliens = WAVE;
        }
        reward
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn draw(&self, screen: &mut Screen<'_>) {
        screen.set(CANNON, self.cannon as i8, BOTTOM as i8);
        screen.set_cells(ALIEN, &self.aliens);
        screen.set_cells(if self.rightwards { ALIEN_RIGHT } else { ALIEN_LEFT }, &self.aliens);
        screen.set_cells(OWN_BULLET, &self.own_bullets);
        screen.set_cells(ENEMY_BULLET, &self.enemy_bullets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quire_core::Seeds;

    #[test]
    fn aliens_that_would_march_below_the_lowest_row_end_the_game() {
        // Checked against MinAtar 1.0.15 set to the same state; a game hardly ever comes to it, as the aliens of the
        // lowest row mostly meet the cannon on their way to the edge.
        let mut game = SpaceInvaders::new(true);
        game.aliens = [0; SIDE];
        game.aliens[BOTTOM] = RIGHT_EDGE;
        game.aliens[5] = 1 << 4;
        (game.rightwards, game.cannon, game.move_timer) = (true, 0, 1);
        let mut chance = Seeds::new(0).stream("test");
        assert_eq!((game.play(Command::Nothing, &mut chance), game.is_over()), (0, false));
        assert_eq!(game.aliens[BOTTOM], RIGHT_EDGE, "it was not yet their time");
        assert_eq!((game.play(Command::Nothing, &mut chance), game.is_over()), (0, true));
        assert_eq!([game.aliens[0], game.aliens[6], game.aliens[BOTTOM]], [RIGHT_EDGE, 1 << 4, 0]);
        assert!(!game.rightwards);
    }
}
