//! Tokens: a struct and its implementation of the runtime's `Network`, in straight lines that call one kernel a layer.
//!
//! Everything but the struct stands in a `const _` block, so that no name leaks into the user's module. Slots of the
//! arenas are constants in the modules `infer`, `infer_scratch`, `train`, `grad`, `saved` and `scratch`, named after the
//! layer that first writes them.

mod backward;
mod descriptor;
mod forward;
mod info;
mod literal;
mod op;
mod slots;
mod stub;
mod weights;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::ast::Weights;
use crate::attrs;
use crate::compile::Compiled;
use crate::front::Network;
use crate::ir::{Graph, Map, Shape};

use descriptor::Descriptors;
use literal::{Names, int};
use slots::Arena;

/// Layers per emitted function. LLVM's work on one function grows faster than its length.
const LAYERS_PER_FUNCTION: usize = 64;

/// Names that the emitted block uses for itself.
const RESERVED: [&str; 6] = ["INFO", "INFER", "TRAIN", "TENSORS", "INPUT", "WEIGHTS"];

/// Types, modules and variants that the emitted block names: a network of one of these names would be hidden by them.
pub const TYPES: [&str; 15] = [
    "bool",
    "f32",
    "str",
    "u8",
    "u64",
    "usize",
    "None",
    "Some",
    "rt",
    "infer",
    "infer_scratch",
    "train",
    "grad",
    "saved",
    "scratch",
];

/// What every emitter reads.
struct Context<'a> {
    graph: &'a Graph,
    compiled: &'a Compiled,
    /// The constant name of each node.
    nodes: Vec<Ident>,
    descriptors: Descriptors,
}

/// The tokens of a network: its items, or the expression that makes an instance.
pub fn network(net: &Network, compiled: Option<&Compiled>) -> TokenStream {
    let (docs, block) = match (&net.graph, compiled) {
        (Some(graph), Some(compiled)) => {
            let mut names = Names::beside(&RESERVED);
            let nodes: Vec<Ident> = graph.nodes.iter().map(|node| names.constant(&node.name)).collect();
            let descriptors = Descriptors::of(graph, &compiled.orders, &nodes, &mut names);
            let context = Context { graph, compiled, nodes, descriptors };
            (info::docs(net, graph, compiled), block(net, &context))
        }
        _ => (quote!(#[doc(hidden)]), stub::block(net)),
    };
    let (attrs, vis, name) = (&net.attrs, &net.vis, &net.name);
    let (conditions, deprecated) = (attrs::conditions(attrs), attrs::deprecated(attrs));
    quote! {
        #(#attrs)*
        #docs
        #vis struct #name {
            params: ::cnn_runtime::Params<#name>,
        }
        #(#conditions)*
        #deprecated
        #[allow(clippy::all, clippy::pedantic)]
        const _: () = {
            use ::cnn_runtime::__v1 as rt;
            use ::cnn_runtime::__v1::names::*;
            #block
        };
    }
}

/// The instance that is the value of an expression: nobody can name its type, to ask for the weights that it embeds.
pub fn instance(net: &Network) -> TokenStream {
    let name = &net.name;
    match &net.weights {
        Some(Weights { embed: true, .. }) => quote!(::core::result::Result::expect(
            <#name as ::cnn_runtime::Network>::pretrained(),
            "the file fitted when it was embedded"
        )),
        _ => quote!(<#name as ::cnn_runtime::Network>::new(0)),
    }
}

fn block(net: &Network, context: &Context<'_>) -> TokenStream {
    let descriptors = &context.descriptors.items;
    let slots = slots::modules(context);
    let plans = slots::plans(context);
    let info = info::items(net, context);
    let weights = weights::item(net);
    let infer = passes(&INFER, &forward::steps(context, Arena::Infer));
    let train = passes(&TRAIN_FORWARD, &forward::steps(context, Arena::Train));
    let backward = passes(&TRAIN_BACKWARD, &backward::steps(context));
    let (input, output) = (array_type(Shape::Map(context.graph.input)), array_type(context.graph.output()));
    let methods = [&infer.method, &train.method, &backward.method];
    let parts = infer.parts.iter().chain(&train.parts).chain(&backward.parts);
    let implementation = implementation(&net.name, &input, &output, &methods);
    quote! {
        #(#descriptors)*
        #slots
        #plans
        #weights
        #info
        #implementation
        #(#parts)*
    }
}

/// `impl rt::Network`, for which `methods` are the three passes.
fn implementation(name: &Ident, input: &TokenStream, output: &TokenStream, methods: &[&TokenStream]) -> TokenStream {
    quote! {
        #[automatically_derived]
        impl rt::Network for #name {
            type Input = #input;
            type Output = #output;
            const INFO: &'static rt::NetInfo = &INFO;
            fn from_params(params: rt::Params<Self>) -> Self {
                #name { params }
            }
            fn params(&self) -> &rt::Params<Self> {
                &self.params
            }
            fn params_mut(&mut self) -> &mut rt::Params<Self> {
                &mut self.params
            }
            #(#methods)*
        }
    }
}

/// `[[[f32; W]; H]; C]`, or `[f32; FEATURES]`.
fn array_type(shape: Shape) -> TokenStream {
    match shape {
        Shape::Map(Map { c, h, w }) => {
            let (c, h, w) = (int(c), int(h), int(w));
            quote!([[[f32; #w]; #h]; #c])
        }
        Shape::Flat(features) => {
            let features = int(features);
            quote!([f32; #features])
        }
    }
}

/// The name and the parameters of a pass.
struct Signature {
    name: &'static str,
    parameters: &'static [(&'static str, &'static str)],
}

const INFER: Signature = Signature {
    name: "infer",
    parameters: &[("p", "&[f32]"), ("s", "&[f32]"), ("frame", "rt::Frame<'_>"), ("arena", "&mut [f32]")],
};

const TRAIN_FORWARD: Signature = Signature {
    name: "train_forward",
    parameters: &[
        ("p", "&[f32]"),
        ("s", "&mut [f32]"),
        ("frame", "rt::Frame<'_>"),
        ("arena", "&mut [f32]"),
        ("seed", "u64"),
    ],
};

const TRAIN_BACKWARD: Signature = Signature {
    name: "train_backward",
    parameters: &[
        ("p", "&[f32]"),
        ("g", "&mut [f32]"),
        ("frame", "rt::Frame<'_>"),
        ("arena", "&mut [f32]"),
        ("seed", "u64"),
        ("want_input", "bool"),
    ],
};

impl Signature {
    fn parameters(&self) -> TokenStream {
        let parameters = self.parameters.iter().map(|(name, kind)| {
            let name = format_ident!("{name}");
            // The text is a constant of this file and lexes.
            let kind: TokenStream = kind.parse().unwrap_or_default();
            quote!(#name: #kind)
        });
        quote!((#(#parameters),*))
    }

    fn empty_method(&self) -> TokenStream {
        let (name, parameters) = (format_ident!("{}", self.name), self.parameters());
        quote!(fn #name #parameters {})
    }

    fn arguments(&self) -> TokenStream {
        let names = self.parameters.iter().map(|(name, _)| format_ident!("{name}"));
        quote!((#(#names),*))
    }
}

/// A pass as a method of the trait, and the functions that a long one is split into.
struct Pass {
    method: TokenStream,
    parts: Vec<TokenStream>,
}

fn passes(signature: &Signature, steps: &[TokenStream]) -> Pass {
    let (name, parameters, arguments) =
        (format_ident!("{}", signature.name), signature.parameters(), signature.arguments());
    if steps.len() <= LAYERS_PER_FUNCTION {
        return Pass { method: quote!(fn #name #parameters { #(#steps)* }), parts: Vec::new() };
    }
    let (mut calls, mut parts) = (Vec::new(), Vec::new());
    for (index, steps) in steps.chunks(LAYERS_PER_FUNCTION).enumerate() {
        let part = format_ident!("{}_{}", signature.name, index + 1);
        calls.push(quote!(#part #arguments;));
        // Inlined into their only caller they would be one long function again.
        parts.push(quote!(#[inline(never)] fn #part #parameters { #(#steps)* }));
    }
    Pass { method: quote!(fn #name #parameters { #(#calls)* }), parts }
}

#[cfg(test)]
mod tests;
