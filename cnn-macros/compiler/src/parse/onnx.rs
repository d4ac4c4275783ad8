//! Networks that come from ONNX models: their text is read as if it stood in the place of the file's name.

use proc_macro2::{Group, Ident, Span, TokenStream};

use super::cursor::{Cursor, Token};
use super::direct::DIRECT;
use super::weights::{EMBED, eat_embed};
use super::{Parser, is_item_start};
use crate::ast::{Chain, Model, NetworkDef, Program, Weights};
use crate::attrs;
use crate::diag::Site;
use crate::suggest::did_you_mean;

/// The file of a model, as it is written.
struct File {
    path: String,
    span: Span,
    embed: bool,
    direct: bool,
}

impl Parser<'_> {
    /// Reads `= onnx "path" embed direct` behind a network's name, if that stands here, and the model.
    pub(super) fn onnx(
        &mut self,
        name: &Ident,
        attrs: &[syn::Attribute],
        vis: &syn::Visibility,
        cursor: &mut Cursor<'_>,
        program: &mut Program,
    ) -> bool {
        let is_file = match cursor.peek_at(1) {
            Some(Token::Ident(word)) => word == "onnx",
            Some(Token::Literal(..)) => true,
            _ => false,
        };
        if !cursor.is_punct('=') || !is_file {
            return false;
        }
        let (vis, expression, start) = (vis.clone(), false, Site::of(name.span()));
        let read = self.file(name, cursor).and_then(|file| match self.model(&file) {
            Ok((tokens, model)) => Some((file, tokens, model)),
            Err(problems) => {
                self.diagnostics.under(attrs::conditions(attrs), || {
                    problems.into_iter().for_each(|problem| self.error(Site::of(file.span), problem));
                });
                None
            }
        });
        let before = self.diagnostics.len();
        let (input, weights, direct, chain) = match read {
            Some((File { path, span, embed, direct }, tokens, model)) => {
                let mut text = Cursor::new(&tokens, Site::of(span));
                let input = self.dims(&mut text, &[3]);
                text.eat_arrow();
                let chain = self.chain(&mut text, '\0');
                (input, Some(Weights { path, site: Site::of(span), embed, model: Some(model) }), direct, chain)
            }
            // The type exists all the same.
            None => (None, None, false, Chain { steps: Vec::new(), site: start, broken: true }),
        };
        let broken = chain.broken || self.diagnostics.len() > before;
        let (name, attrs) = (name.clone(), attrs.to_vec());
        program.networks.push(NetworkDef { attrs, vis, name, expression, input, weights, direct, chain, broken });
        true
    }

    /// Reads what stands behind the name of a network from a file; what is no such file is reported.
    fn file(&mut self, name: &Ident, cursor: &mut Cursor<'_>) -> Option<File> {
        cursor.take();
        let word = cursor.site();
        let says_onnx = cursor.ident().is_some();
        if says_onnx {
            cursor.take();
        }
        let path = match cursor.peek() {
            Some(Token::Literal(text, _)) => syn::parse_str::<syn::LitStr>(text).ok().map(|literal| literal.value()),
            _ => None,
        };
        let Some(path) = path.filter(|path| says_onnx && !path.is_empty()) else {
            let site = if cursor.at_end() { word } else { cursor.site() };
            self.error(site, format!("a network from a file is written `{name} = onnx \"model.onnx\"`"));
            cursor.skip_until(|cursor| cursor.is_punct(';'));
            return None;
        };
        let span = cursor.site().start;
        cursor.take();
        let embed = eat_embed(cursor);
        // Another word is no slip of this one before an arrow: none follows.
        let direct = cursor.ident().is_some_and(|word| word == DIRECT) && self.direct(cursor);
        let ends = cursor.at_end() || cursor.is_punct(';') || (is_item_start(cursor) && self.missing_semicolon(cursor));
        if !ends {
            let found = cursor.describe();
            let word = cursor.ident().filter(|word| *word != EMBED);
            let hint = word.map(|word| did_you_mean(&word.to_string(), [EMBED, DIRECT])).unwrap_or_default();
            let message = format!(
                "a model is the whole network: expected `;`, `{EMBED}` or `{DIRECT}` behind it, found {found}{hint}"
            );
            self.error(cursor.site(), message);
            cursor.skip_until(|cursor| cursor.is_punct(';'));
        }
        Some(File { path, span, embed, direct })
    }

    /// The tokens of a model's text, all of which stand at `span`, and what else it has.
    #[cfg(feature = "onnx")]
    fn model(&self, file: &File) -> Result<(Vec<Token>, Model), Vec<String>> {
        let File { path, span, embed, .. } = file;
        let named = |problem: &String| format!("`{path}`: {problem}");
        let problems = |error: cnn_model::onnx::Error| error.problems().iter().map(named).collect::<Vec<_>>();
        let place_of_file = self.folder.join(path);
        if !place_of_file.is_file() {
            let problem = "there is no such file; the path is relative to the folder of `Cargo.toml`";
            return Err(vec![named(&problem.into())]);
        }
        let model = cnn_model::onnx::Model::open(place_of_file).map_err(problems)?;
        let beside = model.beside();
        if let (true, Some(first)) = (*embed, beside.first()) {
            let first = first.display();
            return Err(vec![format!("`{path}`: it keeps tensors in `{first}`: embedding needs a model of one file")]);
        }
        let imported = model.import().map_err(problems)?;
        let text: TokenStream = imported.text.parse().map_err(|_| vec![named(&"its text is no Rust".into())])?;
        let mut tokens = Vec::new();
        super::cursor::flatten(text, &mut tokens);
        place(&mut tokens, *span);
        let tensors = imported.tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape().to_vec()));
        Ok((tokens, Model { tensors: tensors.collect(), beside }))
    }

    #[cfg(not(feature = "onnx"))]
    fn model(&self, _: &File) -> Result<(Vec<Token>, Model), Vec<String>> {
        Err(vec!["ONNX models are read with cnn-runtime's feature `onnx`, which is off".into()])
    }
}

/// Moves tokens to where the file's name stands.
#[cfg_attr(not(feature = "onnx"), allow(dead_code))]
fn place(tokens: &mut [Token], at: Span) {
    for token in tokens {
        match token {
            Token::Ident(ident) => ident.set_span(at),
            Token::Punct(_, _, span) | Token::Literal(_, span) => *span = at,
            Token::Group(group, inner) => {
                // The tokens inside are those of `inner`.
                *group = Group::new(group.delimiter(), TokenStream::new());
                group.set_span(at);
                place(inner, at);
            }
        }
    }
}
