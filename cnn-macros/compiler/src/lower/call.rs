//! Calls of blocks and of other networks.

use super::eval::Env;
use super::{Argument, Frame, Instr, Unfolding, naming};
use crate::ast::{Arg, Args, BlockDef, Call, Chain, Expr, ExprKind};
use crate::diag::Site;
use crate::op::Kind;

impl<'a> Unfolding<'_, 'a> {
    pub(super) fn block(&mut self, call: &'a Call, index: usize, prefixed: bool, frame: usize, input: usize) -> usize {
        let block = &self.shared.program.blocks[index];
        let Some((env, params)) = self.bind(call, block, index, frame) else {
            return self.broken();
        };
        let direct = self.frames[frame].direct;
        let inner = Frame { caller: Some((frame, call.site)), what: "block", name: &block.name, params, direct, env };
        self.is_broken |= block.broken;
        self.unfold(inner, &block.chain, prefixed, input)
    }

    pub(super) fn step_network(
        &mut self,
        call: &'a Call,
        index: usize,
        prefixed: bool,
        frame: usize,
        input: usize,
    ) -> usize {
        let network = &self.shared.program.networks[index];
        self.instrs.push(Instr::Expect { value: input, network, call, frame });
        self.values += 1;
        self.is_broken |= network.broken;
        let (name, params, env) = (&network.name, Vec::new(), Env::default());
        let direct = self.frames[frame].direct || network.direct;
        let inner = Frame { caller: Some((frame, call.site)), what: "network", name, params, direct, env };
        self.unfold(inner, &network.chain, prefixed, self.values)
    }

    /// Puts a body in place of its call, with values and layer names of its own.
    fn unfold(&mut self, inner: Frame<'a>, chain: &'a Chain, prefixed: bool, input: usize) -> usize {
        if !prefixed {
            self.naming.enter_numbered(&inner.name.to_string(), &self.reserved);
        }
        self.frames.push(inner);
        let reserved = std::mem::replace(&mut self.reserved, naming::reserved(chain));
        let output = self.chain(chain, self.frames.len() - 1, input);
        self.reserved = reserved;
        if !prefixed {
            self.naming.leave();
        }
        output
    }

    /// Evaluates a layer's arguments.
    pub(super) fn arguments(&mut self, args: &'a [Arg], kind: Kind, frame: usize) -> Vec<Argument<'a>> {
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            let param = match &arg.value.kind {
                ExprKind::Name(ident) if self.is_param(ident, frame) => Some(ident),
                _ => None,
            };
            values.push(Argument {
                param,
                key: arg.key.as_ref(),
                value: if arg.key.is_some() {
                    self.eval(&arg.value, frame)
                } else {
                    self.option(&arg.value, kind, frame)
                },
                target: arg.target.as_ref().map(|target| self.eval(target, frame)),
                site: arg.site,
            });
        }
        values
    }

    /// The values of a block's parameters at a call, or `None` after an error.
    fn bind(
        &mut self,
        call: &'a Call,
        block: &'a BlockDef,
        index: usize,
        frame: usize,
    ) -> Option<(Env<'a>, Vec<&'a proc_macro2::Ident>)> {
        if !self.work(call.site, block.params.len()) {
            return None;
        }
        let given = match &call.args {
            Args::Values(args) => args.as_slice(),
            _ => &[],
        };
        let slots = self.match_arguments(call, block, index, given, frame)?;
        let mut env = Env { block: Some(index), values: vec![None; block.params.len()] };
        for (slot, arg) in slots.iter().enumerate() {
            if let Some(arg) = arg {
                env.values[slot] = Some(self.eval(arg, frame));
            }
        }
        // A number stays a number here, whatever the parameter's name. Defaults may use the parameters before them, so
        // they are evaluated inside the block.
        let params = block.params.iter().map(|param| &param.name).collect();
        let (name, direct) = (&block.name, self.frames[frame].direct);
        self.frames.push(Frame { caller: Some((frame, call.site)), what: "block", name, params, direct, env });
        let inside = self.frames.len() - 1;
        for (slot, param) in block.params.iter().enumerate() {
            if slots[slot].is_none()
                && let Some(default) = &param.default
            {
                let value = self.eval(default, inside);
                self.frames[inside].env.values[slot] = Some(value);
            }
        }
        let Frame { env, params, .. } = self.frames.pop()?;
        Some((env, params))
    }

    fn match_arguments(
        &mut self,
        call: &Call,
        block: &'a BlockDef,
        index: usize,
        given: &'a [Arg],
        frame: usize,
    ) -> Option<Vec<Option<&'a Expr>>> {
        let mut slots: Vec<Option<&'a Expr>> = vec![None; block.params.len()];
        let mut positional = 0;
        let mut good = true;
        if block.broken && given.len() != slots.len() {
            // The parameters may not be what was read.
            return None;
        }
        for arg in given {
            let slot = match &arg.key {
                Some(key) => match self.shared.params[index].get(&key.to_string()) {
                    Some(slot) => Some(*slot),
                    None => {
                        let site = Site::of(key.span());
                        let hint = self.param_hint(site, key, block.params.iter().map(|param| &param.name));
                        let hint = if hint.is_empty() { ":".into() } else { hint };
                        let message = format!("no parameter is called `{key}`{hint} {}", describe(block));
                        self.error(site, frame, message);
                        None
                    }
                },
                None => {
                    positional += 1;
                    if positional > slots.len() {
                        let message = format!("argument {positional} is too many: {}", describe(block));
                        self.error(arg.site, frame, message);
                    }
                    Some(positional - 1).filter(|slot| *slot < slots.len())
                }
            };
            match slot {
                Some(slot) if slots[slot].is_some() => {
                    let message = format!("`{}` is given twice: {}", block.params[slot].name, describe(block));
                    self.error(arg.site, frame, message);
                    good = false;
                }
                Some(slot) if arg.target.is_none() => slots[slot] = Some(&arg.value),
                Some(_) => {
                    self.error(arg.site, frame, format!("an arrow cannot be an argument: {}", describe(block)));
                    good = false;
                }
                None => good = false,
            }
            if !good && positional > slots.len() {
                return None;
            }
        }
        self.report_missing(call, block, &slots, frame, good)?;
        good.then_some(slots)
    }

    fn report_missing(
        &mut self,
        call: &Call,
        block: &BlockDef,
        slots: &[Option<&Expr>],
        frame: usize,
        good: bool,
    ) -> Option<()> {
        let missing = block.params.iter().zip(slots).filter(|(param, slot)| slot.is_none() && param.default.is_none());
        let missing: Vec<String> = missing.map(|(param, _)| format!("`{}`", param.name)).take(8).collect();
        if missing.is_empty() {
            return Some(());
        }
        if good {
            let message = format!("`{}` lacks {}: {}", block.name, missing.join(" and "), describe(block));
            self.error(call.site, frame, message);
        }
        None
    }
}

/// How a block is called and where it is defined.
fn describe(block: &BlockDef) -> String {
    const SHOWN: usize = 8;
    let mut params: Vec<String> = block
        .params
        .iter()
        .take(SHOWN)
        .map(|param| match &param.default {
            Some(_) => format!("{} = ...", param.name),
            None => param.name.to_string(),
        })
        .collect();
    if block.params.len() > SHOWN {
        params.push("...".into());
    }
    let place = Site::of(block.name.span()).line_col();
    format!("`{}({})` is defined at {place}", block.name, params.join(", "))
}
