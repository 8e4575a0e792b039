//! Seaquest: command a submarine, shoot enemies, rescue divers, come up for air.

use serde::{Deserialize, Serialize};

use super::{Chance, Command, Game, SIDE, Screen, beside, cards, count_down, on_grid};
use crate::registry::EnvCard;

pub(crate) const CARDS: [EnvCard; 2] = cards(
    ["MinAtar/Seaquest-v0", "MinAtar/Seaquest-v1"],
    "0: nothing, 1: left, 2: up, 3: right, 4: down, 5: fire",
    EnvCard {
        summary: "shoot fish and submarines, rescue divers and come up for air in time",
        observation: "[10, 10, 10]: front and back of the submarine, own bullet, trail (the cell a thing came \
                      from), enemy bullet, fish, enemy submarine, oxygen gauge, diver gauge, diver",
        reward: "1 for each enemy shot; on surfacing with six divers, 1 for each cell of the oxygen gauge",
        ..EnvCard::EMPTY
    },
);

const FRONT: usize = 0;
const BACK: usize = 1;
const OWN_BULLET: usize = 2;
const TRAIL: usize = 3;
const ENEMY_BULLET: usize = 4;
const FISH: usize = 5;
const ENEMY_SUBMARINE: usize = 6;
const OXYGEN_GAUGE: usize = 7;
const DIVER_GAUGE: usize = 8;
const DIVER: usize = 9;

const BOTTOM: i8 = SIDE as i8 - 1;
const FULL_OXYGEN: i16 = 200;
const ALL_DIVERS: i32 = 6;
const FIRST_ENEMY_INTERVAL: u8 = 20;
const DIVER_INTERVAL: u8 = 30;
const FIRST_MOVE_INTERVAL: u8 = 5;
const LAST_MOVE_INTERVAL: u8 = 2;
const DIVER_MOVE_INTERVAL: u8 = 5;
const SHOT_INTERVAL: u8 = 5;
const ENEMY_SHOT_INTERVAL: u8 = 10;

/// Anything that moves sideways by itself. A bullet has no timers, and only an enemy submarine shoots.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Mover {
    x: i8,
    y: i8,
    rightwards: bool,
    move_timer: u8,
    shot_timer: u8,
}

impl Mover {
    fn place(&self) -> (i8, i8) {
        (self.x, self.y)
    }

    fn advance(&mut self) {
        self.x = beside(self.x, self.rightwards);
    }

    /// Waits a frame, or moves after the given number of them: true if it moved.
    fn advance_every(&mut self, interval: u8) -> bool {
        let moves = self.move_timer == 0;
        if moves {
            self.move_timer = interval;
            self.advance();
        } else {
            self.move_timer -= 1;
        }
        moves
    }
}

/// Takes a thing out of its list, and returns where it is now if it is still there: of several equal things the
/// oldest goes. Lists are walked from the newest thing to the oldest, so the walk then meets the one that stayed a
/// second time in the same frame.
fn take_out(list: &mut Vec<Mover>, index: usize) -> Option<usize> {
    let oldest = list.iter().position(|other| *other == list[index]).expect("it is in the list");
    list.remove(oldest);
    (oldest < index).then(|| index - 1)
}

/// The rules of Seaquest.
///
/// - The submarine moves in rows 0 (the surface) to 8 and looks the way it last moved sideways; it fires that way, at
///   most every fifth frame. Being hit by a bullet, a fish or an enemy submarine ends the game.
/// - Enemies appear at an edge of rows 1 to 8, one in three a submarine; none that would meet one of its row
///   head-on. Submarines fire every 11 frames, also in the frame in which they leave or are shot.
/// - Divers appear every 30 frames and are picked up by touching them, up to six.
/// - Oxygen lasts 200 frames under water. Surfacing costs one diver and fills it up; with six divers all of them
///   leave, for a reward of one for each twentieth of the oxygen left, and the cost of one is charged even then, so
///   that the next diver counts for nothing. Surfacing with none, or running out of oxygen, ends the game.
/// - Every surfacing makes enemies appear more often, and every other one makes them move faster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seaquest {
    ramping: bool,
    x: i8,
    y: i8,
    rightwards: bool,
    at_surface: bool,
    oxygen: i16,
    /// May be below 0, see above.
    divers_aboard: i32,
    shot_timer: u8,
    /// The oldest first, here and below.
    bullets: Vec<Mover>,
    enemy_bullets: Vec<Mover>,
    fish: Vec<Mover>,
    submarines: Vec<Mover>,
    divers: Vec<Mover>,
    enemy_interval: u8,
    enemy_timer: u8,
    diver_timer: u8,
    move_interval: u8,
    ramps: u32,
    over: bool,
}

impl Seaquest {
    fn spawn_enemy<C: Chance>(&mut self, chance: &mut C) {
        let rightwards = chance.unit() < 1.0 / 2.0;
        let is_submarine = chance.unit() < 1.0 / 3.0;
        let enemy = Mover {
            shot_timer: if is_submarine { ENEMY_SHOT_INTERVAL } else { 0 },
            ..at_edge(rightwards, chance, self.move_interval)
        };
        let head_on = |other: &Mover| other.y == enemy.y && other.rightwards != rightwards;
        if !self.submarines.iter().chain(&self.fish).any(head_on) {
            if is_submarine { &mut self.submarines } else { &mut self.fish }.push(enemy);
        }
    }

    fn spawn_diver<C: Chance>(&mut self, chance: &mut C) {
        let rightwards = chance.unit() < 1.0 / 2.0;
        self.divers.push(at_edge(rightwards, chance, DIVER_MOVE_INTERVAL));
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Fire if self.shot_timer == 0 => {
                self.bullets.push(bullet_at(self.x, self.y, self.rightwards));
                self.shot_timer = SHOT_INTERVAL;
            }
            Command::Left => (self.x, self.rightwards) = ((self.x - 1).max(0), false),
            Command::Right => (self.x, self.rightwards) = ((self.x + 1).min(BOTTOM), true),
            Command::Up => self.y = (self.y - 1).max(0),
            Command::Down => self.y = (self.y + 1).min(BOTTOM - 1),
            Command::Nothing | Command::Fire => {}
        }
    }

    /// Moves the player's bullets, and returns the number of enemies they hit.
    fn move_bullets(&mut self) -> u32 {
        let mut hits = 0;
        for i in (0..self.bullets.len()).rev() {
            self.bullets[i].advance();
            let place = self.bullets[i].place();
            let target = [&mut self.fish, &mut self.submarines].into_iter().find_map(|enemies| {
                let index = enemies.iter().position(|enemy| enemy.place() == place)?;
                Some(enemies.remove(index))
            });
            hits += u32::from(target.is_some());
            if target.is_some() || !on_grid(place.0) {
                take_out(&mut self.bullets, i);
            }
        }
        hits
    }

    fn move_divers(&mut self) {
        for i in (0..self.divers.len()).rev() {
            let can_board = self.divers_aboard < ALL_DIVERS;
            let boards = |diver: &Mover| diver.place() == (self.x, self.y) && can_board;
            let mut boarding = boards(&self.divers[i]);
            if !boarding && self.divers[i].advance_every(DIVER_MOVE_INTERVAL) {
                boarding = boards(&self.divers[i]);
            }
            if boarding {
                self.divers_aboard += 1;
            }
            if boarding || !on_grid(self.divers[i].x) {
                take_out(&mut self.divers, i);
            }
        }
    }

    /// After an enemy moved: takes it out if it left or met a bullet, ends the game if it met the player. Returns
    /// where it is now if it is still there, and the reward.
    fn settle(&mut self, of: fn(&mut Self) -> &mut Vec<Mover>, i: usize) -> (Option<usize>, u32) {
        let enemy = of(self)[i];
        if !on_grid(enemy.x) {
            return (take_out(of(self), i), 0);
        }
        if enemy.place() == (self.x, self.y) {
            self.over = true;
            return (Some(i), 0);
        }
        match self.bullets.iter().position(|bullet| bullet.place() == enemy.place()) {
            Some(bullet) => {
                self.bullets.remove(bullet);
                (take_out(of(self), i), 1)
            }
            None => (Some(i), 0),
        }
    }

    /// Moves the enemy submarines and lets them fire; returns the number that ran into bullets.
    fn move_submarines(&mut self) -> u32 {
        let mut hits = 0;
        for i in (0..self.submarines.len()).rev() {
            self.over |= self.submarines[i].place() == (self.x, self.y);
            let mut index = Some(i);
            let moved = self.submarines[i].advance_every(self.move_interval);
            let mut submarine = self.submarines[i];
            if moved {
                let (now, hit) = self.settle(|game| &mut game.submarines, i);
                (index, hits) = (now, hits + hit);
            }
            if submarine.shot_timer == 0 {
                submarine.shot_timer = ENEMY_SHOT_INTERVAL;
                self.enemy_bullets.push(bullet_at(submarine.x, submarine.y, submarine.rightwards));
            } else {
                submarine.shot_timer -= 1;
            }
            if let Some(index) = index {
                self.submarines[index] = submarine;
            }
        }
        hits
    }

    fn move_enemy_bullets(&mut self) {
        for i in (0..self.enemy_bullets.len()).rev() {
            self.over |= self.enemy_bullets[i].place() == (self.x, self.y);
            self.enemy_bullets[i].advance();
            if !on_grid(self.enemy_bullets[i].x) {
                take_out(&mut self.enemy_bullets, i);
            } else {
                self.over |= self.enemy_bullets[i].place() == (self.x, self.y);
            }
        }
    }

    /// Moves the fish; returns the number that ran into bullets.
    fn move_fish(&mut self) -> u32 {
        let mut hits = 0;
        for i in (0..self.fish.len()).rev() {
            self.over |= self.fish[i].place() == (self.x, self.y);
            if self.fish[i].advance_every(self.move_interval) {
                hits += self.settle(|game| &mut game.fish, i).1;
            }
        }
        hits
    }

    /// Uses up oxygen under water; comes up otherwise. Returns the reward.
    fn breathe(&mut self) -> u32 {
        self.over |= self.oxygen <= 0;
        if self.y > 0 {
            self.oxygen -= 1;
            self.at_surface = false;
            return 0;
        }
        if self.at_surface {
            return 0;
        }
        if self.divers_aboard == 0 {
            self.over = true;
            return 0;
        }
        self.surface()
    }

    fn surface(&mut self) -> u32 {
        let mut reward = 0;
        if self.divers_aboard == ALL_DIVERS {
            self.divers_aboard = 0;
            reward = self.oxygen_cells();
        }
        self.at_surface = true;
        self.oxygen = FULL_OXYGEN;
        self.divers_aboard -= 1;
        if self.ramping && (self.enemy_interval > 1 || self.move_interval > LAST_MOVE_INTERVAL) {
            if self.ramps % 2 == 1 {
                self.move_interval = (self.move_interval - 1).max(LAST_MOVE_INTERVAL);
            }
            self.enemy_interval = (self.enemy_interval - 1).max(1);
            self.ramps += 1;
        }
        reward
    }

    /// How many of the ten cells of the gauge are lit.
    fn oxygen_cells(&self) -> u32 {
        (self.oxygen.max(0) * 10 / FULL_OXYGEN) as u32
    }
}

fn at_edge<C: Chance>(rightwards: bool, chance: &mut C, move_timer: u8) -> Mover {
    let y = 1 + chance.below(8) as i8;
    Mover { x: if rightwards { 0 } else { BOTTOM }, y, rightwards, move_timer, shot_timer: 0 }
}

fn bullet_at(x: i8, y: i8, rightwards: bool) -> Mover {
    Mover { x, y, rightwards, move_timer: 0, shot_timer: 0 }
}

impl Game for Seaquest {
    const NAME: &'static str = "MinAtar/Seaquest";
    const CHANNELS: usize = 10;
    const MINIMAL_COMMANDS: &'static [Command] = &super::ALL_COMMANDS;

    fn new(ramping: bool) -> Self {
        Seaquest {
            ramping,
            x: 5,
            y: 0,
            rightwards: false,
            at_surface: true,
            oxygen: FULL_OXYGEN,
            divers_aboard: 0,
            shot_timer: 0,
            bullets: Vec::with_capacity(4),
            enemy_bullets: Vec::with_capacity(32),
            fish: Vec::with_capacity(64),
            submarines: Vec::with_capacity(64),
            divers: Vec::with_capacity(4),
            enemy_interval: FIRST_ENEMY_INTERVAL,
            enemy_timer: FIRST_ENEMY_INTERVAL,
            diver_timer: DIVER_INTERVAL,
            move_interval: FIRST_MOVE_INTERVAL,
            ramps: 0,
            over: false,
        }
    }

    fn start<C: Chance>(&mut self, _: &mut C) {
        *self = Seaquest::new(self.ramping);
    }

    fn play<C: Chance>(&mut self, command: Command, chance: &mut C) -> u32 {
        if self.enemy_timer == 0 {
            self.spawn_enemy(chance);
            self.enemy_timer = self.enemy_interval;
        }
        if self.diver_timer == 0 {
            self.spawn_diver(chance);
            self.diver_timer = DIVER_INTERVAL;
        }
        self.obey(command);
        let mut reward = self.move_bullets();
        self.move_divers();
        reward += self.move_submarines();
        self.move_enemy_bullets();
        reward += self.move_fish();
        count_down(&mut self.enemy_timer);
        count_down(&mut self.diver_timer);
        count_down(&mut self.shot_timer);
        reward + self.breathe()
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn draw(&self, screen: &mut Screen<'_>) {
        screen.set(FRONT, self.x, self.y);
        screen.set(BACK, beside(self.x, !self.rightwards), self.y);
        for x in 0..self.oxygen_cells() {
            screen.set(OXYGEN_GAUGE, x as i8, BOTTOM);
        }
        for x in BOTTOM - self.divers_aboard.clamp(0, ALL_DIVERS) as i8..BOTTOM {
            screen.set(DIVER_GAUGE, x, BOTTOM);
        }
        for (channel, bullets) in [(OWN_BULLET, &self.bullets), (ENEMY_BULLET, &self.enemy_bullets)] {
            bullets.iter().for_each(|bullet| screen.set(channel, bullet.x, bullet.y));
        }
        for (channel, things) in
            [(FISH, &self.fish), (ENEMY_SUBMARINE, &self.submarines), (DIVER, &self.divers)]
        {
            for thing in things {
                screen.set(channel, thing.x, thing.y);
                screen.set(TRAIL, beside(thing.x, !thing.rightwards), thing.y);
            }
        }
    }
}
