//! Saved states: a run's bytes, framed so that a foreign or damaged state is told from a good one.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"QUIRE\x00S\x01";

/// Encodes a state. `kind` names what it is the state of, such as `double-dqn on CartPole-v1`.
pub fn encode<T: Serialize>(kind: &str, state: &T) -> Vec<u8> {
    let head = head(kind);
    let body_at = head.len();
    checked(postcard::to_extend(state, head), body_at)
}

/// Decodes what [`encode`] made; a state of another kind, a truncated or altered one is an error.
pub fn decode<T: DeserializeOwned>(kind: &str, bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(body(kind, bytes)?).map_err(not_decoded)
}

// There are many types of states: what does not depend on them is compiled once.

/// What comes before the body: its last four bytes are for the body's checksum.
fn head(kind: &str) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend((kind.len() as u32).to_le_bytes());
    bytes.extend(kind.as_bytes());
    bytes.extend([0; 4]);
    bytes
}

fn checked(bytes: postcard::Result<Vec<u8>>, body_at: usize) -> Vec<u8> {
    let mut bytes = bytes.expect("a state is plain data, which always encodes");
    let checksum = crc32fast::hash(&bytes[body_at..]).to_le_bytes();
    bytes[body_at - 4..body_at].copy_from_slice(&checksum);
    bytes
}

fn damaged(what: &str) -> Error {
    Error::Resume(format!("the saved state {what}; start the run afresh"))
}

fn not_decoded(error: postcard::Error) -> Error {
    damaged(&format!("cannot be decoded ({error})"))
}

/// The body of a whole state of this kind.
fn body<'a>(kind: &str, bytes: &'a [u8]) -> Result<&'a [u8]> {
    let rest =
        bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("was not written by this version of Quire"))?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("is truncated"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if rest.len() < length + 4 {
        return Err(damaged("is truncated"));
    }
    let (found, rest) = rest.split_at(length);
    if found != kind.as_bytes() {
        return Err(Error::Resume(format!(
            "the saved state belongs to {}, not to {kind}",
            String::from_utf8_lossy(found)
        )));
    }
    let (checksum, body) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("is truncated"))?;
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return Err(damaged("is damaged (its checksum does not match)"));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_round_trip_and_damage_is_noticed() {
        let state = (3_u64, vec![1.5_f32, -0.0, f32::MIN_POSITIVE], "x".to_owned());
        let bytes = encode("a on b", &state);
        assert_eq!(decode::<(u64, Vec<f32>, String)>("a on b", &bytes).unwrap(), state);
        assert!(
            decode::<(u64, Vec<f32>, String)>("c on b", &bytes).unwrap_err().to_string().contains("a on b")
        );
        for cut in 0..bytes.len() {
            assert!(decode::<(u64, Vec<f32>, String)>("a on b", &bytes[..cut]).is_err());
        }
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 0x40;
            assert!(decode::<(u64, Vec<f32>, String)>("a on b", &altered).is_err());
        }
    }
}
