//! The tensors of a network that was written as a model, by the names that it has for them itself.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::constant::{Constant, called, check_axes};
use super::file::Model;
use super::import::Tensor;
use super::proto::TensorProto;
use super::weight::Weight;

/// The key of a model's metadata under which the tensors of its network stand.
pub const TENSORS: &str = "cnn.tensors";

/// What stands there: a line for each tensor, of its name and its sizes in the network. An initialiser has that name,
/// and perhaps more axes.
pub fn list<'a>(tensors: impl IntoIterator<Item = (&'a str, &'a [usize])>) -> String {
    let mut list = String::new();
    for (name, shape) in tensors {
        list += name;
        shape.iter().for_each(|size| write!(list, " {size}").expect("a text takes all"));
        list.push('\n');
    }
    list
}

impl Model {
    /// The tensors of the network that was written as this model, by its own names; `None` if the model does not list
    /// them, or was changed so that they are not in it any more.
    pub fn tensors(&self) -> Option<Vec<Tensor>> {
        let listed = self.proto.metadata_props.iter().find(|entry| entry.key == TENSORS)?;
        let initializers = self.proto.graph.iter().flat_map(|graph| &graph.initializer);
        let mut initializers: HashMap<_, _> = initializers.map(|tensor| (&tensor.name[..], tensor)).collect();
        listed.value.lines().map(|line| self.tensor(line, &mut initializers)).collect()
    }

    /// The tensor of a line, which no other line is of.
    fn tensor(&self, line: &str, initializers: &mut HashMap<&str, &TensorProto>) -> Option<Tensor> {
        let mut words = line.split(' ');
        let name = words.next()?;
        let shape = words.map(|size| size.parse().ok()).collect::<Option<Vec<usize>>>()?;
        check_axes(shape.len()).ok()?;
        let source = Constant::read(initializers.remove(name)?, &self.folder).ok()?;
        // Of other sizes where a tool has, say, turned a matrix.
        let sizes = |shape: &[usize]| shape.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
        if sizes(&shape) != sizes(&source.dims) {
            return None;
        }
        Some(Tensor { name: name.to_owned(), origin: called(name), weight: Weight::new(source, shape).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::proto::{GraphProto, ModelProto, StringStringEntryProto, data_type};
    use prost::Message as _;

    /// The names and shapes that are read of a list, from a model of one tensor of six numbers.
    fn read(list: &str) -> Option<Vec<(String, Vec<usize>)>> {
        let tensor = TensorProto {
            name: "prelu1.weight".into(),
            dims: vec![2, 3, 1],
            data_type: data_type::FLOAT,
            float_data: vec![0.5; 6],
            ..Default::default()
        };
        let graph = Some(GraphProto { initializer: vec![tensor], ..Default::default() });
        let metadata_props = vec![StringStringEntryProto { key: TENSORS.into(), value: list.into() }];
        let model = ModelProto { graph, metadata_props, ..Default::default() };
        let tensors = Model::read(model.encode_to_vec(), None).unwrap().tensors()?.into_iter();
        Some(tensors.map(|tensor| (tensor.name.clone(), tensor.shape().to_vec())).collect())
    }

    #[test]
    fn tensors_are_as_they_are_listed() {
        let list = list([("prelu1.weight", &[2, 3][..])]);
        assert_eq!(list, "prelu1.weight 2 3\n");
        assert_eq!(read(&list), Some(vec![("prelu1.weight".to_owned(), vec![2, 3])]));
    }

    #[test]
    fn a_list_that_is_not_of_the_model_is_none() {
        let axes = format!("prelu1.weight{} 2 3", " 1".repeat(15));
        for list in
            ["prelu1.weight 2 4", "prelu1.weight 3 2", "prelu1.weight 6", "prelu1.weight -2 3", "prelu1.weight  2 3"]
                .into_iter()
                .chain(["conv1.weight 2 3", "", axes.as_str()])
        {
            assert_eq!(read(&format!("{list}\n")), None, "{list}");
        }
        assert_eq!(read("prelu1.weight 2 3\nprelu1.weight 2 3\n"), None);
    }
}
