//! Ids in fault settings: texts, as everywhere at Discord; numbers are taken, too.

/// For `#[serde(with = "…")]` on an `Option<u64>`.
pub(super) mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use serde_json::Value;

    #[expect(clippy::ref_option, reason = "serde's calling convention")]
    pub(in crate::fault) fn serialize<S: Serializer>(
        id: &Option<u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        id.map(|id| id.to_string()).serialize(serializer)
    }

    pub(in crate::fault) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u64>, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(None),
            Value::String(text) => text.parse().map(Some).map_err(D::Error::custom),
            Value::Number(number) => {
                number.as_u64().map(Some).ok_or_else(|| D::Error::custom("not an id"))
            }
            _ => Err(D::Error::custom("not an id")),
        }
    }
}

/// A packet's way: who sent it, and to whom the server forwards it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Flow {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Flow {
    /// Whether a pair of optional filters lets this flow in.
    pub(crate) fn matches(self, from: Option<u64>, to: Option<u64>) -> bool {
        from.is_none_or(|from| from == self.from) && to.is_none_or(|to| to == self.to)
    }
}

/// The seed of one random sequence: the same for the same inputs, unrelated for different ones
/// (the finaliser of SplitMix64, once per input).
pub(crate) fn seed_of(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(seed, |state, part| {
        let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_add(*part);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}
