//! Attributes of nodes.

use cnn_model::onnx::proto::{AttributeProto, attribute_type};

/// A size as ONNX's whole number. Those of a network are far smaller.
pub fn whole(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// A whole number.
pub fn int(name: &str, value: usize) -> AttributeProto {
    AttributeProto { i: Some(whole(value)), ..of(name, attribute_type::INT) }
}

/// Whole numbers.
pub fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto { ints: values.iter().map(|&value| whole(value)).collect(), ..of(name, attribute_type::INTS) }
}

/// A number with a fraction.
pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..of(name, attribute_type::FLOAT) }
}

/// A word.
pub fn text(name: &str, value: &'static str) -> AttributeProto {
    AttributeProto { s: Some(value.as_bytes().into()), ..of(name, attribute_type::STRING) }
}

fn of(name: &str, kind: i32) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: kind, ..Default::default() }
}
