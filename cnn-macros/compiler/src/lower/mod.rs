//! From the syntax tree to a flat list: blocks, repeats, groups, named values and networks as steps are gone, every
//! argument has its value. Shapes are not looked at yet.

mod call;
pub mod eval;
mod limits;
mod naming;

use std::collections::{HashMap, HashSet};

use proc_macro2::Ident;

use crate::ast::{Args, Atom, Call, Chain, Dims, NetworkDef, Program, Step};
use crate::diag::{Diagnostics, Place, SHOWN, Site};
use crate::names::Target;
use crate::op::Kind;
use crate::parse::cursor::DEPTH;
use eval::Value;
use limits::{LAYERS, STEP};
use naming::Naming;

/// A network as a flat list. Value 0 is the input; every instruction but [`Instr::Annotate`] makes the
/// next value.
#[derive(Debug)]
pub struct Lowered<'a> {
    /// What happens, in order.
    pub instrs: Vec<Instr<'a>>,
    /// The calls that led to an instruction; 0 is the network itself.
    pub frames: Vec<Frame<'a>>,
    /// The value that the network returns.
    pub output: usize,
    /// Whether something could not be lowered.
    pub broken: bool,
}

/// One entry of the flat list.
#[derive(Debug)]
pub enum Instr<'a> {
    /// A layer.
    Layer(Layer<'a>),
    /// Something unreadable, which has been reported: a value of unknown shape.
    Broken,
    /// A network used as a step: the value must have its input shape. Makes a value of that shape.
    Expect {
        /// The value that enters.
        value: usize,
        /// The network.
        network: &'a NetworkDef,
        /// The call.
        call: &'a Call,
        /// The frame of the call.
        frame: usize,
    },
    /// A shape behind a step.
    Annotate {
        /// The step's output.
        value: usize,
        /// The promise.
        dims: &'a Dims,
        /// The frame of the step.
        frame: usize,
    },
}

/// A layer with evaluated arguments.
#[derive(Debug)]
pub struct Layer<'a> {
    /// Where it was written.
    pub call: &'a Call,
    /// Which layer.
    pub kind: Kind,
    /// Its arguments.
    pub args: Vec<Argument<'a>>,
    /// The values it reads.
    pub inputs: Vec<usize>,
    /// The places of the branches of `add` and `concat`.
    pub branches: Vec<Site>,
    /// Its unique name.
    pub name: String,
    /// The frame it stands in.
    pub frame: usize,
    /// How many rounds of the innermost repeat around it came before; none outside a repeat.
    pub rounds: usize,
}

impl Layer<'_> {
    /// Whether an option without a size stands among its arguments.
    pub fn says(&self, word: &str) -> bool {
        self.args.iter().any(|arg| matches!(arg.value, Value::Word(said) if said == word))
    }
}

/// An evaluated argument.
#[derive(Clone, Copy, Debug)]
pub struct Argument<'a> {
    /// The parameter that was written as the value.
    pub param: Option<&'a Ident>,
    /// The key in `key = value`.
    pub key: Option<&'a Ident>,
    /// The value.
    pub value: Value<'a>,
    /// The right side of `value -> target`.
    pub target: Option<Value<'a>>,
    /// Where it was written.
    pub site: Site,
}

/// The expansion of a block or network.
#[derive(Debug)]
pub struct Frame<'a> {
    /// The frame of the call and the call's place; `None` for the network itself.
    pub caller: Option<(usize, Site)>,
    /// `block` or `network`.
    pub what: &'static str,
    /// Its name.
    pub name: &'a Ident,
    /// Its parameters' names.
    pub params: Vec<&'a Ident>,
    /// Whether it, or one that it stands in, is a network that says `direct`.
    pub direct: bool,
    env: eval::Env<'a>,
}

/// What the networks of one invocation share while they are lowered.
pub struct Lowerer<'a> {
    program: &'a Program,
    targets: &'a [Target],
    diagnostics: &'a Diagnostics,
    params: Vec<HashMap<String, usize>>,
    reported: HashSet<Place>,
    work: usize,
    all_layers: usize,
    /// What the networks share is used up, which has been reported.
    exhausted: bool,
}

impl<'a> Lowerer<'a> {
    /// Prepares to lower the networks of `program`, whose names are resolved.
    pub fn new(program: &'a Program, targets: &'a [Target], diagnostics: &'a Diagnostics) -> Self {
        let params = program.blocks.iter().map(|block| {
            block.params.iter().enumerate().map(|(index, param)| (param.name.to_string(), index)).collect()
        });
        Self {
            program,
            targets,
            diagnostics,
            params: params.collect(),
            reported: HashSet::new(),
            work: 0,
            all_layers: 0,
            exhausted: false,
        }
    }

    /// Lowers a network. Errors, also those of a limit, leave [`Instr::Broken`] behind.
    pub fn network(&mut self, network: &'a NetworkDef) -> Lowered<'a> {
        let (name, params, direct, env) = (&network.name, Vec::new(), network.direct, eval::Env::default());
        let frame = Frame { caller: None, what: "network", name, params, direct, env };
        let mut unfolding = Unfolding {
            naming: Naming::new(),
            reserved: naming::reserved(&network.chain),
            instrs: Vec::new(),
            frames: vec![frame],
            named: HashMap::new(),
            values: 0,
            layers: 0,
            reads: 0,
            depth: 0,
            rounds: 0,
            full: false,
            is_broken: false,
            shared: self,
        };
        let output = unfolding.chain(&network.chain, 0, 0);
        let broken = network.broken || unfolding.is_broken;
        Lowered { instrs: unfolding.instrs, frames: unfolding.frames, output, broken }
    }
}

/// The state of lowering one network.
struct Unfolding<'l, 'a> {
    shared: &'l mut Lowerer<'a>,
    naming: Naming,
    /// The names that the item at hand gives to its steps.
    reserved: HashSet<String>,
    instrs: Vec<Instr<'a>>,
    frames: Vec<Frame<'a>>,
    /// The newest value of each name by its id. No item stands inside itself, and a name is read behind its step alone.
    named: HashMap<usize, usize>,
    values: usize,
    layers: usize,
    /// Values that the layers read, together.
    reads: usize,
    depth: usize,
    /// Rounds of the innermost repeat that are done.
    rounds: usize,
    /// A limit was passed and reported: nothing more is unfolded.
    full: bool,
    is_broken: bool,
}

impl<'a> Unfolding<'_, 'a> {
    /// Reports a mistake once, however often the block around it is unfolded.
    fn error(&mut self, site: Site, frame: usize, message: String) {
        if !self.shared.reported.insert(site.key()) {
            return;
        }
        self.shared.diagnostics.push(crate::diag::Diagnostic { site, message, notes: call_notes(&self.frames, frame) });
    }

    /// Whether nobody reads what an error here says: it need not be found out.
    fn is_unread(&self, site: Site) -> bool {
        self.shared.diagnostics.len() >= SHOWN || self.shared.reported.contains(&site.key())
    }

    fn broken(&mut self) -> usize {
        self.is_broken = true;
        self.instrs.push(Instr::Broken);
        self.values += 1;
        self.values
    }

    fn chain(&mut self, chain: &'a Chain, frame: usize, input: usize) -> usize {
        self.depth += 1;
        if self.depth > DEPTH && !self.full {
            self.full = true;
            self.error(chain.site, frame, format!("blocks and branches nest deeper than {DEPTH} when unfolded"));
        }
        let mut current = input;
        for step in &chain.steps {
            if self.full {
                current = self.broken();
                break;
            }
            current = self.step(step, frame, current);
        }
        self.depth -= 1;
        current
    }

    fn step(&mut self, step: &'a Step, frame: usize, input: usize) -> usize {
        let single = match &step.atom {
            Atom::Call(call) => match self.shared.targets[call.id] {
                Target::Layer(kind) => kind != Kind::Shortcut,
                _ => false,
            },
            _ => false,
        };
        let own_layer = single && step.repeat.is_none();
        let given = step.name.as_ref().map(|name| name.ident.to_string());
        let prefix = given.as_deref().filter(|_| !own_layer);
        if let Some(name) = prefix {
            self.naming.enter(name);
        }
        let name = given.as_deref().filter(|_| own_layer);
        let output = match &step.repeat {
            None => self.atom(&step.atom, name, prefix.is_some(), frame, input),
            Some(count) => self.repeat(step, count, frame, input),
        };
        if prefix.is_some() {
            self.naming.leave();
        }
        if let Some(name) = &step.name {
            self.named.insert(name.id, output);
        }
        if let Some(dims) = &step.annotation {
            self.instrs.push(Instr::Annotate { value: output, dims, frame });
        }
        output
    }

    fn repeat(&mut self, step: &'a Step, count: &'a crate::ast::Expr, frame: usize, input: usize) -> usize {
        let Some(times) = self.count(count, frame) else {
            return self.broken();
        };
        let before = self.layers;
        let mut current = input;
        for round in 0..times {
            let outer = std::mem::replace(&mut self.rounds, round);
            current = self.atom(&step.atom, None, false, frame, current);
            self.rounds = outer;
            let each = self.layers - before;
            if self.full || each == 0 {
                break;
            }
            let total = each.saturating_mul(times);
            if round == 0 && before.saturating_add(total) > LAYERS {
                self.full = true;
                let fits = (LAYERS - before) / each;
                let message = format!(
                    "{times} times {each} layer{} makes {total}{}: a network has at most {LAYERS} layers, so at most `* {fits}` fits here",
                    if each == 1 { "" } else { "s" },
                    match before {
                        0 => String::new(),
                        1 => ", after 1 layer before".into(),
                        _ => format!(", after {before} layers before"),
                    },
                );
                self.error(count.site, frame, message);
                return self.broken();
            }
        }
        current
    }

    fn atom(&mut self, atom: &'a Atom, name: Option<&str>, prefixed: bool, frame: usize, input: usize) -> usize {
        match atom {
            Atom::Group(chain) => self.chain(chain, frame, input),
            Atom::Broken => self.broken(),
            Atom::Call(call) => {
                if !self.work(call.site, STEP) {
                    return self.broken();
                }
                match self.shared.targets[call.id] {
                    Target::Id => input,
                    // A join that is too wide has none of the values in its branches.
                    Target::Value(id) => self.named.get(&id).copied().unwrap_or_else(|| self.broken()),
                    Target::Layer(kind) => self.layer(call, kind, name, prefixed, frame, input),
                    Target::Block(index) => self.block(call, index, prefixed, frame, input),
                    Target::Network(index) => self.step_network(call, index, prefixed, frame, input),
                    Target::Broken => self.broken(),
                }
            }
        }
    }

    fn layer(
        &mut self,
        call: &'a Call,
        kind: Kind,
        name: Option<&str>,
        prefixed: bool,
        frame: usize,
        input: usize,
    ) -> usize {
        let (mut args, mut inputs, mut branches) = (Vec::new(), vec![input], Vec::new());
        match &call.args {
            Args::Values(values) => args = self.arguments(values, kind, frame),
            Args::Branches(chains) => {
                if self.too_wide(call, chains.len(), frame) {
                    return self.broken();
                }
                branches = chains.iter().map(|chain| chain.site).collect();
                inputs = chains.iter().map(|chain| self.chain(chain, frame, input)).collect();
            }
            Args::None | Args::Skipped => {}
        }
        self.layers += 1;
        self.reads += inputs.len();
        self.shared.all_layers += 1;
        if self.full || self.too_many(call, frame) {
            return self.broken();
        }
        let name = match name {
            Some(own) => self.naming.own(own),
            None if prefixed => self.naming.prefix(),
            None => self.naming.number(kind.label(), &self.reserved),
        };
        let rounds = self.rounds;
        self.instrs.push(Instr::Layer(Layer { call, kind, args, inputs, branches, name, frame, rounds }));
        self.values += 1;
        self.values
    }
}

/// One note for each call that led to a frame, the innermost first.
pub fn call_notes(frames: &[Frame<'_>], mut frame: usize) -> Vec<String> {
    const SHOWN: usize = 4;
    let mut notes = Vec::new();
    while let Some((caller, site)) = frames[frame].caller {
        if notes.len() == SHOWN {
            notes.push("... and further calls".into());
            break;
        }
        notes.push(format!("in {} `{}`, called at {}", frames[frame].what, frames[frame].name, site.line_col()));
        frame = caller;
    }
    notes
}
