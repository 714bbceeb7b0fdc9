//! What stands in the syntax tree, as plain values.

use jsonc_parser::ast::{ObjectProp, ObjectPropName, Value};

/// What a value is, with an article.
pub(crate) fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(literal) => match number(literal.value) {
            Some(number) if number.fract() != 0.0 => "a fraction",
            _ => "a number",
        },
        Value::BooleanLit(_) => "true or false",
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::NullKeyword(_) => "null",
    }
}

/// A JSON5 number: decimal with optional sign and bare points, hexadecimal, never infinite.
pub(crate) fn number(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let value = match hex {
        Some(hex) => u64::from_str_radix(hex, 16).ok()? as f64,
        None => digits.parse::<f64>().ok()?,
    };
    value.is_finite().then_some(sign * value)
}

pub(crate) fn json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::StringLit(literal) => literal.value.as_ref().into(),
        Value::NumberLit(literal) => match literal.value.parse::<i64>() {
            Ok(whole) => whole.into(),
            Err(_) => number(literal.value).map_or(serde_json::Value::Null, Into::into),
        },
        Value::BooleanLit(literal) => literal.value.into(),
        Value::NullKeyword(_) => serde_json::Value::Null,
        Value::Array(array) => array.elements.iter().map(json).collect(),
        Value::Object(object) => object
            .properties
            .iter()
            .map(|prop| (prop_name(prop).to_owned(), json(&prop.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

pub(crate) fn prop_name<'p>(prop: &'p ObjectProp<'_>) -> &'p str {
    match &prop.name {
        ObjectPropName::String(literal) => &literal.value,
        ObjectPropName::Word(literal) => literal.value,
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn json5_numbers() {
        for (text, value) in [
            ("1", Some(1.0)),
            ("+.5", Some(0.5)),
            ("-5.", Some(-5.0)),
            ("0x10", Some(16.0)),
            ("-0X10", Some(-16.0)),
            ("1e400", None),
            ("Infinity", None),
            ("NaN", None),
        ] {
            assert_eq!(number(text), value, "{text}");
        }
    }
}
