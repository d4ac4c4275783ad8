//! The forward passes: per layer the views it works on, then one call.

use std::ops::Range;

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::Context;
use super::literal::{self, float, int};
use super::slots::Arena;
use crate::ir::{Op, ValueId};
use crate::layout::{Role, Tensor};
use crate::plan::fuse::Fusion;
use crate::plan::storage::{BufferId, Exec};

/// The steps of a forward pass, an entry per layer that runs.
pub fn steps(context: &Context<'_>, arena: Arena) -> Vec<TokenStream> {
    let nodes = 0..context.graph.nodes.len();
    nodes.filter_map(|node| Forward { context, arena, node }.step()).collect()
}

impl Context<'_> {
    /// `let [x, y] = frame.views(arena, [infer::INPUT, infer::CONV1]);`, and `let b = &*a;` where a buffer is read by a second
    /// name: it is viewed once.
    pub fn views(&self, arena: Arena, views: &[(&str, BufferId)]) -> TokenStream {
        let (mut names, mut slots, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for (index, &(name, buffer)) in views.iter().enumerate() {
            let name = format_ident!("{name}");
            if let Some((first, _)) = views[..index].iter().find(|(_, other)| *other == buffer) {
                let first = format_ident!("{first}");
                again.push(quote!(let #name = &*#first;));
            } else {
                names.push(name);
                slots.push(self.slot(arena, buffer));
            }
        }
        quote!(let [#(#names),*] = frame.views(arena, [#(#slots),*]); #(#again)*)
    }

    /// A tensor of a node's parameters or statistics: `&p[0..150]`.
    pub fn tensor(&self, node: usize, role: Role) -> TokenStream {
        let range = range(self.compiled.layout.range(node, role).unwrap_or_default());
        if role.is_state() { quote!(&s[#range]) } else { quote!(&p[#range]) }
    }

    /// The tensor of a node that has one.
    pub fn only_tensor(&self, node: usize) -> TokenStream {
        let range = self.only_range(node);
        quote!(&p[#range])
    }

    /// Where the tensor of a node that has one stands.
    pub fn only_range(&self, node: usize) -> TokenStream {
        range(self.compiled.layout.of_node(node).first().map(Tensor::range).unwrap_or_default())
    }

    /// The index that mixes a layer into dropout's key, and its rate.
    pub fn dropout(&self, node: usize, rate: f32) -> TokenStream {
        let (rate, layer) = (float(rate), Literal::usize_unsuffixed(node));
        quote!(frame.dropped(#rate), rt::dropout::key(seed, #layer))
    }

    /// The number of a layer that is shown to whoever looks on, and the order in which its output and the gradient by it
    /// stand.
    pub fn shown(&self, node: usize) -> (Literal, TokenStream) {
        (Literal::usize_unsuffixed(node), literal::order(self.compiled.orders[node + 1]))
    }

    /// A node's argmax view as 16-bit integers, exactly one per element of its output.
    pub fn argmax(&self, node: usize) -> TokenStream {
        let len = self.graph.nodes[node].output.len();
        if len.is_multiple_of(2) {
            return quote!(rt::as_u16(argmax));
        }
        let len = int(len);
        quote!(&mut rt::as_u16(argmax)[..#len * frame.n])
    }
}

/// A range of integers without suffixes.
pub fn range(range: Range<usize>) -> TokenStream {
    let (start, end) = (int(range.start), int(range.end));
    quote!(#start..#end)
}

struct Forward<'a> {
    context: &'a Context<'a>,
    arena: Arena,
    node: usize,
}

impl Forward<'_> {
    fn step(&self) -> Option<TokenStream> {
        let calls = self.calls();
        if self.arena == Arena::Infer {
            return calls;
        }
        let (layer, order) = self.context.shown(self.node);
        let slot = self.context.slot(self.arena, self.output());
        Some(quote!(#calls frame.show(#layer, #order, #slot, arena);))
    }

    fn calls(&self) -> Option<TokenStream> {
        let node = &self.context.graph.nodes[self.node];
        match self.context.plan(self.arena).exec[self.node] {
            Exec::Alias | Exec::Fused => None,
            Exec::InPlace(input) if node.op == Op::Add => {
                let rest = (0..node.inputs.len()).filter(|&other| other != input).map(|other| node.inputs[other]);
                Some(self.accumulate(rest))
            }
            Exec::InPlace(input) if matches!(node.op, Op::Arith(_)) => Some(self.arith_in_place(input)),
            Exec::Fresh if matches!(node.op, Op::Arith(_)) => Some(self.arith()),
            Exec::InPlace(_) => Some(self.in_place(node.op)),
            Exec::Fresh if node.op == Op::Add => Some(self.add()),
            Exec::Fresh if node.op == Op::Concat => Some(self.concat()),
            Exec::Fresh => Some(self.fresh(node.op)),
        }
    }

    fn buffer(&self, value: ValueId) -> BufferId {
        self.context.plan(self.arena).value[value]
    }

    fn input(&self, index: usize) -> BufferId {
        self.buffer(self.context.graph.nodes[self.node].inputs[index])
    }

    fn output(&self) -> BufferId {
        self.buffer(self.node + 1)
    }

    fn views(&self, views: &[(&str, BufferId)]) -> TokenStream {
        self.context.views(self.arena, views)
    }

    /// A layer of one input that writes a buffer of its own.
    fn fresh(&self, op: Op) -> TokenStream {
        let mut views = vec![("x", self.input(0)), ("y", self.output())];
        views.extend(self.fusion().residual.map(|value| ("r", self.buffer(value))));
        let saved =
            if self.arena == Arena::Train { self.context.plan(self.arena).saved[self.node].as_slice() } else { &[] };
        let names: &[&str] = match op {
            Op::MaxPool { .. } => &["argmax"],
            Op::BatchNorm { .. } => &["mean", "inv_std"],
            _ => &["scale"],
        };
        views.extend(names.iter().copied().zip(saved.iter().copied()));
        let scratch = self.context.plan(self.arena).forward_scratch[self.node];
        views.extend(scratch.map(|scratch| ("scratch", scratch)));
        let views = self.views(&views);
        let call = self.call(op);
        quote!(#views #call)
    }

    fn call(&self, op: Op) -> TokenStream {
        let Forward { context, node, arena } = *self;
        let train = arena == Arena::Train;
        let descriptor = || context.descriptors.get(node);
        match op {
            Op::Conv { bias, .. } => self.weighted(&quote!(conv), bias),
            Op::ConvTranspose { bias, .. } => self.conv_transpose(bias),
            Op::Fc { bias } => self.weighted(&quote!(fc), bias),
            Op::MaxPool { .. } if train => {
                let (d, argmax) = (descriptor(), context.argmax(node));
                quote!(rt::max_pool::forward_train(&#d, frame.n, x, y, #argmax);)
            }
            Op::Lrn { .. } if train => {
                let d = descriptor();
                quote!(rt::lrn::forward_train(&#d, frame.n, x, y, scale);)
            }
            Op::BatchNorm { .. } if train => self.batch_norm_train(),
            Op::BatchNorm { .. } => {
                let (d, tensors) = (descriptor(), self.batch_norm_tensors(node));
                quote!(rt::batch_norm::forward(&#d, frame.n, x, #tensors, y);)
            }
            Op::Act(act) => {
                let act = literal::act(act);
                quote!(rt::act::forward(#act, x, y);)
            }
            Op::Trained { .. } => {
                let (d, tensor) = (descriptor(), context.only_tensor(node));
                quote!(rt::trained::forward(&#d, frame.n, x, #tensor, y);)
            }
            Op::Dropout { rate } => {
                let rate_and_key = context.dropout(node, rate);
                quote!(rt::dropout::forward(#rate_and_key, x, y);)
            }
            Op::MaxPool { .. } => self.plain(quote!(max_pool)),
            Op::AvgPool { .. } => self.plain(quote!(avg_pool)),
            Op::Softmax { .. } => self.plain(quote!(softmax)),
            Op::Lrn { .. } => self.plain(quote!(lrn)),
            Op::Expand => self.plain(quote!(expand)),
            Op::Permute(_) => self.plain(quote!(permute)),
            Op::Pad { .. } => self.plain(quote!(pad)),
            Op::Upsample { .. } => self.plain(quote!(upsample)),
            Op::Resize { .. } => self.plain(quote!(resize)),
            Op::Reshape | Op::Add | Op::Concat | Op::Arith(_) => quote!(),
        }
    }

    fn conv_transpose(&self, bias: bool) -> TokenStream {
        let (d, weight) = (self.context.descriptors.get(self.node), self.context.tensor(self.node, Role::Weight));
        let bias = bias.then(|| self.context.tensor(self.node, Role::Bias));
        let bias = bias.map_or(quote!(None), |bias| quote!(Some(#bias)));
        quote!(rt::conv_transpose::forward(&#d, frame.n, x, #weight, #bias, y, scratch);)
    }

    fn plain(&self, module: TokenStream) -> TokenStream {
        let d = self.context.descriptors.get(self.node);
        quote!(rt::#module::forward(&#d, frame.n, x, y);)
    }

    fn fusion(&self) -> Fusion {
        self.context.plan(self.arena).fusions.of.get(&self.node).copied().unwrap_or_default()
    }

    fn weighted(&self, module: &TokenStream, bias: bool) -> TokenStream {
        let d = self.context.descriptors.get(self.node);
        let weight = self.context.tensor(self.node, Role::Weight);
        let bias = bias.then(|| self.context.tensor(self.node, Role::Bias));
        if self.arena == Arena::Infer && matches!(self.context.graph.nodes[self.node].op, Op::Conv { .. }) {
            // Of what the runtime has transformed of the weights, if it has.
            let (layer, post) = (Literal::usize_unsuffixed(self.node), self.post(bias));
            let kept = quote!(frame.kept(#layer));
            let Some(pool) = self.fusion().pool.map(|pool| self.context.descriptors.get(pool)) else {
                return quote!(rt::conv::forward_kept(&#d, frame.n, x, #weight, #kept, #post, y););
            };
            return quote!(rt::conv::forward_pooled(&#d, &#pool, frame.n, x, #weight, #kept, #post, y););
        }
        if self.fusion() == Fusion::default() {
            let bias = bias.map_or(quote!(None), |bias| quote!(Some(#bias)));
            return quote!(rt::#module::forward(&#d, frame.n, x, #weight, #bias, y););
        }
        let post = self.post(bias);
        quote!(rt::#module::forward_then(&#d, frame.n, x, #weight, #post, y);)
    }

    /// What a layer does to its output as it writes it.
    fn post(&self, bias: Option<TokenStream>) -> TokenStream {
        let fusion = self.fusion();
        let bias = bias.map(|bias| quote!(.bias(#bias)));
        let norm = fusion.norm.map(|node| {
            let (d, tensors) = (self.context.descriptors.get(node), self.batch_norm_tensors(node));
            quote!(.norm(&#d, #tensors))
        });
        let residual = fusion.residual.map(|_| quote!(.add(r)));
        let act = fusion.act.and_then(|node| match self.context.graph.nodes[node].op {
            Op::Act(act) => Some(literal::act(act)),
            _ => None,
        });
        let act = act.map(|act| quote!(.act(#act)));
        quote!(rt::Post::new() #bias #norm #residual #act)
    }

    fn batch_norm_tensors(&self, node: usize) -> TokenStream {
        let tensor = |role| self.context.tensor(node, role);
        let [scale, shift] = [Role::Scale, Role::Shift].map(tensor);
        let [mean, var] = [Role::RunningMean, Role::RunningVar].map(tensor);
        quote!(#scale, #shift, #mean, #var)
    }

    fn batch_norm_train(&self) -> TokenStream {
        let d = self.context.descriptors.get(self.node);
        let [scale, shift] = [Role::Scale, Role::Shift].map(|role| self.context.tensor(self.node, role));
        let [running_mean, running_var] = [Role::RunningMean, Role::RunningVar]
            .map(|role| range(self.context.compiled.layout.range(self.node, role).unwrap_or_default()));
        let layer = Literal::usize_unsuffixed(self.node);
        quote! {
            let [running_mean, running_var] = rt::tensors(s, [#running_mean, #running_var]);
            rt::batch_norm::forward_train(
                &#d, frame.n, frame.statistics(#layer), x, #scale, #shift, running_mean, running_var, mean, inv_std, y,
            );
        }
    }

    fn in_place(&self, op: Op) -> TokenStream {
        let views = self.views(&[("x", self.output())]);
        let call = match op {
            Op::Act(act) => {
                let act = literal::act(act);
                quote!(rt::act::forward_inplace(#act, x);)
            }
            Op::Trained { .. } => {
                let (d, tensor) = (self.context.descriptors.get(self.node), self.context.only_tensor(self.node));
                quote!(rt::trained::forward_inplace(&#d, frame.n, x, #tensor);)
            }
            Op::Dropout { rate } => {
                let rate_and_key = self.context.dropout(self.node, rate);
                quote!(rt::dropout::forward_inplace(#rate_and_key, x);)
            }
            _ => {
                let (d, tensors) = (self.context.descriptors.get(self.node), self.batch_norm_tensors(self.node));
                quote!(rt::batch_norm::forward_inplace(&#d, frame.n, x, #tensors);)
            }
        };
        quote!(#views #call)
    }

    fn add(&self) -> TokenStream {
        let inputs = &self.context.graph.nodes[self.node].inputs;
        let views = self.views(&[("a", self.input(0)), ("b", self.input(1)), ("y", self.output())]);
        let rest = self.accumulate(inputs[2..].iter().copied());
        quote!(#views rt::add::forward(a, b, y); #rest)
    }

    fn arith(&self) -> TokenStream {
        let d = self.context.descriptors.get(self.node);
        let views = self.views(&[("a", self.input(0)), ("b", self.input(1)), ("y", self.output())]);
        quote!(#views rt::arith::forward(&#d, frame.n, a, b, y);)
    }

    fn arith_in_place(&self, input: usize) -> TokenStream {
        let (d, which) = (self.context.descriptors.get(self.node), int(input));
        let views = self.views(&[("io", self.output()), ("other", self.input(1 - input))]);
        quote!(#views rt::arith::forward_inplace(&#d, frame.n, #which, io, other);)
    }

    fn accumulate(&self, values: impl Iterator<Item = ValueId>) -> TokenStream {
        let calls = values.map(|value| {
            let views = self.views(&[("sum", self.output()), ("x", self.buffer(value))]);
            quote!(#views rt::add::accumulate(sum, x);)
        });
        quote!(#(#calls)*)
    }

    fn concat(&self) -> TokenStream {
        let parts = self.context.descriptors.parts(self.node).iter().enumerate();
        let calls = parts.map(|(input, part)| {
            let views = self.views(&[("x", self.input(input)), ("y", self.output())]);
            quote!(#views rt::concat::forward(&#part, frame.n, x, y);)
        });
        quote!(#(#calls)*)
    }
}
