//! The slots of both arenas as constants.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::Context;
use super::literal::int;
use crate::plan::storage::BufferId;
use crate::plan::{Buffer, Plan, Purpose};

/// One of the two arenas, each with a plan of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arena {
    /// Inference.
    Infer,
    /// Training.
    Train,
}

impl Context<'_> {
    /// The plan of an arena.
    pub fn plan(&self, arena: Arena) -> &Plan {
        match arena {
            Arena::Infer => &self.compiled.infer,
            Arena::Train => &self.compiled.train,
        }
    }

    /// The path of a buffer's slot: `train::CONV1`, `grad::CONV1`.
    pub fn slot(&self, arena: Arena, buffer: BufferId) -> TokenStream {
        let (module, name) = self.place(arena, self.plan(arena).buffers[buffer].purpose);
        let module = format_ident!("{module}");
        quote!(#module::#name)
    }

    /// What a slot is called: the module that it stands in, and its name there.
    fn place(&self, arena: Arena, purpose: Purpose) -> (&'static str, Ident) {
        let value = |value: usize| match value {
            0 => format_ident!("INPUT"),
            node => self.nodes[node - 1].clone(),
        };
        match purpose {
            Purpose::Value(of) if arena == Arena::Infer => ("infer", value(of)),
            Purpose::Value(of) => ("train", value(of)),
            Purpose::Gradient(of) => ("grad", value(of)),
            Purpose::Saved { node, part } => ("saved", format_ident!("{}_{}", self.nodes[node], part.to_uppercase())),
            Purpose::Scratch(node) if arena == Arena::Infer => ("infer_scratch", self.nodes[node].clone()),
            Purpose::Scratch(node) => ("scratch", self.nodes[node].clone()),
        }
    }
}

/// The modules of slots, a constant per buffer.
pub fn modules(context: &Context<'_>) -> TokenStream {
    let modules = ["infer", "infer_scratch", "train", "grad", "saved", "scratch"].map(|module| {
        let slots = [Arena::Infer, Arena::Train].into_iter().flat_map(|arena| slots_of(context, arena, module));
        let slots: Vec<TokenStream> = slots.collect();
        let module = format_ident!("{module}");
        if slots.is_empty() {
            return quote!();
        }
        quote! {
            mod #module {
                use ::cnn_runtime::__v1::Slot;
                #(#slots)*
            }
        }
    });
    quote!(#(#modules)*)
}

fn slots_of<'a>(context: &'a Context<'_>, arena: Arena, module: &str) -> impl Iterator<Item = TokenStream> + 'a {
    let module = module.to_owned();
    context.plan(arena).buffers.iter().filter_map(move |buffer| {
        let (own, name) = context.place(arena, buffer.purpose);
        let slot = slot(buffer);
        (own == module).then(|| quote!(pub(super) const #name: Slot = #slot;))
    })
}

fn slot(buffer: &Buffer) -> TokenStream {
    let (offset, len) = (int(buffer.offset), int(buffer.len));
    if buffer.fixed { quote!(Slot::fixed(#offset, #len)) } else { quote!(Slot::batch(#offset, #len)) }
}

/// The constants `INFER` and `TRAIN`.
pub fn plans(context: &Context<'_>) -> TokenStream {
    let plans = [(Arena::Infer, "INFER"), (Arena::Train, "TRAIN")].map(|(arena, name)| {
        let (plan, name) = (context.plan(arena), format_ident!("{name}"));
        let (per_sample, fixed) = (int(plan.per_sample), int(plan.fixed));
        let part = context.compiled.part.filter(|_| arena == Arena::Infer).map(int);
        let part = part.map_or(quote!(usize::MAX), |part| quote!(#part));
        let input = context.slot(arena, plan.value[0]);
        let output = context.slot(arena, plan.value[context.graph.nodes.len()]);
        let tape = &context.compiled.tape;
        let [d_output, d_input] = [tape.d_output, tape.d_input].map(|gradient| match arena {
            Arena::Infer => quote!(rt::Slot::batch(0, 0)),
            Arena::Train => context.slot(arena, plan.gradients[gradient]),
        });
        quote! {
            const #name: rt::ArenaPlan = rt::ArenaPlan {
                per_sample: #per_sample,
                fixed: #fixed,
                part: #part,
                input: #input,
                output: #output,
                d_output: #d_output,
                d_input: #d_input,
            };
        }
    });
    quote!(#(#plans)*)
}
