//! The backward pass: the tape's steps as calls, grouped by layer.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::Context;
use super::forward::range;
use super::literal::{self, int};
use super::slots::Arena;
use crate::backward::{GradId, Saved, Step, Task, Write, saves_output};
use crate::ir::{Arith, Op};
use crate::layout::Role;
use crate::plan::storage::BufferId;

/// The steps of the backward pass, an entry per layer that has any.
pub fn steps(context: &Context<'_>) -> Vec<TokenStream> {
    let tape = &context.compiled.tape;
    let mut layers = Vec::new();
    let mut index = 0;
    for steps in tape.steps.chunk_by(|a, b| a.node == b.node) {
        // The first one may copy the gradient of an input; the last one reads that of the output.
        let show = steps.last().map(|step| Backward { context, step, index }.show());
        let calls = steps.iter().enumerate().map(|(offset, step)| {
            let call = Backward { context, step, index: index + offset }.call();
            let show = show.as_ref().filter(|_| offset == 0);
            let call = quote!(#show #call);
            if step.on_demand { quote!(if want_input { #call }) } else { call }
        });
        layers.push(calls.collect());
        index += steps.len();
    }
    layers
}

struct Backward<'a> {
    context: &'a Context<'a>,
    step: &'a Step,
    /// The step's place on the tape.
    index: usize,
}

impl Backward<'_> {
    fn call(&self) -> TokenStream {
        match self.step.task {
            Task::Params { d_output } => self.params(d_output),
            Task::Data { input, d_output, d_input, write } => {
                let views = self.views(&self.data_views(d_output, d_input));
                let call = self.data(input, write_tokens(write));
                quote!(#views #call)
            }
            Task::Activated { act, d_output, d_input } => self.activated(act, d_output, d_input),
            Task::InPlace { d } => self.in_place(d),
            Task::Copy { from, to, write } => {
                let views = self.views(&[("from", self.gradient(from)), ("to", self.gradient(to))]);
                let write = write_tokens(write);
                quote!(#views rt::add::copy(from, to, #write);)
            }
        }
    }

    /// Shows the gradient by the layer's output, which is complete before the first of its steps.
    fn show(&self) -> TokenStream {
        let gradient = match self.step.task {
            Task::Params { d_output } | Task::Data { d_output, .. } | Task::Activated { d_output, .. } => d_output,
            Task::InPlace { d } => d,
            Task::Copy { from, .. } => from,
        };
        let (layer, order) = self.context.shown(self.step.node);
        let slot = self.context.slot(Arena::Train, self.gradient(gradient));
        quote!(frame.show_gradient(#layer, #order, #slot, arena);)
    }

    fn op(&self) -> Op {
        self.context.graph.nodes[self.step.node].op
    }

    fn views(&self, views: &[(&str, BufferId)]) -> TokenStream {
        // The slot of a buffer that the plan let go before this step holds another one.
        let (buffers, at) = (&self.context.compiled.train.buffers, self.context.graph.nodes.len() + 2 + self.index);
        let is_live = |buffer: &BufferId| (buffers[*buffer].first..=buffers[*buffer].last).contains(&at);
        debug_assert!(views.iter().all(|(_, buffer)| is_live(buffer)), "{:?} reads what is gone", self.step);
        self.context.views(Arena::Train, views)
    }

    fn gradient(&self, gradient: GradId) -> BufferId {
        self.context.compiled.train.gradients[gradient]
    }

    fn value(&self, value: usize) -> BufferId {
        self.context.compiled.train.value[value]
    }

    fn input(&self) -> BufferId {
        self.input_at(0)
    }

    fn input_at(&self, index: usize) -> BufferId {
        self.value(self.context.graph.nodes[self.step.node].inputs[index])
    }

    /// A tensor's gradient inside `g`.
    fn gradient_range(&self, role: Role) -> TokenStream {
        range(self.context.compiled.layout.range(self.step.node, role).unwrap_or_default())
    }

    fn params(&self, d_output: GradId) -> TokenStream {
        if matches!(self.op(), Op::Trained { .. }) {
            return self.trained_params(d_output);
        }
        let views = self.views(&[("x", self.input()), ("dy", self.gradient(d_output))]);
        let d = self.context.descriptors.get(self.step.node);
        let module = match self.op() {
            Op::Fc { .. } => quote!(fc),
            Op::ConvTranspose { .. } => quote!(conv_transpose),
            _ => quote!(conv),
        };
        let weight = self.gradient_range(Role::Weight);
        if self.context.compiled.layout.range(self.step.node, Role::Bias).is_none() {
            return quote!(#views rt::#module::backward_weights(&#d, frame.n, x, dy, &mut g[#weight], None););
        }
        let bias = self.gradient_range(Role::Bias);
        quote! {
            #views
            let [dw, db] = rt::tensors(g, [#weight, #bias]);
            rt::#module::backward_weights(&#d, frame.n, x, dy, dw, Some(db));
        }
    }

    fn trained_params(&self, d_output: GradId) -> TokenStream {
        let node = self.step.node;
        let (d, tensor) = (self.context.descriptors.get(node), self.context.only_range(node));
        let (views, x) = match self.context.compiled.tape.saved[node] {
            Saved::Input => (vec![("x", self.input())], quote!(x)),
            _ => (Vec::new(), quote!(&[])),
        };
        let views = self.views(&[views, vec![("dy", self.gradient(d_output))]].concat());
        quote!(#views rt::trained::backward_tensor(&#d, frame.n, #x, dy, &mut g[#tensor]);)
    }

    /// What the kernel reads beside the gradients, by the names that [`Backward::data`] uses.
    fn data_views(&self, d_output: GradId, d_input: GradId) -> Vec<(&'static str, BufferId)> {
        let (node, train) = (self.step.node, &self.context.compiled.train);
        let saved = |part: usize| train.saved[node][part];
        let mut views = match self.op() {
            Op::MaxPool { .. } => vec![("argmax", saved(0))],
            Op::BatchNorm { .. } => vec![("x", self.input()), ("mean", saved(0)), ("inv_std", saved(1))],
            Op::Lrn { .. } => vec![("x", self.input()), ("scale", saved(0))],
            Op::Arith(Arith::Sub) => Vec::new(),
            Op::Arith(_) => vec![("a", self.input_at(0)), ("b", self.input_at(1))],
            Op::Trained { .. } => vec![("x", self.input())],
            Op::Act(act) if !saves_output(act) => vec![("x", self.input())],
            Op::Act(_) | Op::Softmax { .. } => vec![("y", self.value(node + 1))],
            _ => Vec::new(),
        };
        views.extend([("dy", self.gradient(d_output)), ("dx", self.gradient(d_input))]);
        views.extend(train.scratch[self.index].map(|scratch| ("scratch", scratch)));
        views
    }

    fn data(&self, input: usize, write: TokenStream) -> TokenStream {
        let node = self.step.node;
        let d = || self.context.descriptors.get(node);
        let plain = |module: TokenStream| {
            let d = d();
            quote!(rt::#module::backward(&#d, frame.n, dy, dx, #write);)
        };
        match self.op() {
            Op::Conv { .. } => {
                let (d, weight) = (d(), self.context.tensor(node, Role::Weight));
                quote!(rt::conv::backward_data(&#d, frame.n, #weight, dy, dx, scratch, #write);)
            }
            Op::ConvTranspose { .. } => {
                let (d, weight) = (d(), self.context.tensor(node, Role::Weight));
                quote!(rt::conv_transpose::backward_data(&#d, frame.n, #weight, dy, dx, #write);)
            }
            Op::Fc { .. } => {
                let (d, weight) = (d(), self.context.tensor(node, Role::Weight));
                quote!(rt::fc::backward_data(&#d, frame.n, #weight, dy, dx, #write);)
            }
            Op::MaxPool { .. } => {
                let (d, argmax) = (d(), self.context.argmax(node));
                quote!(rt::max_pool::backward(&#d, frame.n, #argmax, dy, dx, #write);)
            }
            Op::Act(act) => {
                let (act, saved) = (literal::act(act), if saves_output(act) { quote!(y) } else { quote!(x) });
                quote!(rt::act::backward(#act, #saved, dy, dx, #write);)
            }
            Op::Softmax { .. } => {
                let d = d();
                quote!(rt::softmax::backward(&#d, frame.n, y, dy, dx, #write);)
            }
            Op::BatchNorm { .. } => self.batch_norm(write),
            Op::Lrn { .. } => {
                let d = d();
                quote!(rt::lrn::backward(&#d, frame.n, x, scale, dy, dx, #write);)
            }
            Op::Trained { .. } => {
                let (d, tensor) = (d(), self.context.only_tensor(node));
                quote!(rt::trained::backward(&#d, frame.n, x, #tensor, dy, dx, #write);)
            }
            Op::Dropout { rate } => {
                let rate_and_key = self.context.dropout(node, rate);
                quote!(rt::dropout::backward(#rate_and_key, dy, dx, #write);)
            }
            Op::Concat => {
                let part = &self.context.descriptors.parts(node)[input];
                quote!(rt::concat::backward(&#part, frame.n, dy, dx, #write);)
            }
            Op::Arith(arith) => {
                let values = match arith {
                    Arith::Sub => quote!(&[], &[]),
                    _ => quote!(a, b),
                };
                let (d, input) = (d(), int(input));
                quote!(rt::arith::backward(&#d, frame.n, #input, #values, dy, dx, #write);)
            }
            Op::AvgPool { .. } => plain(quote!(avg_pool)),
            Op::Expand => plain(quote!(expand)),
            Op::Permute(_) => plain(quote!(permute)),
            Op::Pad { .. } => plain(quote!(pad)),
            Op::Upsample { .. } => plain(quote!(upsample)),
            Op::Resize { .. } => plain(quote!(resize)),
            // The gradients of these are shared or copied.
            Op::Reshape | Op::Add => quote!(),
        }
    }

    fn batch_norm(&self, write: TokenStream) -> TokenStream {
        let d = self.context.descriptors.get(self.step.node);
        let gamma = self.context.tensor(self.step.node, Role::Scale);
        let [d_scale, d_shift] = [Role::Scale, Role::Shift].map(|role| self.gradient_range(role));
        let layer = Literal::usize_unsuffixed(self.step.node);
        quote! {
            let [d_scale, d_shift] = rt::tensors(g, [#d_scale, #d_shift]);
            rt::batch_norm::backward(&#d, frame.n, frame.statistics(#layer), x, #gamma, mean, inv_std, dy, d_scale, d_shift, dx, #write);
        }
    }

    /// Max pooling and the activation before it. Whoever looks on is shown the gradient between them, which is not made else.
    fn activated(&self, act: usize, d_output: GradId, d_input: GradId) -> TokenStream {
        let Op::Act(kind) = self.context.graph.nodes[act].op else { return quote!() };
        let (kind, pool) = (literal::act(kind), self.data(0, write_tokens(Write::Set)));
        let mut views = self.data_views(d_output, d_input);
        let between = self.views(&views);
        views.push(("y", self.value(self.step.node + 1)));
        let views = self.views(&views);
        let (layer, order) = self.context.shown(act);
        let slot = self.context.slot(Arena::Train, self.gradient(d_input));
        quote! {
            if frame.probe.is_some() {
                #between
                #pool
                frame.show_gradient(#layer, #order, #slot, arena);
            }
            #views
            rt::act::backward_inplace(#kind, y, dy);
            #pool
        }
    }

    fn in_place(&self, d: GradId) -> TokenStream {
        let node = self.step.node;
        let d = ("d", self.gradient(d));
        match self.op() {
            Op::Act(act) => {
                let saved = if saves_output(act) { ("y", self.value(node + 1)) } else { ("x", self.input()) };
                let views = self.views(&[saved, d]);
                let (act, saved) = (literal::act(act), quote::format_ident!("{}", saved.0));
                quote!(#views rt::act::backward_inplace(#act, #saved, d);)
            }
            Op::Trained { .. } => {
                let views = self.views(&[("x", self.input()), d]);
                let (descriptor, tensor) = (self.context.descriptors.get(node), self.context.only_tensor(node));
                quote!(#views rt::trained::backward_inplace(&#descriptor, frame.n, x, #tensor, d);)
            }
            Op::Dropout { rate } => {
                let (views, rate_and_key) = (self.views(&[d]), self.context.dropout(node, rate));
                quote!(#views rt::dropout::backward_inplace(#rate_and_key, d);)
            }
            _ => quote!(),
        }
    }
}

fn write_tokens(write: Write) -> TokenStream {
    match write {
        Write::Set => quote!(rt::Write::Set),
        Write::Add => quote!(rt::Write::Add),
    }
}
