//! How much memory a file may ask for.
//!
//! A message of two bytes takes some hundred in memory, so that a small file could fill it. The parts of a model are
//! counted before any is decoded; bytes of tensors are not copied and count nothing.

/// Messages in one file: more than any network that can be imported has.
const MOST_MESSAGES: usize = 2_000_000;

/// Which fields of a message are messages.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Value,
    Type,
    TensorType,
    Shape,
    /// Without messages inside.
    Leaf,
}

impl Kind {
    /// The kind of the message, text or bytes in a field; `None` where it is plain bytes.
    fn field(self, tag: u64) -> Option<Kind> {
        Some(match (self, tag) {
            (Kind::Model, 7) => Kind::Graph,
            (Kind::Graph, 1) => Kind::Node,
            (Kind::Graph, 5) | (Kind::Attribute, 5) => Kind::Tensor,
            (Kind::Graph, 11 | 12) => Kind::Value,
            (Kind::Node, 5) => Kind::Attribute,
            (Kind::Value, 2) => Kind::Type,
            (Kind::Type, 1) => Kind::TensorType,
            (Kind::TensorType, 2) => Kind::Shape,
            (Kind::Model, 8 | 14)
            | (Kind::Tensor, 13)
            | (Kind::Shape, 1)
            | (Kind::Node, 1 | 2)
            | (Kind::Attribute, 9) => Kind::Leaf,
            _ => return None,
        })
    }
}

/// Why no more is counted.
enum Stop {
    /// The decoder goes no further either.
    Damage,
    TooMany,
    /// A field that ends at a mark instead of having a length, which ONNX has none of. The decoder passes over it.
    Group,
}

/// Refuses a file of too many parts. Damage is left for the decoder to report.
pub(super) fn check(file: &[u8]) -> Result<(), String> {
    match count(Kind::Model, file, &mut { MOST_MESSAGES }) {
        Ok(()) | Err(Stop::Damage) => Ok(()),
        Err(Stop::TooMany) => Err(format!("the model has more than {MOST_MESSAGES} parts")),
        Err(Stop::Group) => Err("expected an ONNX model, found a group of fields in it".into()),
    }
}

/// Counts the messages inside one.
fn count(kind: Kind, mut bytes: &[u8], left: &mut usize) -> Result<(), Stop> {
    while !bytes.is_empty() {
        let key = varint(&mut bytes).ok_or(Stop::Damage)?;
        match key & 7 {
            0 => drop(varint(&mut bytes).ok_or(Stop::Damage)?),
            1 => bytes = bytes.get(8..).ok_or(Stop::Damage)?,
            5 => bytes = bytes.get(4..).ok_or(Stop::Damage)?,
            2 => {
                let length = varint(&mut bytes).and_then(|length| usize::try_from(length).ok());
                let parts = length.and_then(|length| bytes.split_at_checked(length));
                let (inside, rest) = parts.ok_or(Stop::Damage)?;
                bytes = rest;
                if let Some(kind) = kind.field(key >> 3) {
                    *left = left.checked_sub(1).ok_or(Stop::TooMany)?;
                    // Messages nest no deeper than the kinds do.
                    if !matches!(kind, Kind::Leaf) {
                        count(kind, inside, left)?;
                    }
                }
            }
            3 | 4 => return Err(Stop::Group),
            _ => return Err(Stop::Damage),
        }
    }
    Ok(())
}

/// The number that the bytes begin with, seven bits each.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 127).checked_shl(shift)?;
        if byte < 128 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::onnx::proto::ModelProto;

    /// A field of bytes.
    fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
        let mut field = vec![tag << 3 | 2];
        let mut length = bytes.len();
        while length >= 128 {
            field.push((length & 127 | 128) as u8);
            length >>= 7;
        }
        field.push(length as u8);
        [field, bytes.to_vec()].concat()
    }

    #[test]
    fn too_many_parts_are_refused_before_they_are_decoded() {
        let nodes = field(1, &[]).repeat(MOST_MESSAGES);
        assert_eq!(check(&field(7, &nodes[2..])), Ok(()));
        let refusal = check(&field(7, &nodes)).unwrap_err();
        assert_eq!(refusal, "the model has more than 2000000 parts");
    }

    #[test]
    fn bytes_of_tensors_count_nothing() {
        let raw = field(9, &field(1, &[]).repeat(MOST_MESSAGES));
        assert_eq!(check(&field(7, &field(5, &raw))), Ok(()));
    }

    #[test]
    fn groups_do_not_end_the_count() {
        // The decoder would go on behind them.
        let group = [15 << 3 | 3, 15 << 3 | 4];
        assert_eq!(ModelProto::decode(&group[..]), Ok(ModelProto::default()));
        let nodes = field(1, &[]).repeat(MOST_MESSAGES);
        for hidden in [[&group, &field(7, &nodes)[..]].concat(), field(7, &[&group, &nodes[..]].concat())] {
            assert_eq!(check(&hidden).unwrap_err(), "expected an ONNX model, found a group of fields in it");
        }
    }

    #[test]
    fn damage_is_left_to_the_decoder() {
        for damaged in [&[0x3a_u8][..], &[0x3a, 5, 1], &[0x3a, 0xff, 0xff], &[7]] {
            assert_eq!(check(damaged), Ok(()));
        }
    }
}
