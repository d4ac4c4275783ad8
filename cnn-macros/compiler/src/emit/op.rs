//! What a layer computes, for those who read the emitted graph: the export to other formats.

use proc_macro2::TokenStream;
use quote::quote;

use super::Context;
use super::literal::{self, float};
use crate::ir::Op;

/// A variant of the runtime's `LayerOp`, around the layer's own descriptor where it has one.
pub fn op(context: &Context<'_>, node: usize) -> TokenStream {
    let of = |variant: TokenStream| {
        let descriptor = context.descriptors.get(node);
        quote!(#variant(#descriptor))
    };
    let op = match context.graph.nodes[node].op {
        Op::Conv { .. } => of(quote!(Conv)),
        Op::ConvTranspose { .. } => of(quote!(ConvTranspose)),
        Op::MaxPool { .. } => of(quote!(MaxPool)),
        Op::AvgPool { .. } => of(quote!(AvgPool)),
        Op::Fc { .. } => of(quote!(Fc)),
        Op::Act(act) => {
            let act = literal::act(act);
            quote!(Act(#act))
        }
        Op::Trained { .. } => of(quote!(Trained)),
        Op::Softmax { .. } => of(quote!(Softmax)),
        Op::BatchNorm { .. } => of(quote!(BatchNorm)),
        Op::Lrn { .. } => of(quote!(Lrn)),
        Op::Dropout { rate } => {
            let rate = float(rate);
            quote!(Dropout(#rate))
        }
        Op::Reshape => quote!(Reshape),
        Op::Expand => of(quote!(Expand)),
        Op::Permute(_) => of(quote!(Permute)),
        Op::Add => quote!(Add),
        Op::Concat => quote!(Concat),
        Op::Arith(_) => of(quote!(Join)),
        Op::Pad { .. } => of(quote!(Pad)),
        Op::Upsample { .. } => of(quote!(Upsample)),
        Op::Resize { .. } => of(quote!(Resize)),
    };
    quote!(rt::LayerOp::#op)
}
