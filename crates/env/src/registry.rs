//! Every environment by its name.

use quire_core::{Error, Result};
use serde::Serialize;

use crate::bsuite;
use crate::chain;
use crate::classic;
use crate::environment::Environment;
use crate::minatar::{self, ActionSet, MinAtar};
use crate::wrappers::TimeLimit;

/// What there is to know about an environment before making it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EnvCard {
    /// The name that [`make`] takes, the field's own where it has one: `CartPole-v1`.
    pub id: &'static str,
    /// The names of the whole family, if this is one member of a parameterized one: `DeepSea-<n>`.
    pub pattern: Option<&'static str>,
    /// The task in one line.
    pub summary: &'static str,
    /// What the numbers of an observation mean.
    pub observation: &'static str,
    /// What the actions do.
    pub action: &'static str,
    /// What is rewarded.
    pub reward: &'static str,
    /// Steps after which [`make`]'s environment truncates an episode, if it does.
    pub time_limit: Option<u32>,
    /// The mean return of an episode from which the task counts as solved, where one is published.
    pub reward_threshold: Option<f64>,
    /// The greatest expected return of an episode, where it is known.
    pub optimum: Option<f64>,
    /// Where the task comes from.
    pub source: &'static str,
    /// Words to find it by.
    pub tags: &'static [&'static str],
}

impl EnvCard {
    /// A card with nothing on it, for the fields a card does not state.
    pub(crate) const EMPTY: EnvCard = EnvCard {
        id: "",
        pattern: None,
        summary: "",
        observation: "",
        action: "",
        reward: "",
        time_limit: None,
        reward_threshold: None,
        optimum: None,
        source: "",
        tags: &[],
    };
}

/// The cards, in the order of a table of contents.
static CARDS: &[EnvCard] = &[
    classic::CART_POLE_V1,
    classic::CART_POLE_V0,
    classic::ACROBOT,
    classic::MOUNTAIN_CAR,
    classic::MOUNTAIN_CAR_CONTINUOUS,
    classic::PENDULUM,
    bsuite::DEEP_SEA,
    bsuite::CATCH,
    chain::CARD,
    minatar::ASTERIX[0],
    minatar::ASTERIX[1],
    minatar::BREAKOUT[0],
    minatar::BREAKOUT[1],
    minatar::FREEWAY[0],
    minatar::FREEWAY[1],
    minatar::SEAQUEST[0],
    minatar::SEAQUEST[1],
    minatar::SPACE_INVADERS[0],
    minatar::SPACE_INVADERS[1],
];

/// Every environment there is; of a parameterized family, one member with its [`EnvCard::pattern`].
pub fn list() -> &'static [EnvCard] {
    CARDS
}

/// The card of the environment that `id` names; for a member of a parameterized family, the family's card.
///
/// # Errors
/// [`Error::Unknown`] with the nearest names.
pub fn card(id: &str) -> Result<&'static EnvCard> {
    let id = match (family_size(id, "DeepSea-"), family_size(id, "NChain-")) {
        (Some(_), _) => bsuite::DEEP_SEA.id,
        (_, Some(_)) => chain::CARD.id,
        _ => id,
    };
    CARDS.iter().find(|card| card.id == id).ok_or_else(|| unknown(id))
}

/// The environment that `id` names, with its published time limit.
///
/// # Errors
/// [`Error::Unknown`] with the nearest names; [`Error::Option`] for a family member with a bad parameter.
pub fn make(id: &str) -> Result<Box<dyn Environment>> {
    if let Some(size) = family_size(id, "DeepSea-") {
        return Ok(Box::new(bsuite::DeepSea::new(size)?));
    }
    if let Some(size) = family_size(id, "NChain-") {
        return Ok(Box::new(chain::NChain::new(size)?));
    }
    let limit = card(id)?.time_limit;
    match id {
        "Catch-v0" => limited(bsuite::Catch::new(), limit),
        "CartPole-v1" | "CartPole-v0" => limited(classic::CartPole::new(), limit),
        "Acrobot-v1" => limited(classic::Acrobot::new(), limit),
        "MountainCar-v0" => limited(classic::MountainCar::new(), limit),
        "MountainCarContinuous-v0" => limited(classic::MountainCarContinuous::new(), limit),
        "Pendulum-v1" => limited(classic::Pendulum::new(), limit),
        _ => match id.strip_prefix("MinAtar/").and_then(|game| game.rsplit_once("-v")) {
            Some((game, "0")) => minatar(game, ActionSet::Full).ok_or_else(|| unknown(id)),
            Some((game, "1")) => minatar(game, ActionSet::Minimal).ok_or_else(|| unknown(id)),
            _ => Err(unknown(id)),
        },
    }
}

/// The `n` of `<family>n`, where the family's prefix is such as `DeepSea-`.
fn family_size(id: &str, family: &str) -> Option<usize> {
    let text = id.strip_prefix(family)?;
    text.parse().ok().filter(|size: &usize| size.to_string() == text)
}

fn minatar(game: &str, actions: ActionSet) -> Option<Box<dyn Environment>> {
    Some(match game {
        "Asterix" => Box::new(MinAtar::<minatar::Asterix>::new(actions)),
        "Breakout" => Box::new(MinAtar::<minatar::Breakout>::new(actions)),
        "Freeway" => Box::new(MinAtar::<minatar::Freeway>::new(actions)),
        "Seaquest" => Box::new(MinAtar::<minatar::Seaquest>::new(actions)),
        "SpaceInvaders" => Box::new(MinAtar::<minatar::SpaceInvaders>::new(actions)),
        _ => return None,
    })
}

/// Boxes an environment inside its time limit, as one type: a step stays one virtual call.
fn limited<E: Environment + Clone + 'static>(inner: E, limit: Option<u32>) -> Result<Box<dyn Environment>> {
    Ok(match limit {
        Some(limit) => Box::new(TimeLimit::new(inner, limit)?),
        None => Box::new(inner),
    })
}

fn unknown(id: &str) -> Error {
    Error::unknown("problem", id, CARDS.iter().map(|card| card.id), "quire list problems")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_makes_its_environment() {
        for card in list() {
            let mut environment = make(card.id).unwrap();
            let mut observation = vec![f32::NAN; environment.observation_space().size()];
            environment.reset(Some(0), &mut observation).unwrap();
            assert!(environment.observation_space().contains(&observation), "{}", card.id);
            assert!(!card.summary.is_empty() && !card.source.is_empty() && !card.tags.is_empty());
            assert!(!card.observation.is_empty() && !card.action.is_empty() && !card.reward.is_empty());
        }
    }

    #[test]
    fn every_size_of_a_family_can_be_made() {
        assert_eq!(make("DeepSea-7").unwrap().observation_space().shape(), [7, 7]);
        assert_eq!(card("DeepSea-7").unwrap().id, "DeepSea-10");
        assert_eq!(make("NChain-25").unwrap().observation_space().shape(), [25]);
        assert_eq!(card("NChain-25").unwrap().id, "NChain-10");
        let message = make("DeepSea-1000").err().unwrap().to_string();
        assert_eq!(message, "option `n`: DeepSea-<n> takes n from 2 to 200, not 1000");
        assert!(
            matches!(make("DeepSea-v0"), Err(Error::Unknown { nearest, .. }) if nearest == ["DeepSea-10"])
        );
    }

    #[test]
    fn names_are_unique_and_a_wrong_one_is_told_the_nearest() {
        let mut ids: Vec<_> = list().iter().map(|card| card.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), list().len());
        let message = make("cartpole-v1").err().unwrap().to_string();
        assert!(message.starts_with("unknown problem `cartpole-v1`; did you mean one of `CartPole-v1`"));
        assert!(message.ends_with("`quire list problems` lists every problem."), "{message}");
    }
}
