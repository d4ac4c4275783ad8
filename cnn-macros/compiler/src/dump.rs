//! What a network tells about itself: a table, two drawings, and a hash.

use std::fmt::Write as _;

use crate::ir::{Apply, Arith, Cost, Fill, Graph, Op, Window};
use crate::layout::Layout;
use crate::op::thousands;
use crate::plan::Plan;

/// A table of layers, output shapes, parameters and multiply-accumulates, and the memory that the network needs.
pub fn summary(name: &str, graph: &Graph, layout: &Layout, infer: &Plan, train: &Plan) -> String {
    let mut rows = vec![["layer", "operation", "output", "params", "macs"].map(String::from)];
    rows.push(["input".into(), String::new(), graph.input.to_string(), String::new(), String::new()]);
    let count = |count: u64| if count == 0 { String::new() } else { thousands(count) };
    for node in &graph.nodes {
        let (output, Cost { params, macs }) = (node.output.to_string(), node.cost);
        rows.push([node.name.clone(), node.text.clone(), output, count(params), count(macs)]);
    }
    let Cost { params, macs } = graph.cost();
    rows.push(["total".into(), String::new(), String::new(), thousands(params), thousands(macs)]);

    let mut text = format!("{name}: {} -> {}\n\n", graph.input, graph.output());
    table(&mut text, &rows);
    let params = bytes(4 * (layout.param_floats + layout.state_floats));
    let [infer, train] = [infer, train].map(memory);
    let _ = write!(text, "\nparameters {params}; activations {infer} at inference, {train} in training");
    text
}

/// The part of an arena that grows with the batch, and the one that does not, as rearranged weights and statistics do not.
fn memory(plan: &Plan) -> String {
    let each = format!("{} per image", bytes(4 * plan.per_sample));
    if plan.fixed == 0 { each } else { format!("{each} and {} for any batch", bytes(4 * plan.fixed)) }
}

/// Text left, numbers right, two spaces between the columns, none at the end of a line.
fn table(text: &mut String, rows: &[[String; 5]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [name, operation, output, params, macs] = std::array::from_fn(width);
    for row in rows {
        let line = format!(
            "{:name$}  {:operation$}  {:output$}  {:>params$}  {:>macs$}",
            row[0], row[1], row[2], row[3], row[4]
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn bytes(count: usize) -> String {
    match count as f64 {
        count if count >= 1024.0 * 1024.0 * 1024.0 => format!("{:.2} GiB", count / (1024.0 * 1024.0 * 1024.0)),
        count if count >= 1024.0 * 1024.0 => format!("{:.1} MiB", count / (1024.0 * 1024.0)),
        count => format!("{:.1} KiB", count / 1024.0),
    }
}

/// The graph in Graphviz's language.
pub fn dot(name: &str, graph: &Graph) -> String {
    // In quotes, because a name may be a word of the language, or a raw one of Rust's.
    let mut text =
        format!("digraph \"{name}\" {{\n    node [shape=box];\n    v0 [label=\"input\\n{}\"];\n", graph.input);
    for (index, node) in graph.nodes.iter().enumerate() {
        let (value, label) = (index + 1, label(&node.name, &node.text));
        let _ = writeln!(text, "    v{value} [label=\"{label}\\n{}\"];", node.output);
        for input in &node.inputs {
            let _ = writeln!(text, "    v{input} -> v{value};");
        }
    }
    text + "}\n"
}

/// The graph in Mermaid's language.
pub fn mermaid(graph: &Graph) -> String {
    let mut text = format!("flowchart TD\n    v0[\"input<br/>{}\"]\n", graph.input);
    for (index, node) in graph.nodes.iter().enumerate() {
        let (value, label) = (index + 1, label(&node.name, &node.text).replace("\\n", "<br/>"));
        let _ = writeln!(text, "    v{value}[\"{label}<br/>{}\"]", node.output);
        for input in &node.inputs {
            let _ = writeln!(text, "    v{input} --> v{value}");
        }
    }
    text
}

/// Neither a name nor the text of a layer has a quote or a backslash in it; should one ever, it is left out.
fn label(name: &str, text: &str) -> String {
    let plain = |text: &str| text.replace(['"', '\\'], "");
    format!("{}\\n{}", plain(name), plain(text))
}

/// A hash of the architecture: FNV-1a over a text of operations, options, edges and shapes. Names do not count, and
/// nothing that changes between builds does; nor does `direct`, with which the same is computed in another way.
pub fn hash(graph: &Graph) -> u64 {
    let mut text = graph.input.to_string();
    for node in &graph.nodes {
        let _ = write!(text, ";{}{:?}->{}", canonical(node.op), node.inputs, node.output);
    }
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Floats are written as their bits.
fn canonical(op: Op) -> String {
    let window = |w: Window| format!("{:?},{:?},{:?},{:?}", w.kernel, w.stride, w.dilation, w.pad);
    match op {
        Op::Conv { window: w, groups, bias, .. } => format!("conv({},{groups},{bias})", window(w)),
        Op::ConvTranspose { window: w, groups, bias, .. } => format!("conv_transpose({},{groups},{bias})", window(w)),
        Op::MaxPool { window: w } => format!("max_pool({})", window(w)),
        Op::AvgPool { window: w, counted } if counted == w.pad => format!("avg_pool({})", window(w)),
        Op::AvgPool { window: w, counted } => format!("avg_pool({},{counted:?})", window(w)),
        Op::Fc { bias } => format!("fc({bias})"),
        Op::Act(act) => activation(act),
        Op::Trained { apply, tensor } => {
            let name = match apply {
                Apply::Slope => "prelu",
                Apply::Scale => "scale",
                Apply::Shift => "shift",
            };
            format!("{name}({:?})", tensor.dims())
        }
        Op::Softmax { log } => format!("softmax({log})"),
        Op::BatchNorm { eps, momentum } => format!("bn({},{})", eps.to_bits(), momentum.to_bits()),
        Op::Lrn { size, alpha, beta, k } => {
            format!("lrn({size},{},{},{})", alpha.to_bits(), beta.to_bits(), k.to_bits())
        }
        Op::Dropout { rate } => format!("dropout({})", rate.to_bits()),
        // The shape stands behind it.
        Op::Reshape => "flatten".into(),
        Op::Expand => "expand".into(),
        Op::Permute(order) => format!("permute({order:?})"),
        Op::Add => "add".into(),
        Op::Concat => "concat".into(),
        Op::Arith(Arith::Mul) => "mul".into(),
        Op::Arith(Arith::Sub) => "sub".into(),
        Op::Arith(Arith::Div) => "div".into(),
        Op::Pad { pad, fill: Fill::Constant(0.0) } => format!("pad({pad:?})"),
        Op::Pad { pad, fill: Fill::Constant(value) } => format!("pad({pad:?},{})", value.to_bits()),
        Op::Pad { pad, fill: Fill::Reflect } => format!("pad({pad:?},reflect)"),
        Op::Pad { pad, fill: Fill::Edge } => format!("pad({pad:?},edge)"),
        Op::Resize { sampling, coordinates, scale } => {
            let how = match sampling {
                crate::ir::Sampling::Nearest(rounding) => rounding.word(),
                crate::ir::Sampling::Bilinear => "bilinear",
            };
            format!("resize({how},{},{:?})", coordinates.word(), scale.map(|scale| scale.map(f32::to_bits)))
        }
        Op::Upsample { scale, resample } => {
            let how = match resample {
                crate::ir::Resample::Nearest => "nearest",
                crate::ir::Resample::Bilinear => "bilinear",
            };
            format!("upsample({scale:?},{how})")
        }
    }
}

fn activation(act: crate::ir::Act) -> String {
    use crate::ir::Act;
    match act {
        Act::Relu => "relu".into(),
        Act::LeakyRelu(slope) => format!("leaky_relu({})", slope.to_bits()),
        Act::Relu6 => "relu6".into(),
        Act::Elu(alpha) => format!("elu({})", alpha.to_bits()),
        Act::Gelu => "gelu".into(),
        Act::Silu => "silu".into(),
        Act::HardSwish => "hardswish".into(),
        Act::Tanh => "tanh".into(),
        Act::Sigmoid => "sigmoid".into(),
        Act::Selu { alpha, gamma } => format!("selu({},{})", alpha.to_bits(), gamma.to_bits()),
        Act::Clip { lo, hi } => format!("clip({},{})", lo.to_bits(), hi.to_bits()),
        Act::HardSigmoid { alpha, beta } => format!("hardsigmoid({},{})", alpha.to_bits(), beta.to_bits()),
        Act::GeluTanh => "gelu(tanh)".into(),
        Act::Affine { mul, add } => format!("affine({},{})", mul.to_bits(), add.to_bits()),
        Act::Reciprocal => "reciprocal".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::{Compiled, compile};
    use crate::ir::Act;
    use crate::testing::{Builder, lenet5};

    fn small() -> Graph {
        let mut net = Builder::new(3, 4, 4);
        let x = net.conv(0, 4, 3, 1, 1, 1);
        let y = net.relu(x);
        let x = net.add(&[x, y]);
        net.fc(x, 5);
        net.graph().clone()
    }

    #[test]
    fn the_summary_is_a_table_with_totals() {
        let graph = small();
        let Compiled { layout, infer, train, .. } = compile(&graph);
        let text = summary("Small", &graph, &layout, &infer, &train);
        let expected = "\
Small: 3x4x4 -> 5

layer  operation  output  params   macs
input             3x4x4
conv1  conv       4x4x4      112  1,728
act1   act        4x4x4
add1   add        4x4x4
fc1    fc         5          325    320
total                        437  2,048

parameters 1.8 KiB; activations 0.5 KiB per image at inference, 1.0 KiB per image and 0.4 KiB for any batch in training";
        assert_eq!(text, expected);
    }

    #[test]
    fn drawings_have_a_line_per_layer_and_edge() {
        let graph = small();
        let dot = dot("Small", &graph);
        assert!(dot.starts_with("digraph \"Small\" {\n    node [shape=box];\n    v0 [label=\"input\\n3x4x4\"];\n"));
        assert!(dot.contains("    v3 [label=\"add1\\nadd\\n4x4x4\"];\n    v1 -> v3;\n    v2 -> v3;\n"));
        let mermaid = mermaid(&graph);
        assert!(mermaid.contains("    v3[\"add1<br/>add<br/>4x4x4\"]\n    v1 --> v3\n    v2 --> v3\n"));
    }

    #[test]
    fn the_hash_is_of_the_architecture_and_stable() {
        let mut renamed = lenet5();
        renamed.nodes[0].name = "stem".into();
        assert_eq!(hash(&renamed), hash(&lenet5()));
        let mut changed = lenet5();
        changed.nodes[1].op = Op::Act(Act::LeakyRelu(0.01));
        assert_ne!(hash(&changed), hash(&lenet5()));
        // FNV-1a of the text `1x2x3`.
        assert_eq!(hash(Builder::new(1, 2, 3).graph()), 0xc1ad_7b1f_5fd5_658f);
    }
}
