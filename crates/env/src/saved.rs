//! How a saved state is packed: a tag, a checksum, the state itself.

use quire_core::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    tag: &'a str,
    checksum: u64,
    #[serde(borrow)]
    state: &'a [u8],
}

/// Packs `state` under the name of what it belongs to.
pub(crate) fn pack<T: Serialize>(tag: &str, state: &T) -> Vec<u8> {
    let state = postcard::to_stdvec(state).expect("plain data always serializes");
    postcard::to_stdvec(&Envelope { tag, checksum: fnv1a(&state), state: &state })
        .expect("plain data always serializes")
}

/// Unpacks what [`pack`] made under the same tag.
pub(crate) fn unpack<T: DeserializeOwned>(tag: &str, saved: &[u8]) -> Result<T> {
    let damaged = || Error::Resume(format!("the saved state of {tag} is damaged or of another version"));
    let envelope: Envelope<'_> = postcard::from_bytes(saved).map_err(|_| damaged())?;
    if envelope.tag != tag {
        return Err(Error::Resume(format!("the saved state belongs to {}, not to {tag}", envelope.tag)));
    }
    if envelope.checksum != fnv1a(envelope.state) {
        return Err(damaged());
    }
    postcard::from_bytes(envelope.state).map_err(|_| damaged())
}

/// FNV-1a, 64 bits. It guards against truncated or mixed-up bytes, not against forgery.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The last three methods of [`Environment`](crate::Environment) for a type whose fields are all its state.
macro_rules! whole_self_is_the_state {
    ($tag:expr) => {
        fn save(&self) -> Vec<u8> {
            $crate::saved::pack($tag, self)
        }

        fn restore(&mut self, saved: &[u8]) -> quire_core::Result<()> {
            *self = $crate::saved::unpack($tag, saved)?;
            Ok(())
        }

        fn clone_box(&self) -> Box<dyn $crate::Environment> {
            Box::new(self.clone())
        }
    };
}

pub(crate) use whole_self_is_the_state;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_and_mix_ups_are_reported() {
        let saved = pack("a", &(1u32, 2.5f64));
        assert_eq!(unpack::<(u32, f64)>("a", &saved).unwrap(), (1, 2.5));
        let other = unpack::<(u32, f64)>("b", &saved).unwrap_err().to_string();
        assert_eq!(other, "cannot resume: the saved state belongs to a, not to b");
        for position in 0..saved.len() {
            let mut damaged = saved.clone();
            damaged[position] ^= 0x10;
            assert!(unpack::<(u32, f64)>("a", &damaged).is_err(), "byte {position}");
            assert!(unpack::<(u32, f64)>("a", &saved[..position]).is_err());
        }
    }
}
