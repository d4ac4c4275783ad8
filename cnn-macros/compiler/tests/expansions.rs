//! Golden expansions, formatted: what a user would read. `INSTA_UPDATE=always` writes them anew.

use cnn_compiler::expand;
use proc_macro2::TokenStream;
use quote::quote;

fn items(source: &str) -> String {
    let expansion = expand(source.parse().expect("the source lexes"));
    prettyplease::unparse(&syn::parse2(expansion).expect("the expansion is Rust"))
}

fn expression(source: &str) -> String {
    let expansion = expand(source.parse::<TokenStream>().expect("the source lexes"));
    let file = quote!(fn main() { let net = #expansion; });
    prettyplease::unparse(&syn::parse2(file).expect("the expansion is an expression"))
}

#[test]
fn a_chain() {
    insta::assert_snapshot!(items(
        "/// LeNet-5 as of 1998, for 28x28 grey digits.
         #[derive(Clone, Debug)]
         pub LeNet5 <1x28x28>
             -> conv(6, 5x5, p2) -> tanh -> avgpool(2)
             -> conv(16, 5x5)    -> tanh -> avgpool(2)
             -> fc(120) -> tanh -> fc(84) -> tanh -> fc(10)"
    ));
}

#[test]
fn a_residual_block() {
    insta::assert_snapshot!(items(
        "block basic(c, s = 1) =
             add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;
         Residual <3x8x8> -> basic(4) -> basic(8, s2) -> avgpool(global) -> fc(5)"
    ));
}

#[test]
fn branches_with_names() {
    insta::assert_snapshot!(items(
        "pub(crate) Branches <2x7x7>
             -> stem = conv(4, 3x3) -> relu
             -> concat(conv(3, 1x1), pool(3, s1, p1) -> conv(2, 1x1), stem)
             -> dropout(0.25) -> fc(6) -> softmax"
    ));
}

#[test]
fn an_expression() {
    insta::assert_snapshot!(expression("<1x28x28> conv(6,5x5,s1) -> relu -> pool(2,s2) -> fc(10)"));
}

#[test]
fn a_mistake() {
    insta::assert_snapshot!(items("pub Wrong <1x8x8> -> conv(4, 9x9) -> relu -> fc(10)"));
}
