//! Blocks and networks that contain themselves.

use super::Target;
use crate::ast::Program;
use crate::diag::{Diagnostics, SHOWN, Site};

/// Who calls whom. Blocks come first, then networks.
pub(super) struct Calls<'p> {
    program: &'p Program,
    edges: Vec<Vec<(usize, usize, Site)>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

impl<'p> Calls<'p> {
    pub(super) fn new(program: &'p Program) -> Self {
        Self { program, edges: vec![Vec::new(); program.blocks.len() + program.networks.len()] }
    }

    fn index(&self, target: Target) -> Option<usize> {
        match target {
            Target::Block(index) => Some(index),
            Target::Network(index) => Some(self.program.blocks.len() + index),
            _ => None,
        }
    }

    fn name(&self, index: usize) -> String {
        match index.checked_sub(self.program.blocks.len()) {
            Some(network) => self.program.networks[network].name.to_string(),
            None => self.program.blocks[index].name.to_string(),
        }
    }

    /// Notes the calls of an item: target, call id, place.
    pub(super) fn add(&mut self, caller: Target, calls: &[(Target, usize, Site)]) {
        let Some(from) = self.index(caller) else { return };
        for (target, call, site) in calls {
            if let Some(to) = self.index(*target) {
                self.edges[from].push((to, *call, *site));
            }
        }
    }

    /// Reports each call that closes a cycle and returns its id. A search in depth with a stack of its own, because
    /// ten thousand blocks may call each other in a row.
    pub(super) fn report_cycles(&self, diagnostics: &Diagnostics) -> Vec<usize> {
        let mut marks = vec![Mark::New; self.edges.len()];
        let mut closing = Vec::new();
        for root in 0..self.edges.len() {
            if marks[root] != Mark::New {
                continue;
            }
            marks[root] = Mark::Open;
            let mut stack = vec![(root, 0)];
            while let Some((item, next)) = stack.last_mut() {
                let Some(&(to, call, site)) = self.edges[*item].get(*next) else {
                    marks[*item] = Mark::Done;
                    stack.pop();
                    continue;
                };
                *next += 1;
                match marks[to] {
                    Mark::New => {
                        marks[to] = Mark::Open;
                        stack.push((to, 0));
                    }
                    Mark::Open => {
                        closing.push(call);
                        let path = stack.iter().map(|(item, _)| *item).skip_while(|item| *item != to);
                        let path = if diagnostics.len() < SHOWN { path.collect() } else { vec![to] };
                        diagnostics.error(site, self.message(&path, to));
                    }
                    Mark::Done => {}
                }
            }
        }
        closing
    }

    fn message(&self, path: &[usize], to: usize) -> String {
        let name = self.name(to);
        if path.len() == 1 {
            return format!("`{name}` contains itself and would never end: repeat a step with `* 3` instead");
        }
        let mut names: Vec<String> = path.iter().map(|item| format!("`{}`", self.name(*item))).collect();
        if names.len() > 6 {
            let cut = names.len() - 3;
            names.splice(3..cut, ["...".to_string()]);
        }
        format!("`{name}` contains itself and would never end: {} -> `{name}`", names.join(" -> "))
    }
}
