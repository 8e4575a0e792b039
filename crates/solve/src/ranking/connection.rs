//! Whom games connect, and so whether strengths exist without a prior.
//!
//! Maximum-likelihood strengths exist, and are unique but for their scale, if and only if from every player a chain of scores (wins, or
//! ties) leads to every other (Ford 1957; Hunter 2004, assumption 1). Otherwise the players fall into groups of which one
//! has never lost a point to another, and the likelihood grows for ever as they move apart.

use super::games::Games;

/// The groups that games make of the players, each ascending, the largest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Players that games connect in whatever way; between two islands nothing can be said, whatever the method.
    pub islands: Vec<Vec<usize>>,
    /// Players that chains of scores connect both ways.
    pub groups: Vec<Vec<usize>>,
    /// Groups but the largest (if it has more than one player) that no one outside has scored against, though they have met others.
    pub unbeaten: Vec<Vec<usize>>,
    /// Groups but the largest that have never scored against anyone outside, though they have met others.
    pub pointless: Vec<Vec<usize>>,
    /// The other groups but the largest that have met others.
    pub between: Vec<Vec<usize>>,
}

impl Connection {
    /// The groups of these games.
    pub fn new(games: &Games) -> Self {
        let players = games.players();
        let (group_of, groups) = strong_components(games);
        let (mut scores, mut concedes) = (vec![false; groups], vec![false; groups]);
        games.pairs(|i, j, _, own, other, _| {
            let (a, b) = (group_of[i], group_of[j]);
            if a != b {
                scores[a] |= own > 0.0;
                concedes[b] |= own > 0.0;
                scores[b] |= other > 0.0;
                concedes[a] |= other > 0.0;
            }
        });
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups];
        (0..players).for_each(|player| members[group_of[player]].push(player));
        let mut order: Vec<usize> = (0..groups).collect();
        order
            .sort_by_key(|&group| (std::cmp::Reverse(members[group].len()), members[group].first().copied()));
        let pick = |wanted: (bool, bool)| {
            // Where nobody is connected with anybody, no group is the one that the others are apart from.
            let skipped = usize::from(order.first().is_some_and(|&group| members[group].len() > 1));
            let rest =
                order.iter().skip(skipped).filter(|&&group| (scores[group], concedes[group]) == wanted);
            rest.map(|&group| members[group].clone()).collect()
        };
        Connection {
            islands: islands(games),
            unbeaten: pick((true, false)),
            pointless: pick((false, true)),
            between: pick((true, true)),
            groups: order.iter().map(|&group| members[group].clone()).collect(),
        }
    }

    /// Whether maximum-likelihood strengths exist.
    pub fn is_strong(&self) -> bool {
        self.groups.len() <= 1
    }

    /// What keeps strengths from existing, a sentence each; players by `name`.
    pub fn describe(&self, name: impl Fn(usize) -> String) -> Vec<String> {
        let mut said = Vec::new();
        if self.islands.len() > 1 {
            let rest: Vec<&Vec<usize>> = self.islands.iter().skip(1).collect();
            said.push(format!(
                "no chain of games connects {} to the other {} players: how they compare is not known",
                listed(&rest, &name),
                self.islands[0].len()
            ));
        }
        for (groups, what) in [
            (&self.unbeaten, "lost no point to the players outside their group"),
            (&self.pointless, "scored no point against the players outside their group"),
            (&self.between, "scored only against some and lost only to others outside their group"),
        ] {
            if !groups.is_empty() {
                said.push(format!("{} {what}", listed(&groups.iter().collect::<Vec<_>>(), &name)));
            }
        }
        said
    }
}

/// Names of players, groups of several in braces, the first few.
fn listed(groups: &[&Vec<usize>], name: impl Fn(usize) -> String) -> String {
    const SHOWN: usize = 8;
    let players: usize = groups.iter().map(|group| group.len()).sum();
    let (mut shown, mut parts) = (0, Vec::new());
    for group in groups {
        if shown >= SHOWN {
            break;
        }
        let names: Vec<String> = group.iter().take(SHOWN - shown).map(|&player| name(player)).collect();
        shown += names.len();
        parts.push(match (group.len(), names.join(", ")) {
            (1, name) => name,
            (all, names) if all > SHOWN => format!("{{{names}, ...}}"),
            (_, names) => format!("{{{names}}}"),
        });
    }
    let more = if players > shown { format!(" and {} more", players - shown) } else { String::new() };
    format!("{}{more}", parts.join(", "))
}

/// The weak components, the largest first.
fn islands(games: &Games) -> Vec<Vec<usize>> {
    let players = games.players();
    let mut found = vec![false; players];
    let mut islands = Vec::new();
    for start in 0..players {
        if found[start] {
            continue;
        }
        found[start] = true;
        let mut island = vec![start];
        let mut next = 0;
        while let Some(&player) = island.get(next) {
            next += 1;
            for &opponent in games.row(player).opponents {
                if !std::mem::replace(&mut found[opponent as usize], true) {
                    island.push(opponent as usize);
                }
            }
        }
        island.sort_unstable();
        islands.push(island);
    }
    islands.sort_by_key(|island| std::cmp::Reverse(island.len()));
    islands
}

/// The strong component of every player, and how many there are: Tarjan's algorithm without recursion.
fn strong_components(games: &Games) -> (Vec<usize>, usize) {
    const UNSEEN: usize = usize::MAX;
    let players = games.players();
    let mut order = vec![UNSEEN; players];
    let mut lowest = vec![0; players];
    let mut group_of = vec![UNSEEN; players];
    let (mut open, mut path) = (Vec::new(), Vec::new());
    let (mut counter, mut groups) = (0, 0);
    for start in 0..players {
        if order[start] != UNSEEN {
            continue;
        }
        path.push((start, 0));
        while let Some((player, next)) = path.last_mut() {
            let player = *player;
            if *next == 0 {
                (order[player], lowest[player]) = (counter, counter);
                counter += 1;
                open.push(player);
            }
            let row = games.row(player);
            let mut child = None;
            while *next < row.opponents.len() {
                let (opponent, scored) = (row.opponents[*next] as usize, row.own[*next] > 0.0);
                *next += 1;
                if !scored {
                    continue;
                }
                if order[opponent] == UNSEEN {
                    child = Some(opponent);
                    break;
                }
                if group_of[opponent] == UNSEEN {
                    lowest[player] = lowest[player].min(order[opponent]);
                }
            }
            if let Some(child) = child {
                path.push((child, 0));
                continue;
            }
            // A player without games is not revisited either: its row is at its end.
            path.pop();
            if let Some((parent, _)) = path.last() {
                lowest[*parent] = lowest[*parent].min(lowest[player]);
            }
            if lowest[player] == order[player] {
                while let Some(member) = open.pop() {
                    group_of[member] = groups;
                    if member == player {
                        break;
                    }
                }
                groups += 1;
            }
        }
    }
    (group_of, groups)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::games::Game;
    use super::*;

    fn connection(players: usize, wins: &[(u32, u32)]) -> Connection {
        let games: Vec<Game> = wins.iter().map(|&(winner, loser)| Game::new(winner, loser)).collect();
        Connection::new(&Games::new(players, &games).unwrap())
    }

    #[test]
    fn groups_are_told_by_what_keeps_them_apart() {
        // 0, 1, 2 in a circle; 3 beats 0; 0 beats 4; 5 lies between 4 and 0; 6 and 7 on an island; 8 never played.
        let wins = [(0, 1), (1, 2), (2, 0), (3, 0), (0, 4), (0, 5), (5, 4), (6, 7)];
        let found = connection(9, &wins);
        assert_eq!(found.groups[0], [0, 1, 2]);
        assert_eq!(found.unbeaten, [vec![3], vec![6]]);
        assert_eq!(found.pointless, [vec![4], vec![7]]);
        assert_eq!(found.between, [vec![5]]);
        assert_eq!(found.islands, [vec![0, 1, 2, 3, 4, 5], vec![6, 7], vec![8]]);
        assert!(!found.is_strong());
        let said = found.describe(|player| format!("P{player}"));
        assert_eq!(
            said[0],
            "no chain of games connects {P6, P7}, P8 to the other 6 players: how they compare is not known"
        );
        assert_eq!(said[1], "P3, P6 lost no point to the players outside their group");
        assert!(connection(3, &wins[..3]).is_strong() && connection(0, &[]).is_strong());
    }

    proptest! {
        #[test]
        fn strong_components_are_mutual_reachability(
            wins in prop::collection::vec((0_u32..8, 0_u32..8), 0..24)
        ) {
            let wins: Vec<(u32, u32)> = wins.into_iter().filter(|(a, b)| a != b).collect();
            let mut reach = [[false; 8]; 8];
            (0..8).for_each(|i| reach[i][i] = true);
            wins.iter().for_each(|&(a, b)| reach[a as usize][b as usize] = true);
            for k in 0..8 {
                let onward = reach[k];
                for row in reach.iter_mut().filter(|row| row[k]) {
                    row.iter_mut().zip(onward).for_each(|(there, further)| *there |= further);
                }
            }
            let found = connection(8, &wins);
            for group in &found.groups {
                for (i, back) in reach.iter().enumerate() {
                    let inside = group.contains(&i);
                    prop_assert_eq!(inside, reach[group[0]][i] && back[group[0]]);
                }
            }
            prop_assert_eq!(found.groups.iter().map(Vec::len).sum::<usize>(), 8);
        }
    }
}
