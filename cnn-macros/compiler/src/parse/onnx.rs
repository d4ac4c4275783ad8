//! Networks that come from ONNX models: their text is read as if it stood in the place of the file's name.

use proc_macro2::{Group, Ident, Span, TokenStream};

use super::Parser;
use super::cursor::{Cursor, Token, flatten};
use crate::ast::{Chain, Model, NetworkDef, Program, Weights};
use crate::diag::Site;

impl Parser<'_> {
    /// Reads `= onnx "path" embed` behind a network's name, if that stands here, and the model.
    pub(super) fn onnx(
        &mut self,
        name: &Ident,
        attrs: &[syn::Attribute],
        vis: &syn::Visibility,
        cursor: &mut Cursor<'_>,
        program: &mut Program,
    ) -> bool {
        let is_onnx = matches!(cursor.peek_at(1), Some(Token::Ident(word)) if word == "onnx");
        if !cursor.is_punct('=') || !is_onnx {
            return false;
        }
        cursor.take();
        let word = cursor.site();
        cursor.take();
        let path = match cursor.peek() {
            Some(Token::Literal(text, _)) => syn::parse_str::<syn::LitStr>(text).ok().map(|literal| literal.value()),
            _ => None,
        };
        let site = if cursor.at_end() { word } else { cursor.site() };
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            self.error(site, format!("expected the name of a file in quotes: `{name} = onnx \"model.onnx\"`"));
            cursor.skip_until(|cursor| cursor.is_punct(';'));
            return true;
        };
        let span = cursor.site().start;
        cursor.take();
        let embed = self.embed(cursor);
        if !cursor.at_end() && !cursor.is_punct(';') {
            let found = cursor.describe();
            let message = format!("a model is the whole network: expected `;` or `embed` behind it, found {found}");
            self.error(cursor.site(), message);
            cursor.skip_until(|cursor| cursor.is_punct(';'));
        }
        let before = self.diagnostics.len();
        let read = self.model(&path, span, embed);
        let (tokens, model) = match read {
            Ok((tokens, model)) => (tokens, Some(model)),
            Err(problems) => {
                problems.into_iter().for_each(|problem| self.error(site, problem));
                (Vec::new(), None)
            }
        };
        let mut text = Cursor::new(&tokens, Site::of(span));
        let input = if model.is_some() { self.dims(&mut text, &[3]) } else { None };
        text.eat_arrow();
        let chain = match &model {
            Some(_) => self.chain(&mut text, '\0'),
            None => Chain { steps: Vec::new(), site, broken: true },
        };
        let broken = model.is_none() || self.diagnostics.len() > before;
        let weights = model.map(|model| Weights { path, site, embed, model: Some(model) });
        let (attrs, vis, name) = (attrs.to_vec(), vis.clone(), name.clone());
        program.networks.push(NetworkDef { attrs, vis, name, expression: false, input, weights, chain, broken });
        true
    }

    /// The tokens of a model's text, all of which stand at `span`, and what else it has.
    #[cfg(feature = "onnx")]
    fn model(&self, path: &str, span: Span, embed: bool) -> Result<(Vec<Token>, Model), Vec<String>> {
        let named = |problem: &String| format!("`{path}`: {problem}");
        let problems = |error: cnn_model::onnx::Error| error.problems().iter().map(named).collect::<Vec<_>>();
        let model = cnn_model::onnx::Model::open(self.folder.join(path)).map_err(problems)?;
        let beside = model.beside();
        if let (true, Some(first)) = (embed, beside.first()) {
            let first = first.display();
            return Err(vec![format!("`{path}`: it keeps tensors in `{first}`: embedding needs a model of one file")]);
        }
        let imported = model.import().map_err(problems)?;
        let text: TokenStream = imported.text.parse().map_err(|_| vec![named(&"its text is no Rust".into())])?;
        let mut tokens = Vec::new();
        flatten(text, &mut tokens);
        place(&mut tokens, span);
        let tensors = imported.tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape().to_vec()));
        Ok((tokens, Model { tensors: tensors.collect(), beside }))
    }

    #[cfg(not(feature = "onnx"))]
    fn model(&self, _: &str, _: Span, _: bool) -> Result<(Vec<Token>, Model), Vec<String>> {
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
