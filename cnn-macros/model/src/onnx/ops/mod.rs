//! The operators, a file a family: each turns a node into layers, or into a constant.

mod act;
mod arithmetic;
mod dense;
mod fold;
mod norm;
mod order;
mod pad;
mod reduce;
mod resize;
mod shape;
mod window;

use super::import::{Live, Node, Value};
use super::net::ValueId;
use crate::text::{full, number, short, sides};

/// What a node's first output is.
pub(super) fn apply(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let operator = node.proto.op_type.as_str();
    let is_constant = |index: usize| matches!(node.value(index), Ok(Value::Constant(_)));
    if (0..node.proto.input.len()).all(|index| !node.has(index) || is_constant(index)) {
        return fold::fold(node).map(Value::Constant);
    }
    match operator {
        "Conv" => window::conv(node),
        "ConvTranspose" => window::conv_transpose(node),
        "MaxPool" => window::max_pool(node),
        "AveragePool" => window::average_pool(node),
        "GlobalAveragePool" => window::global(node, "avgpool"),
        "GlobalMaxPool" => window::global(node, "pool"),
        "BatchNormalization" => norm::batch_normalization(node),
        "LRN" => norm::lrn(node),
        "Dropout" => norm::dropout(node),
        "Gemm" => dense::gemm(node),
        "MatMul" => dense::matmul(node),
        "Add" | "Sub" | "Mul" | "Div" => arithmetic::apply(node),
        "Sum" => arithmetic::sum(node),
        "Expand" => arithmetic::expand(node),
        "Relu" | "LeakyRelu" | "PRelu" | "Elu" | "Selu" | "Gelu" | "Clip" | "Sigmoid" | "HardSigmoid" | "HardSwish"
        | "Tanh" | "Neg" | "Reciprocal" => act::apply(node),
        "Softmax" => reduce::softmax(node, "softmax"),
        "LogSoftmax" => reduce::softmax(node, "log_softmax"),
        "ReduceMean" => reduce::mean(node),
        "Concat" => order::concat(node),
        "Transpose" => order::transpose(node),
        "Identity" => node.live(0).map(Value::Live),
        "Cast" => shape::cast(node),
        "Flatten" => shape::flatten(node),
        "Reshape" => shape::reshape(node),
        "Squeeze" => shape::squeeze(node),
        "Unsqueeze" => shape::unsqueeze(node),
        "Shape" => shape::shape(node),
        "Pad" => pad::pad(node),
        "Resize" => resize::resize(node),
        "Upsample" => resize::upsample(node),
        _ => Err("this operator cannot be imported".into()),
    }
}

/// A value with the sizes that the model gives it.
fn live(value: ValueId, dims: Vec<usize>) -> Result<Value, String> {
    Ok(Value::Live(Live { value, dims }))
}
