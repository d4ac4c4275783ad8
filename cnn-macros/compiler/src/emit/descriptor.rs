//! Descriptors: one constant per unique layer, named after the first layer that uses it.

use std::collections::HashMap;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::literal::{self, Names, float, int};
use crate::ir::{Graph, Op, Shape, ValueId, Window};
use crate::plan::order::Order;

/// The descriptors of a network.
#[derive(Debug, Default)]
pub struct Descriptors {
    /// The constants, in the order of first use.
    pub items: Vec<TokenStream>,
    of_node: Vec<Vec<Ident>>,
    known: HashMap<String, Ident>,
}

impl Descriptors {
    /// Makes the descriptors of all nodes, for values in these orders. `nodes` are the constant names of the nodes, all
    /// taken from `names`.
    pub fn of(graph: &Graph, orders: &[Order], nodes: &[Ident], names: &mut Names) -> Self {
        let mut all = Descriptors::default();
        for (index, own) in nodes.iter().enumerate() {
            let parts = describe(graph, orders, index);
            let several = parts.len() > 1;
            let idents = parts.into_iter().enumerate().map(|(part, (kind, value))| {
                let name = |names: &mut Names| {
                    if several { names.constant(&format!("{own}_part{part}")) } else { own.clone() }
                };
                all.intern(&doc(graph, index), &kind, &value, || name(names))
            });
            let idents = idents.collect();
            all.of_node.push(idents);
        }
        all
    }

    /// The descriptor of a node that has one.
    pub fn get(&self, node: usize) -> &Ident {
        &self.of_node[node][0]
    }

    /// The descriptors of the parts of a `concat`.
    pub fn parts(&self, node: usize) -> &[Ident] {
        &self.of_node[node]
    }

    fn intern(&mut self, doc: &str, kind: &TokenStream, value: &TokenStream, name: impl FnOnce() -> Ident) -> Ident {
        let key = format!("{kind} {value}");
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let name = name();
        self.items.push(quote! {
            #[doc = #doc]
            const #name: rt::#kind = rt::#kind #value;
        });
        self.known.insert(key, name.clone());
        name
    }
}

fn doc(graph: &Graph, index: usize) -> String {
    let node = &graph.nodes[index];
    let inputs: Vec<String> = node.inputs.iter().map(|&input| graph.shape(input).to_string()).collect();
    format!(" {}: {} -> {}", node.text, inputs.join(", "), node.output)
}

/// The types and the fields of a node's descriptors.
fn describe(graph: &Graph, orders: &[Order], index: usize) -> Vec<(TokenStream, TokenStream)> {
    let node = &graph.nodes[index];
    let Some(&first) = node.inputs.first() else { return Vec::new() };
    let (input, output) = (graph.shape(first), node.output);
    let one = |kind, fields| vec![(kind, quote!({ #fields }))];
    let map = |value: ValueId| literal::map(graph.shape(value).to_map(), orders[value]);
    let ends = || {
        let (input, output) = (map(first), map(index + 1));
        quote!(input: #input, output: #output)
    };
    match node.op {
        Op::Conv { window, groups, direct, .. } => one(quote!(Conv), conv(ends(), window, groups, direct)),
        Op::ConvTranspose { window, groups, direct, .. } => {
            one(quote!(ConvTranspose), conv(ends(), window, groups, direct))
        }
        Op::MaxPool { window } => pool(ends(), window, window.pad),
        Op::AvgPool { window, counted } => pool(ends(), window, counted),
        Op::Fc { .. } => {
            let (inputs, outputs) = (int(input.len()), int(output.len()));
            one(quote!(Fc), quote!(inputs: #inputs, outputs: #outputs))
        }
        Op::Trained { apply, tensor } => {
            let (input, tensor) = (map(first), literal::map(tensor.to_map(), Order::Nchw));
            let apply = literal::apply(apply);
            one(quote!(Trained), quote!(apply: #apply, input: #input, tensor: #tensor))
        }
        Op::Softmax { log } => {
            let map = map(first);
            one(quote!(Softmax), quote!(map: #map, log: #log))
        }
        Op::BatchNorm { eps, momentum } => batch_norm(input, orders[first], eps, momentum),
        Op::Lrn { size, alpha, beta, k } => {
            let (map, size) = (map(first), int(size));
            let [alpha, beta, k] = [alpha, beta, k].map(float);
            one(quote!(Lrn), quote!(map: #map, size: #size, alpha: #alpha, beta: #beta, k: #k))
        }
        Op::Concat => parts(graph, index),
        Op::Arith(arith) => {
            let [a, b] = [0, 1].map(|input| map(node.inputs[input]));
            let arith = literal::arith(arith);
            one(quote!(Join), quote!(arith: #arith, inputs: [#a, #b]))
        }
        Op::Expand => {
            let ends = ends();
            one(quote!(Expand), quote!(#ends))
        }
        Op::Permute(order) => {
            let (input, order) = (map(first), literal::ints(&order));
            one(quote!(Permute), quote!(input: #input, order: [#(#order),*]))
        }
        Op::Pad { pad, fill } => {
            let fill = literal::fill(fill);
            let (input, pad) = (map(first), literal::ints(&pad));
            one(quote!(Pad), quote!(input: #input, pad: [#(#pad),*], fill: #fill))
        }
        Op::Resize { sampling, coordinates, scale } => {
            let (ends, sampling, coordinates) =
                (ends(), literal::sampling(sampling), literal::coordinates(coordinates));
            let scale = scale.map(|scale| scale.map(float).map_or(quote!(None), |scale| quote!(Some(#scale))));
            let scale = quote!([#(#scale),*]);
            one(quote!(Resize), quote!(#ends, sampling: #sampling, coordinates: #coordinates, scale: #scale))
        }
        Op::Upsample { scale, resample } => {
            let (input, scale) = (map(first), literal::ints(&scale));
            let resample = literal::resample(resample);
            one(quote!(Upsample), quote!(input: #input, scale: [#(#scale),*], resample: #resample))
        }
        Op::Act(_) | Op::Dropout { .. } | Op::Reshape | Op::Add => Vec::new(),
    }
}

fn conv(ends: TokenStream, window: Window, groups: usize, direct: bool) -> TokenStream {
    let (window, groups) = (literal::window(window), int(groups));
    quote!(#ends, window: #window, groups: #groups, direct: #direct)
}

fn pool(ends: TokenStream, window: Window, counted: [usize; 4]) -> Vec<(TokenStream, TokenStream)> {
    let (window, counted) = (literal::window(window), literal::ints(&counted));
    vec![(quote!(Pool), quote!({ #ends, window: #window, counted: [#(#counted),*] }))]
}

fn batch_norm(input: Shape, order: Order, eps: f32, momentum: f32) -> Vec<(TokenStream, TokenStream)> {
    let map = input.to_map();
    let (channels, plane) = (int(map.c), int(map.h * map.w));
    let ([eps, momentum], order) = ([eps, momentum].map(float), literal::order(order));
    vec![(
        quote!(BatchNorm),
        quote!({ channels: #channels, plane: #plane, order: #order, eps: #eps, momentum: #momentum }),
    )]
}

/// Channels come first, single or in whole blocks, so that each branch is one stretch of an output sample.
fn parts(graph: &Graph, index: usize) -> Vec<(TokenStream, TokenStream)> {
    let node = &graph.nodes[index];
    let total = int(node.output.len());
    let mut start = 0;
    let part = |&input: &usize| {
        let len = graph.shape(input).len();
        let (offset, len_token) = (int(start), int(len));
        start += len;
        (quote!(Part), quote!({ offset: #offset, len: #len_token, total: #total }))
    };
    node.inputs.iter().map(part).collect()
}
