//! Blocks that nothing calls, and parameters that nothing reads.

use std::collections::HashSet;

use super::{Resolver, Target};
use crate::ast::{Args, Atom, BlockDef, Chain, Expr, ExprKind};
use crate::diag::Site;
use crate::op::sizes::is_option_word;

impl Resolver<'_> {
    /// Reports them, but for those whose names begin with `_`. `sound` are the blocks without another mistake.
    pub(super) fn report_unused(&self, called: &HashSet<Target>, sound: &[usize]) {
        for &index in sound {
            let block = &self.program.blocks[index];
            let name = block.name.to_string();
            if called.contains(&Target::Block(index)) {
                self.unused_params(block);
            } else if !self.doubtful && !name.starts_with('_') {
                let call = if block.params.is_empty() { name.clone() } else { format!("{name}(...)") };
                let message =
                    format!("`{name}` is never used: write `-> {call}` in a network, remove it, or call it `_{name}`");
                self.error(Site::of(block.name.span()), message);
            }
        }
    }

    fn unused_params(&self, block: &BlockDef) {
        let mut words = HashSet::new();
        block.params.iter().filter_map(|param| param.default.as_ref()).for_each(|value| collect(value, &mut words));
        collect_chain(&block.chain, &mut words);
        let params: HashSet<String> = block.params.iter().map(|param| param.name.to_string()).collect();
        // A word that means nothing may be a slip of a parameter's name.
        if !words.iter().all(|word| params.contains(word) || is_option_word(word)) {
            return;
        }
        for name in block.params.iter().map(|param| &param.name) {
            let text = name.to_string();
            if !words.contains(&text) && !text.starts_with('_') {
                let message = format!("the parameter `{text}` is never used: remove it, or call it `_{text}`");
                self.error(Site::of(name.span()), message);
            }
        }
    }
}

/// Every word in the arguments and counts of a chain.
fn collect_chain(chain: &Chain, words: &mut HashSet<String>) {
    for step in &chain.steps {
        step.repeat.iter().for_each(|count| collect(count, words));
        match &step.atom {
            Atom::Group(chain) => collect_chain(chain, words),
            Atom::Call(call) => match &call.args {
                Args::Values(args) => {
                    args.iter()
                        .flat_map(|arg| arg.target.iter().chain([&arg.value]))
                        .for_each(|value| collect(value, words));
                }
                Args::Branches(branches) => branches.iter().for_each(|branch| collect_chain(branch, words)),
                Args::None | Args::Skipped => {}
            },
            Atom::Broken => {}
        }
    }
}

fn collect(value: &Expr, words: &mut HashSet<String>) {
    match &value.kind {
        ExprKind::Name(name) => {
            words.insert(name.to_string());
        }
        ExprKind::Option(_, size) => collect(size, words),
        ExprKind::Sum(parts) | ExprKind::Product(parts) => parts.iter().for_each(|(_, part)| collect(part, words)),
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Dims(_) | ExprKind::Broken => {}
    }
}
