//! What the user wrote, with a site for every part an error may point at.

use std::path::PathBuf;

use proc_macro2::Ident;

use crate::diag::Site;

/// The items of one invocation.
#[derive(Debug, Default)]
pub struct Program {
    /// Networks in source order.
    pub networks: Vec<NetworkDef>,
    /// Blocks in source order.
    pub blocks: Vec<BlockDef>,
    /// The number of [`Call`]s, whose ids count from zero.
    pub calls: usize,
}

/// `pub Name <CxHxW> weights direct -> chain`, or `<CxHxW> weights direct chain` in the expression form.
#[derive(Debug)]
pub struct NetworkDef {
    /// Attributes and doc comments.
    pub attrs: Vec<syn::Attribute>,
    /// Visibility.
    pub vis: syn::Visibility,
    /// Name; `Net` in the expression form.
    pub name: Ident,
    /// Whether this is the expression form.
    pub expression: bool,
    /// The declared input shape; `None` where it was missing or unreadable, and not of three sizes where that is the
    /// mistake, which has been reported.
    pub input: Option<Dims>,
    /// The file of its weights, if it names one.
    pub weights: Option<Weights>,
    /// Whether `direct` stands before its layers: all their products are to be computed, in single precision.
    pub direct: bool,
    /// The layers.
    pub chain: Chain,
    /// Whether the parser reported an error inside this item.
    pub broken: bool,
}

impl NetworkDef {
    /// Whether attributes decide if it is compiled at all.
    pub fn is_conditional(&self) -> bool {
        !crate::attrs::conditions(&self.attrs).is_empty()
    }
}

/// `weights = "path" embed`, or `onnx "path" embed`.
#[derive(Clone, Debug)]
pub struct Weights {
    /// The file, relative to the user's crate.
    pub path: String,
    /// The literal.
    pub site: Site,
    /// Whether the file becomes a part of the binary.
    pub embed: bool,
    /// What was read of the file where the network itself comes from it.
    pub model: Option<Model>,
}

/// What an ONNX model has beside its layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The tensors that its weights are made into: names and shapes.
    pub tensors: Vec<(String, Vec<usize>)>,
    /// Other files that it keeps tensors in.
    pub beside: Vec<PathBuf>,
}

/// `block name(params) = chain`.
#[derive(Debug)]
pub struct BlockDef {
    /// Name.
    pub name: Ident,
    /// Parameters in order.
    pub params: Vec<Param>,
    /// The body.
    pub chain: Chain,
    /// Whether the parser reported an error inside this item.
    pub broken: bool,
}

/// A parameter of a block.
#[derive(Debug)]
pub struct Param {
    /// Name.
    pub name: Ident,
    /// Its value where a call gives none.
    pub default: Option<Expr>,
}

/// Steps joined by arrows.
#[derive(Debug)]
pub struct Chain {
    /// The steps in order.
    pub steps: Vec<Step>,
    /// From the first to the last token.
    pub site: Site,
    /// Whether the parser reported an error in it: a name may be used where it could not read.
    pub broken: bool,
}

/// `name = atom * repeat <annotation>`.
#[derive(Debug)]
pub struct Step {
    /// The name given to the output.
    pub name: Option<ValueName>,
    /// The layer, call, group or value.
    pub atom: Atom,
    /// How often the atom stands in a row.
    pub repeat: Option<Expr>,
    /// The promised output shape.
    pub annotation: Option<Dims>,
}

/// The name of a step's output.
#[derive(Debug)]
pub struct ValueName {
    /// Position among all of the invocation.
    pub id: usize,
    /// The name.
    pub ident: Ident,
}

/// What stands between two arrows.
#[derive(Debug)]
pub enum Atom {
    /// A layer, a block, a network, a value or `id`: names decide which.
    Call(Call),
    /// `( chain )`.
    Group(Chain),
    /// Unreadable, which has been reported.
    Broken,
}

/// A name with its arguments.
#[derive(Debug)]
pub struct Call {
    /// Position among all calls of the invocation.
    pub id: usize,
    /// The name.
    pub name: Ident,
    /// The arguments.
    pub args: Args,
    /// The name and its parentheses.
    pub site: Site,
}

/// The arguments of a call.
#[derive(Debug)]
pub enum Args {
    /// No parentheses.
    None,
    /// Numbers and options.
    Values(Vec<Arg>),
    /// The branches of `add` and `concat`.
    Branches(Vec<Chain>),
    /// Arguments of an unknown name, which are not read.
    Skipped,
}

/// One argument: `6`, `5x5`, `s2`, `eps = 1e-5`, or `400 -> 120`.
#[derive(Debug)]
pub struct Arg {
    /// The key in `key = value`.
    pub key: Option<Ident>,
    /// The value.
    pub value: Expr,
    /// The right side of `value -> target`.
    pub target: Option<Expr>,
    /// The whole argument.
    pub site: Site,
}

/// An expression in an argument or a repeat count.
#[derive(Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// All of its tokens.
    pub site: Site,
}

/// The forms of an [`Expr`]. Sums and products are flat, so that long ones nest no deeper than short ones.
#[derive(Debug)]
pub enum ExprKind {
    /// A whole number.
    Int(usize),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// `5x5`.
    Dims(Vec<usize>),
    /// A parameter or an option word.
    Name(Ident),
    /// An option with a computed size: `p(k / 2)`.
    Option(Ident, Box<Expr>),
    /// Terms, each added or (`true`) subtracted.
    Sum(Vec<(bool, Expr)>),
    /// Factors, each multiplied or (`true`) dividing.
    Product(Vec<(bool, Expr)>),
    /// Unreadable, which has been reported.
    Broken,
}

/// A shape in angle brackets: three sizes, or one for a flat value. All are at least 1.
#[derive(Debug)]
pub struct Dims {
    /// The sizes.
    pub sizes: Vec<usize>,
    /// The brackets and what is between them.
    pub site: Site,
}
