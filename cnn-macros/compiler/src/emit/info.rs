//! What the emitted type tells about itself: its consts, its `NetInfo`, its documentation.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use super::literal::{int, ints};
use super::op::op;
use super::{Context, weights};
use crate::compile::Compiled;
use crate::dump;
use crate::front::Network;
use crate::ir::{Cost, Graph, Map, Op, ValueId};
use crate::layout::{Role, Tensor};

/// The summary table as a doc comment, to follow the user's own.
pub fn docs(net: &Network, graph: &Graph, compiled: &Compiled) -> TokenStream {
    let table = summary(net, graph, compiled);
    // The space that a written `///` has before its text.
    let lines = table.lines().map(|line| format!(" {line}"));
    quote! {
        #[doc = ""]
        #[doc = " ```text"]
        #(#[doc = #lines])*
        #[doc = " ```"]
    }
}

fn summary(net: &Network, graph: &Graph, compiled: &Compiled) -> String {
    let Compiled { layout, infer, train, .. } = compiled;
    dump::summary(&net.name.to_string(), graph, layout, infer, train)
}

/// The consts of the type and the static `INFO`.
pub fn items(net: &Network, context: &Context<'_>) -> TokenStream {
    let name = &net.name;
    let consts = consts(net, context);
    let tensors = tensors(context);
    let text = name.to_string();
    let weights = weights::info(net);
    let Map { c, h, w } = context.graph.input;
    let (input, output) = (ints(&[c, h, w]), ints(&context.graph.output().dims()));
    let layout = &context.compiled.layout;
    let (param_floats, state_floats) = (int(layout.param_floats), int(layout.state_floats));
    quote! {
        #consts
        const TENSORS: &[rt::TensorInfo] = &[#(#tensors),*];
        static INFO: rt::NetInfo = rt::NetInfo {
            name: #text,
            input: [#(#input),*],
            output: &[#(#output),*],
            params: #name::PARAMS,
            macs: #name::MACS,
            layers: #name::LAYERS,
            tensors: TENSORS,
            param_floats: #param_floats,
            state_floats: #state_floats,
            infer: INFER,
            train: TRAIN,
            summary: #name::SUMMARY,
            dot: #name::DOT,
            mermaid: #name::MERMAID,
            hash: #name::HASH,
            weights: #weights,
        };
    }
}

fn consts(net: &Network, context: &Context<'_>) -> TokenStream {
    let Context { graph, compiled, .. } = context;
    let name = &net.name;
    let Map { c, h, w } = graph.input;
    let (input, output) = (ints(&[c, h, w]), ints(&graph.output().dims()));
    let rank = int(output.len());
    let Cost { params, macs } = graph.cost();
    let (params, macs) = (Literal::u64_unsuffixed(params), Literal::u64_unsuffixed(macs));
    let layers = (0..graph.nodes.len()).map(|node| layer(context, node));
    let summary = summary(net, graph, compiled);
    let (dot, mermaid) = (dump::dot(&name.to_string(), graph), dump::mermaid(graph));
    let hash = Literal::u64_unsuffixed(dump::hash(graph));
    let param_floats = int(compiled.layout.param_floats);
    quote! {
        #[automatically_derived]
        impl #name {
            /// Channels, height and width of one input sample.
            pub const INPUT: [usize; 3] = [#(#input),*];
            /// The shape of one output sample.
            pub const OUTPUT: [usize; #rank] = [#(#output),*];
            /// The number of trainable parameters.
            pub const PARAMS: usize = #params;
            /// Multiply-accumulates of one forward pass of one sample.
            pub const MACS: u64 = #macs;
            /// The layers in execution order.
            pub const LAYERS: &'static [rt::LayerInfo] = &[#(#layers),*];
            /// A table of layers, shapes, parameters and multiply-accumulates.
            pub const SUMMARY: &'static str = #summary;
            /// The graph in Graphviz's language.
            pub const DOT: &'static str = #dot;
            /// The graph in Mermaid's language.
            pub const MERMAID: &'static str = #mermaid;
            /// A hash of the architecture, stable between builds.
            pub const HASH: u64 = #hash;
            /// Bytes of the memory in which batches of up to `batch` samples are inferred.
            pub const fn infer_bytes(batch: usize) -> usize {
                4 * INFER.floats(batch)
            }
            /// Bytes of the memory in which batches of up to `batch` samples are trained, gradients included.
            pub const fn train_bytes(batch: usize) -> usize {
                4 * (TRAIN.floats(batch) + #param_floats)
            }
        }
    }
}

fn layer(context: &Context<'_>, node: usize) -> TokenStream {
    let op = op(context, node);
    let node = &context.graph.nodes[node];
    let (name, text) = (&node.name, &node.text);
    let read = |&value: &ValueId| match value {
        0 => quote!(usize::MAX),
        node => {
            let node = int(node - 1);
            quote!(#node)
        }
    };
    let inputs = node.inputs.iter().map(read);
    let output = ints(&node.output.dims());
    let (params, macs) = (Literal::u64_unsuffixed(node.cost.params), Literal::u64_unsuffixed(node.cost.macs));
    quote! {
        rt::LayerInfo {
            name: #name,
            text: #text,
            op: #op,
            inputs: &[#(#inputs),*],
            output: &[#(#output),*],
            params: #params,
            macs: #macs,
        }
    }
}

fn tensors(context: &Context<'_>) -> Vec<TokenStream> {
    let info = |tensor: &Tensor| {
        let name = format!("{}.{}", context.graph.nodes[tensor.node].name, tensor.role.suffix());
        let shape = ints(&tensor.shape);
        let [offset, fan_in, fan_out] = [tensor.offset, tensor.fan_in, tensor.fan_out].map(int);
        let role = role(tensor.role);
        let descriptor = || context.descriptors.get(tensor.node);
        let layout = match (context.graph.nodes[tensor.node].op, tensor.role) {
            (Op::Conv { .. }, Role::Weight) => {
                let d = descriptor();
                quote!(of_conv(&#d))
            }
            (Op::ConvTranspose { .. }, Role::Weight) => {
                let d = descriptor();
                quote!(of_conv_transpose(&#d))
            }
            (Op::Fc { .. }, Role::Weight) => {
                let d = descriptor();
                quote!(of_fc(&#d))
            }
            _ => quote!(Plain),
        };
        quote! {
            rt::TensorInfo {
                name: #name,
                shape: &[#(#shape),*],
                offset: #offset,
                fan_in: #fan_in,
                fan_out: #fan_out,
                role: rt::Role::#role,
                layout: rt::Layout::#layout,
            }
        }
    };
    context.compiled.layout.tensors.iter().map(info).collect()
}

fn role(role: Role) -> Ident {
    let name = match role {
        Role::Weight => "Weight",
        Role::Bias => "Bias",
        Role::Scale => "Scale",
        Role::Shift => "Shift",
        Role::Slope => "Slope",
        Role::RunningMean => "RunningMean",
        Role::RunningVar => "RunningVar",
    };
    quote::format_ident!("{name}")
}
