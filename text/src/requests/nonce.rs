//! What makes a message the same message when it is asked for again.
//!
//! Source: Discord, "Create Message", `nonce` and `enforce_nonce`: of two creates with one nonce
//! within a few minutes, the second gives back the first one's message.

use serde_json::Value;

/// 24 hexadecimal digits of 12 bytes made by chance.
pub(crate) fn nonce(chance: [u8; 12]) -> String {
    chance.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Gives a message that is to be created a nonce, unless it has one.
pub(crate) fn enforce(body: &mut Value, chance: [u8; 12]) {
    let Some(fields) = body.as_object_mut() else { return };
    fields.entry("nonce").or_insert_with(|| nonce(chance).into());
    fields.insert("enforce_nonce".to_owned(), true.into());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn twenty_four_digits_and_one_that_is_there_stays() {
        let mut body = json!({"content": "hello"});
        enforce(&mut body, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xab, 0xff]);
        let nonce = "0001020304050607080 9abff".replace(' ', "");
        assert_eq!(body, json!({"content": "hello", "nonce": nonce, "enforce_nonce": true}));
        enforce(&mut body, [7; 12]);
        assert_eq!(body["nonce"], nonce);
    }
}
