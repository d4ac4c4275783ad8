//! What every name refers to. Reports unknown, unused, doubled and recursive names; what it lets through can be lowered
//! without looking at names again.

mod cycles;
mod unused;

use std::collections::{HashMap, HashSet};

use proc_macro2::Ident;

use crate::ast::{Args, Atom, BlockDef, Call, Chain, Program, Step, ValueName};
use crate::diag::{Diagnostics, SHOWN, Site};
use crate::emit::TYPES;
use crate::op::{Kind, LAYERS};
use crate::suggest;

/// The longest name of a value, block or parameter, in characters: names become parts of tensor names.
const LONGEST: usize = 64;

/// What the name of a call refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A layer.
    Layer(Kind),
    /// A block, by index.
    Block(usize),
    /// Another network of the invocation, by index.
    Network(usize),
    /// A value named earlier, by the id of the name.
    Value(usize),
    /// The current value.
    Id,
    /// Wrong, which has been reported.
    Broken,
}

/// Resolves every call of a program; the result is indexed by call id.
pub fn resolve(program: &Program, diagnostics: &Diagnostics) -> Vec<Target> {
    let mut resolver = Resolver {
        program,
        diagnostics,
        items: HashMap::new(),
        conditional: HashSet::new(),
        targets: vec![Target::Broken; program.calls],
        scopes: Vec::new(),
        misnamed: HashSet::new(),
        misnamed_items: HashSet::new(),
        own: None,
        from_model: false,
        open: Vec::new(),
        unsure: false,
        doubtful: false,
        torn: false,
        hidden: HashMap::new(),
        all: HashMap::new(),
    };
    resolver.declare_items();
    let mut calls = cycles::Calls::new(program);
    let mut sound = Vec::new();
    for (index, block) in program.blocks.iter().enumerate() {
        let before = diagnostics.len();
        resolver.params(block);
        resolver.item(Target::Block(index), &block.chain);
        calls.add(Target::Block(index), &resolver.open);
        let defined = resolver.items.get(&block.name.to_string()).map(|(target, _)| *target);
        if !block.broken && diagnostics.len() == before && defined == Some(Target::Block(index)) {
            sound.push(index);
        }
    }
    for (index, network) in program.networks.iter().enumerate() {
        resolver.from_model = network.weights.as_ref().is_some_and(|weights| weights.model.is_some());
        resolver.item(Target::Network(index), &network.chain);
        calls.add(Target::Network(index), &resolver.open);
    }
    resolver.report_unused(&resolver.targets.iter().copied().collect(), &sound);
    let mut targets = resolver.targets;
    for call in calls.report_cycles(diagnostics) {
        targets[call] = Target::Broken;
    }
    targets
}

/// A named value.
struct Name {
    id: usize,
    site: Site,
    /// Whether a branch reads it, or tensors are called by it.
    used: bool,
}

struct Resolver<'p> {
    program: &'p Program,
    diagnostics: &'p Diagnostics,
    items: HashMap<String, (Target, Site)>,
    /// Names of several networks, of which conditions that are rustc's to know leave one.
    conditional: HashSet<String>,
    targets: Vec<Target>,
    /// Names that can be seen, the innermost scope last. A repeated step is a scope of its own.
    scopes: Vec<HashMap<String, Name>>,
    /// Names of layers and items that were given to values of the item at hand all the same.
    misnamed: HashSet<String>,
    /// Names of layers that were given to blocks and networks all the same.
    misnamed_items: HashSet<String>,
    /// The item at hand.
    own: Option<Target>,
    /// Whether it is a model's text, whose names nobody chose.
    from_model: bool,
    /// The calls of the item at hand to blocks and networks.
    open: Vec<(Target, usize, Site)>,
    /// Whether a part of the item could not be read, so that a name may be used there.
    unsure: bool,
    /// Whether that holds of any item, so that a block may be called there.
    doubtful: bool,
    /// Whether the item's chain could not be read to its end.
    torn: bool,
    /// Names of repeated steps that cannot be seen any more.
    hidden: HashMap<String, Site>,
    /// The last name of each value of the item at hand, wherever it stands.
    all: HashMap<String, Site>,
}

impl<'p> Resolver<'p> {
    fn error(&self, site: Site, message: String) {
        self.diagnostics.error(site, message);
    }

    fn declare_items(&mut self) {
        let program = self.program;
        let blocks = program.blocks.iter().enumerate().map(|(index, block)| (&block.name, Target::Block(index)));
        let networks = program.networks.iter().enumerate();
        let networks = networks.filter(|(_, network)| !network.expression);
        let networks = networks.map(|(index, network)| (&network.name, Target::Network(index)));
        for (name, target) in blocks.chain(networks) {
            let site = Site::of(name.span());
            if self.is_reserved(name) {
                self.misnamed_items.insert(name.to_string());
                continue;
            }
            if (matches!(target, Target::Network(_)) && self.is_emitted(name)) {
                continue;
            }
            match self.items.get(&name.to_string()) {
                Some(&(Target::Network(first), _)) if self.are_conditional(first, target) => {
                    self.conditional.insert(name.to_string());
                }
                Some((_, first)) => {
                    self.error(site, format!("`{name}` is defined twice, first at {}", first.line_col()));
                }
                None => {
                    self.items.insert(name.to_string(), (target, site));
                }
            }
        }
    }

    /// Whether conditions may leave one of two networks.
    fn are_conditional(&self, first: usize, second: Target) -> bool {
        let Target::Network(second) = second else { return false };
        [first, second].iter().all(|network| self.program.networks[*network].is_conditional())
    }

    /// Reports a name that cannot be given because it already means something or is too long.
    fn is_reserved(&self, name: &Ident) -> bool {
        let (text, site) = (name.to_string(), Site::of(name.span()));
        if Kind::named(&text).is_some() || text == "id" {
            self.error(site, format!("`{text}` is the name of a layer: choose another name"));
        } else if text == "_" {
            self.error(site, "`_` names nothing: choose a name, or leave the name out".into());
        } else if text.chars().count() > LONGEST {
            self.error(site, format!("this name is longer than {LONGEST} characters"));
        } else {
            return false;
        }
        true
    }

    /// Reports the name of a network that the emitted code uses for something else.
    fn is_emitted(&self, name: &Ident) -> bool {
        let taken = TYPES.contains(&name.to_string().as_str());
        if taken {
            let message = format!("the generated code uses the name `{name}` itself: choose another for the network");
            self.error(Site::of(name.span()), message);
        }
        taken
    }

    fn params(&self, block: &BlockDef) {
        let mut seen: HashMap<String, Site> = HashMap::new();
        for param in &block.params {
            let (text, site) = (param.name.to_string(), Site::of(param.name.span()));
            if self.is_reserved(&param.name) {
                continue;
            }
            if crate::op::sizes::is_option_word(&text) {
                self.error(
                    site,
                    format!("`{text}` is how an option is written: choose another name for the parameter"),
                );
            }
            if let Some(first) = seen.insert(text.clone(), site) {
                self.error(site, format!("parameter `{text}` is defined twice, first at {}", first.line_col()));
            }
        }
    }

    fn item(&mut self, own: Target, chain: &'p Chain) {
        self.own = Some(own);
        self.misnamed.clear();
        self.open.clear();
        self.unsure = chain.broken;
        self.torn = chain.broken;
        self.hidden.clear();
        self.all.clear();
        self.collect(chain);
        self.scopes.push(HashMap::new());
        self.chain(chain, false);
        self.close_scope();
        self.doubtful |= self.unsure;
    }

    /// Notes every name that a chain gives.
    fn collect(&mut self, chain: &Chain) {
        for step in &chain.steps {
            self.all.extend(step.name.iter().map(|name| (name.ident.to_string(), Site::of(name.ident.span()))));
            match &step.atom {
                Atom::Group(chain) => self.collect(chain),
                Atom::Call(Call { args: Args::Branches(branches), .. }) => {
                    branches.iter().for_each(|branch| self.collect(branch));
                }
                _ => {}
            }
        }
    }

    fn close_scope(&mut self) {
        let Some(scope) = self.scopes.pop() else { return };
        self.hidden.extend(scope.iter().map(|(text, name)| (text.clone(), name.site)));
        let mut unused: Vec<_> =
            scope.into_iter().filter(|(text, name)| !name.used && !text.starts_with('_')).collect();
        unused.sort_by_key(|(_, name)| name.site.key());
        if !self.unsure {
            for (text, name) in unused {
                let message = format!(
                    "`{text}` is never used: read it in a later `add` or `concat`, remove the name, or write `_{text}`"
                );
                self.error(name.site, message);
            }
        }
    }

    fn chain(&mut self, chain: &'p Chain, branch: bool) {
        for (index, step) in chain.steps.iter().enumerate() {
            self.step(step, branch && index == 0);
        }
    }

    fn step(&mut self, step: &'p Step, starts_branch: bool) {
        let repeated = step.repeat.is_some();
        if repeated {
            self.scopes.push(HashMap::new());
        }
        match &step.atom {
            Atom::Call(call) => self.call(call, starts_branch, repeated),
            Atom::Group(chain) => self.chain(chain, starts_branch && !repeated),
            Atom::Broken => self.unsure = true,
        }
        if repeated {
            self.close_scope();
        }
        if let Some(name) = &step.name {
            self.define(name, self.names_tensors(step));
        }
    }

    /// Whether the name of a step is a part of tensors' names. That of a join is not that of its branches, unless it is
    /// repeated.
    fn names_tensors(&self, step: &Step) -> bool {
        match &step.atom {
            Atom::Call(Call { args: Args::Branches(_), .. }) if step.repeat.is_none() => false,
            atom => self.has_tensors(atom),
        }
    }

    fn has_tensors(&self, atom: &Atom) -> bool {
        let any = |chain: &Chain| chain.steps.iter().any(|step| self.has_tensors(&step.atom));
        match atom {
            Atom::Group(chain) => any(chain),
            Atom::Call(Call { args: Args::Branches(branches), .. }) => branches.iter().any(any),
            Atom::Call(call) => match self.targets[call.id] {
                Target::Layer(kind) => kind.has_tensors(),
                // Hardly any has none.
                Target::Block(_) | Target::Network(_) => true,
                Target::Value(_) | Target::Id | Target::Broken => false,
            },
            Atom::Broken => false,
        }
    }

    fn define(&mut self, name: &ValueName, used: bool) {
        let (text, site) = (name.ident.to_string(), Site::of(name.ident.span()));
        if self.is_reserved(&name.ident) {
            self.misnamed.insert(text);
            return;
        }
        // A model cannot know what else the invocation has: its names hide items.
        if let Some((_, first)) = self.items.get(&text).filter(|_| !self.from_model) {
            self.error(site, format!("`{text}` already names the item at {}: choose another name", first.line_col()));
            self.misnamed.insert(text);
            // What uses the name may mean the item.
            self.doubtful = true;
        } else if let Some(first) = self.scopes.iter().rev().find_map(|scope| scope.get(&text)) {
            self.error(
                site,
                format!("`{text}` is named twice, first at {}: choose another name", first.site.line_col()),
            );
        } else if let Some(scope) = self.scopes.last_mut() {
            scope.insert(text, Name { id: name.id, site, used });
        }
    }

    fn call(&mut self, call: &'p Call, starts_branch: bool, repeated: bool) {
        let target = self.target(call, starts_branch, repeated);
        self.targets[call.id] = target;
        match target {
            Target::Block(_) | Target::Network(_) => self.open.push((target, call.id, Site::of(call.name.span()))),
            Target::Layer(_) => {}
            _ => return,
        }
        if let Args::Branches(branches) = &call.args {
            for branch in branches {
                self.chain(branch, true);
            }
        }
    }

    fn target(&mut self, call: &Call, starts_branch: bool, repeated: bool) -> Target {
        let text = call.name.to_string();
        let bare = matches!(call.args, Args::None);
        let wrong =
            if bare { starts_branch && self.misnamed.contains(&text) } else { self.misnamed_items.contains(&text) };
        if wrong {
            return Target::Broken;
        }
        if let Some(kind) = Kind::named(&text) {
            return Target::Layer(kind);
        }
        if text == "id" {
            if !bare {
                self.error(call.site, "`id` is the current value and takes no arguments".into());
            }
            return Target::Id;
        }
        if let Some(name) = self.scopes.iter_mut().rev().find_map(|scope| scope.get_mut(&text)) {
            name.used = true;
            let id = name.id;
            return self.value(call, id, starts_branch, repeated);
        }
        match self.items.get(&text) {
            Some((Target::Network(_), _)) if !bare => {
                self.error(call.site, format!("`{text}` is a network and takes no arguments: write `{text}`"));
                Target::Broken
            }
            Some(_) if self.conditional.contains(&text) => {
                let message = format!(
                    "`{text}` is defined several times, each under a `cfg` that only rustc can read: give each a name of its own to use it as a step"
                );
                self.error(call.site, message);
                Target::Broken
            }
            Some((target, _)) => *target,
            None => {
                self.unsure = true;
                self.unknown(call, bare);
                Target::Broken
            }
        }
    }

    fn value(&self, call: &Call, id: usize, starts_branch: bool, repeated: bool) -> Target {
        let text = &call.name;
        let message = match (&call.args, starts_branch, repeated) {
            (Args::None, true, false) => return Target::Value(id),
            (Args::None, true, true) => format!("`{text}` is a value and cannot be repeated"),
            (Args::None, false, _) => {
                format!(
                    "`{text}` is a value: it can only begin a branch, as in `add(id, {text})` or `concat(id, {text})`"
                )
            }
            _ => format!("`{text}` is a value and takes no arguments"),
        };
        self.error(call.site, message);
        Target::Broken
    }

    fn unknown(&self, call: &Call, bare: bool) {
        let text = call.name.to_string();
        if let Some(hidden) = self.hidden.get(&text) {
            let place = hidden.line_col();
            let message =
                format!("`{text}` is named inside a repeated step, at {place}, and cannot be seen outside it");
            return self.error(Site::of(call.name.span()), message);
        }
        if let Some(later) = self.all.get(&text).filter(|_| bare) {
            let place = later.line_col();
            let message = format!("`{text}` is named only at {place}: a branch can begin with an earlier value");
            return self.error(Site::of(call.name.span()), message);
        }
        if self.diagnostics.len() >= SHOWN {
            // Nobody reads the hint, and finding one looks at every name.
            return self.error(Site::of(call.name.span()), format!("nothing is called `{text}`"));
        }
        let layers = LAYERS.iter().map(|(name, _)| *name).chain(bare.then_some("id"));
        // A network takes no arguments, and contains itself nowhere.
        let fits = |target: Target| Some(target) != self.own && (bare || !matches!(target, Target::Network(_)));
        let items = self.items.iter().filter(|(_, (target, _))| fits(*target)).map(|(name, _)| name.as_str());
        let values = self.scopes.iter().flat_map(|scope| scope.keys().map(String::as_str)).filter(|_| bare);
        let mut known: Vec<&str> = items.chain(values).collect();
        known.sort_unstable();
        let hint = suggest::did_you_mean(&text, layers.chain(known));
        if self.torn && bare && hint.is_empty() {
            // It may be named in what could not be read.
            return;
        }
        let what = if bare { "layer, block, network or earlier value" } else { "layer or block" };
        let list = if hint.is_empty() {
            format!(": the layers are {}", LAYERS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "))
        } else {
            String::new()
        };
        self.error(Site::of(call.name.span()), format!("no {what} is called `{text}`{hint}{list}"));
    }
}
