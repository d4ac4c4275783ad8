//! What stands in for a network with a mistake, so that code around it meets no second error: the type, its consts and
//! its implementation of `Network`, of the right types and without a computation. It never runs.

use proc_macro2::TokenStream;
use quote::quote;

use super::literal::{int, ints};
use super::{Signature, array_type};
use crate::front::Network;
use crate::ir::{Map, Shape};

/// The inside of the stub's `const _` block.
pub fn block(net: &Network) -> TokenStream {
    let name = &net.name;
    let text = name.to_string();
    let (input, output) = (tame(Shape::Map(net.input)), tame(net.output));
    let (input_type, output_type) = (array_type(input), array_type(output));
    let (input, output) = (ints(&input.dims()), ints(&output.dims()));
    let rank = int(output.len());
    let methods = [&super::INFER, &super::TRAIN_FORWARD, &super::TRAIN_BACKWARD].map(Signature::empty_method);
    let methods: Vec<&TokenStream> = methods.iter().collect();
    let implementation = super::implementation(name, &input_type, &output_type, &methods);
    quote! {
        const NOTHING: rt::Slot = rt::Slot::batch(0, 0);
        const PLAN: rt::ArenaPlan = rt::ArenaPlan {
            per_sample: 0,
            fixed: 0,
            part: usize::MAX,
            input: NOTHING,
            output: NOTHING,
            d_output: NOTHING,
            d_input: NOTHING,
        };
        static INFO: rt::NetInfo = rt::NetInfo {
            name: #text,
            input: #name::INPUT,
            output: &#name::OUTPUT,
            params: 0,
            macs: 0,
            layers: &[],
            tensors: &[],
            param_floats: 0,
            state_floats: 0,
            infer: PLAN,
            train: PLAN,
            summary: "",
            dot: "",
            mermaid: "",
            hash: 0,
            weights: None,
        };
        #[doc(hidden)]
        impl #name {
            pub const INPUT: [usize; 3] = [#(#input),*];
            pub const OUTPUT: [usize; #rank] = [#(#output),*];
            pub const PARAMS: usize = 0;
            pub const MACS: u64 = 0;
            pub const LAYERS: &'static [rt::LayerInfo] = &[];
            pub const SUMMARY: &'static str = "";
            pub const DOT: &'static str = "";
            pub const MERMAID: &'static str = "";
            pub const HASH: u64 = 0;
            pub const fn infer_bytes(batch: usize) -> usize {
                0
            }
            pub const fn train_bytes(batch: usize) -> usize {
                0
            }
        }
        #implementation
    }
}

/// The shape, unless rustc itself would refuse an array of that size: that would be a second error.
fn tame(shape: Shape) -> Shape {
    match shape {
        Shape::Map(map) if map.len() > LARGEST => Shape::Map(Map { c: 1, h: 1, w: 1 }),
        Shape::Flat(features) if features > LARGEST => Shape::Flat(1),
        shape => shape,
    }
}

/// Elements of the largest value that a network may have.
const LARGEST: usize = 1 << 31;
