//! The file of weights, as far as the parser is concerned with it.

use super::{check, errors};
use crate::front::analyse;

#[test]
fn the_file_stands_in_quotes_and_embed_behind_it() {
    let quotes = "expected the name of a file in quotes, like `weights = \"net.safetensors\"`";
    let arrow = "an arrow is missing between the weights and `relu`";
    check(&[
        ("A <1x8x8> weights = 3 -> relu", "3", quotes),
        ("A <1x8x8> weights = \"\" -> relu", "\"\"", quotes),
        ("A <1x8x8> weights = b\"a\" -> relu", "b\"a\"", quotes),
        ("A <1x8x8> weights = net.safetensors -> relu", "net", quotes),
        (
            "A <1x8x8> weights = \"a\" embedded -> relu",
            "embedded",
            "behind the file stands `embed`, `direct` or an arrow, found `embedded`; did you mean `embed`?",
        ),
        (
            "A <1x8x8> weights = \"a\" dirct -> relu",
            "dirct",
            "behind the file stands `embed`, `direct` or an arrow, found `dirct`; did you mean `direct`?",
        ),
        ("A <1x8x8> weights = \"a\" relu", "relu", arrow),
        ("A <1x8x8> weights = \"a\" embed relu", "relu", arrow),
        (
            "A <1x8x8> -> relu B <1x8x8> weights = \"a\" -> relu",
            "B",
            "a `;` is missing before `B`, which begins the next item",
        ),
    ]);
}

#[test]
fn a_step_may_be_called_weights() {
    assert!(errors("<1x8x8> weights = relu -> add(id, weights)").is_empty());
    assert!(errors("A <1x8x8> -> weights = relu -> add(id, weights)").is_empty());
}

#[test]
fn both_forms_take_a_file() {
    for (source, path, embed) in [
        ("A <1x8x8> weights = \"a/b.safetensors\" -> relu", "a/b.safetensors", false),
        ("A <1x8x8> weights = r\"a\" embed -> relu", "a", true),
        ("<1x8x8> weights = \"a\" relu", "a", false),
        ("<1x8x8> weights = \"a\" embed -> relu", "a", true),
    ] {
        let (networks, diagnostics) = analyse(source.parse().expect("test source lexes"));
        assert!(diagnostics.into_vec().is_empty(), "{source}");
        let weights = networks[0].weights.as_ref().expect("a file");
        assert_eq!((weights.path.as_str(), weights.embed), (path, embed), "{source}");
    }
}

#[test]
fn no_arrow_stands_behind_a_model() {
    for (word, hint) in [("embd", "; did you mean `embed`?"), ("dirct", "; did you mean `direct`?"), ("big", "")] {
        let source = format!("A = onnx \"none.onnx\" {word} -> relu");
        let expected =
            format!("a model is the whole network: expected `;`, `embed` or `direct` behind it, found `{word}`{hint}");
        // The other error says that there is no such file.
        let errors = errors(&source);
        assert_eq!((errors.len(), &errors[1].message), (2, &expected));
    }
}
