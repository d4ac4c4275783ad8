//! Whole models, built message by message.

mod errors;
mod hostile;
mod layers;

use prost::Message as _;

use super::proto::*;
use super::{Imported, Model};

/// Repeatable random numbers below what is asked for: Knuth's generator (The Art of Computer Programming, section 3.3.4).
pub(super) fn random() -> impl FnMut(usize) -> usize {
    let mut state: u64 = 1;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    }
}

/// A model of opset 17 with the input `x` of these sizes, 0 for an unknown one, and the output `y`.
struct Builder(ModelProto);

/// A node's attribute.
fn attribute(name: &str, value: Attribute) -> AttributeProto {
    let mut proto = AttributeProto { name: name.into(), ..Default::default() };
    match value {
        Attribute::Int(int) => (proto.r#type, proto.i) = (attribute_type::INT, Some(int)),
        Attribute::Ints(ints) => (proto.r#type, proto.ints) = (attribute_type::INTS, ints.to_vec()),
        Attribute::Float(float) => (proto.r#type, proto.f) = (attribute_type::FLOAT, Some(float)),
        Attribute::Text(text) => (proto.r#type, proto.s) = (attribute_type::STRING, Some(text.into())),
    }
    proto
}

enum Attribute {
    Int(i64),
    Ints(&'static [i64]),
    Float(f32),
    Text(&'static str),
}

fn value(name: &str, sizes: &[i64]) -> ValueInfoProto {
    let dim = |&size: &i64| match size {
        0 => DimensionProto { dim_param: Some("N".into()), ..Default::default() },
        size => DimensionProto { dim_value: Some(size), ..Default::default() },
    };
    let shape = TensorShapeProto { dim: sizes.iter().map(dim).collect() };
    let tensor = TensorTypeProto { elem_type: data_type::FLOAT, shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

impl Builder {
    fn new(input: &[i64]) -> Self {
        let graph = GraphProto { input: vec![value("x", input)], output: vec![value("y", &[])], ..Default::default() };
        let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 17 }];
        Builder(ModelProto { graph: Some(graph), opset_import, ..Default::default() })
    }

    fn opset(mut self, version: i64) -> Self {
        self.0.opset_import[0].version = version;
        self
    }

    fn graph(&mut self) -> &mut GraphProto {
        self.0.graph.as_mut().unwrap()
    }

    /// A node called as its operator and its output; several inputs and outputs stand between spaces.
    fn node<const N: usize>(mut self, op: &str, input: &str, output: &str, attributes: [(&str, Attribute); N]) -> Self {
        let list = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        let attribute = attributes.into_iter().map(|(name, value)| attribute(name, value)).collect();
        let (input, output, name) = (list(input), list(output), format!("{op}_{output}"));
        self.graph().node.push(NodeProto { input, output, name, op_type: op.into(), attribute, ..Default::default() });
        self
    }

    /// Weights that count from one.
    fn weight(self, name: &str, dims: &[i64]) -> Self {
        let count = dims.iter().product::<i64>();
        let floats = (1..=count).map(|number| number as f32).collect();
        self.tensor(TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: 1,
            float_data: floats,
            ..Default::default()
        })
    }

    fn ints(self, name: &str, ints: &[i64]) -> Self {
        let raw = ints.iter().flat_map(|int| int.to_le_bytes()).collect::<Vec<u8>>();
        let dims = vec![ints.len() as i64];
        self.tensor(TensorProto {
            name: name.into(),
            dims,
            data_type: 7,
            raw_data: Some(raw.into()),
            ..Default::default()
        })
    }

    fn tensor(mut self, tensor: TensorProto) -> Self {
        self.graph().initializer.push(tensor);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    fn import(&self) -> Result<Imported, super::Error> {
        Model::read(self.bytes(), None)?.import()
    }

    /// The text on one line, without the shape at its end.
    fn text(&self) -> String {
        let text = self.import().unwrap().text;
        let words: Vec<&str> = text.split_whitespace().collect();
        words[..words.len() - 1].join(" ")
    }

    /// The only problem.
    fn problem(&self) -> String {
        let error = self.import().map(|imported| imported.text).unwrap_err();
        assert_eq!(error.problems().len(), 1, "{error}");
        error.problems()[0].clone()
    }
}
