//! Small pieces of tokens: numbers, constants' names, descriptors' common fields.

use std::collections::HashMap;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};

use crate::ir::{Act, Apply, Arith, Coordinates, Fill, Map, Resample, Rounding, Sampling, Window};
use crate::plan::order::Order;

/// Integers without a suffix.
pub fn int(value: usize) -> Literal {
    Literal::usize_unsuffixed(value)
}

/// Integers without a suffix.
pub fn ints(values: &[usize]) -> Vec<Literal> {
    values.iter().map(|&value| int(value)).collect()
}

/// A float as the shortest literal that reads back as the same value.
pub fn float(value: f32) -> TokenStream {
    if !value.is_finite() {
        let bits = Literal::u32_unsuffixed(value.to_bits());
        return quote!(f32::from_bits(#bits));
    }
    let magnitude = Literal::f32_unsuffixed(value.abs());
    if value.is_sign_negative() { quote!(-#magnitude) } else { quote!(#magnitude) }
}

pub fn map(Map { c, h, w }: Map, order: Order) -> TokenStream {
    let (c, h, w) = (int(c), int(h), int(w));
    match order {
        Order::Nchw => quote!(rt::Map::new(#c, #h, #w)),
        Order::Nchw16c => quote!(rt::Map::blocked(#c, #h, #w)),
        Order::Chwn16 => quote!(rt::Map::batched(#c, #h, #w)),
    }
}

pub fn order(order: Order) -> TokenStream {
    match order {
        Order::Nchw => quote!(rt::Order::Nchw),
        Order::Nchw16c => quote!(rt::Order::Nchw16c),
        Order::Chwn16 => quote!(rt::Order::Chwn16),
    }
}

pub fn window(window: Window) -> TokenStream {
    let [kernel, stride, dilation] = [window.kernel, window.stride, window.dilation].map(|pair| ints(&pair));
    let pad = ints(&window.pad);
    quote! {
        rt::Window {
            kernel: [#(#kernel),*],
            stride: [#(#stride),*],
            dilation: [#(#dilation),*],
            pad: [#(#pad),*],
        }
    }
}

pub fn act(act: Act) -> TokenStream {
    match act {
        Act::Relu => quote!(rt::Act::Relu),
        Act::LeakyRelu(slope) => {
            let slope = float(slope);
            quote!(rt::Act::LeakyRelu(#slope))
        }
        Act::Relu6 => quote!(rt::Act::Relu6),
        Act::Elu(alpha) => {
            let alpha = float(alpha);
            quote!(rt::Act::Elu(#alpha))
        }
        Act::Gelu => quote!(rt::Act::Gelu),
        Act::Silu => quote!(rt::Act::Silu),
        Act::HardSwish => quote!(rt::Act::HardSwish),
        Act::Tanh => quote!(rt::Act::Tanh),
        Act::Sigmoid => quote!(rt::Act::Sigmoid),
        Act::Selu { alpha, gamma } => {
            let [alpha, gamma] = [alpha, gamma].map(float);
            quote!(rt::Act::Selu { alpha: #alpha, gamma: #gamma })
        }
        Act::Clip { lo, hi } => {
            let [lo, hi] = [lo, hi].map(float);
            quote!(rt::Act::Clip { lo: #lo, hi: #hi })
        }
        Act::HardSigmoid { alpha, beta } => {
            let [alpha, beta] = [alpha, beta].map(float);
            quote!(rt::Act::HardSigmoid { alpha: #alpha, beta: #beta })
        }
        Act::GeluTanh => quote!(rt::Act::GeluTanh),
        Act::Affine { mul, add } => {
            let [mul, add] = [mul, add].map(float);
            quote!(rt::Act::Affine { mul: #mul, add: #add })
        }
        Act::Reciprocal => quote!(rt::Act::Reciprocal),
    }
}

pub fn arith(arith: Arith) -> TokenStream {
    match arith {
        Arith::Mul => quote!(rt::Arith::Mul),
        Arith::Sub => quote!(rt::Arith::Sub),
        Arith::Div => quote!(rt::Arith::Div),
    }
}

pub fn apply(apply: Apply) -> TokenStream {
    match apply {
        Apply::Slope => quote!(rt::Apply::Slope),
        Apply::Scale => quote!(rt::Apply::Scale),
        Apply::Shift => quote!(rt::Apply::Shift),
    }
}

pub fn fill(fill: Fill) -> TokenStream {
    match fill {
        Fill::Constant(value) => {
            let value = float(value);
            quote!(rt::Fill::Constant(#value))
        }
        Fill::Reflect => quote!(rt::Fill::Reflect),
        Fill::Edge => quote!(rt::Fill::Edge),
    }
}

pub fn sampling(sampling: Sampling) -> TokenStream {
    match sampling {
        Sampling::Nearest(Rounding::PreferFloor) => quote!(rt::Sampling::Nearest(rt::Rounding::PreferFloor)),
        Sampling::Nearest(Rounding::PreferCeil) => quote!(rt::Sampling::Nearest(rt::Rounding::PreferCeil)),
        Sampling::Nearest(Rounding::Floor) => quote!(rt::Sampling::Nearest(rt::Rounding::Floor)),
        Sampling::Nearest(Rounding::Ceil) => quote!(rt::Sampling::Nearest(rt::Rounding::Ceil)),
        Sampling::Bilinear => quote!(rt::Sampling::Bilinear),
    }
}

pub fn coordinates(coordinates: Coordinates) -> TokenStream {
    match coordinates {
        Coordinates::HalfPixel => quote!(rt::Coordinates::HalfPixel),
        Coordinates::Asymmetric => quote!(rt::Coordinates::Asymmetric),
        Coordinates::AlignCorners => quote!(rt::Coordinates::AlignCorners),
        Coordinates::PytorchHalfPixel => quote!(rt::Coordinates::PytorchHalfPixel),
    }
}

pub fn resample(resample: Resample) -> TokenStream {
    match resample {
        Resample::Nearest => quote!(rt::Resample::Nearest),
        Resample::Bilinear => quote!(rt::Resample::Bilinear),
    }
}

/// Hands out names of constants, each once.
#[derive(Debug, Default)]
pub struct Names {
    /// Of each name how many have been made of it.
    taken: HashMap<String, usize>,
}

impl Names {
    /// Names beside those in `reserved`.
    pub fn beside(reserved: &[&str]) -> Self {
        Names { taken: reserved.iter().map(|&name| (name.to_owned(), 1)).collect() }
    }

    /// `basic2.conv1` as `BASIC2_CONV1`, or with a number behind it where that name is taken.
    pub fn constant(&mut self, text: &str) -> Ident {
        let plain = |ch: char| if ch.is_ascii_alphanumeric() { ch.to_ascii_uppercase() } else { '_' };
        let mut name: String = text.chars().map(plain).collect();
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            name.insert(0, 'L');
        }
        let mut unique = name.clone();
        while self.taken.contains_key(&unique) {
            let count = self.taken.entry(name.clone()).or_insert(1);
            *count += 1;
            unique = format!("{name}_{count}");
        }
        self.taken.insert(unique.clone(), 1);
        format_ident!("{unique}", span = Span::call_site())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_read_back() {
        let texts = [0.01, -0.5, 1e-5, 6.0, f32::INFINITY].map(|value| float(value).to_string());
        assert_eq!(texts, ["0.01", "- 0.5", "0.00001", "6.0", "f32 :: from_bits (2139095040)"]);
    }

    /// Were each number tried, this would take minutes.
    #[test]
    fn many_names_that_look_alike_are_counted() {
        let mut names = Names::default();
        let last = (0..30_000).map(|_| names.constant("größe")).last();
        assert_eq!(last.expect("many").to_string(), "GR__E_30000");
    }

    #[test]
    fn constants_are_unique_and_valid() {
        let mut names = Names::beside(&["INFO"]);
        let made =
            ["conv1", "a.b", "a_b", "A_B", "info", "1x", "größe", "_"].map(|text| names.constant(text).to_string());
        assert_eq!(made, ["CONV1", "A_B", "A_B_2", "A_B_3", "INFO_2", "L1X", "GR__E", "L_"]);
    }
}
