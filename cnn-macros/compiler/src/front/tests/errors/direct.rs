//! The word `direct` before the layers of a network.

use super::{check, errors};

#[test]
fn the_word_stands_once_before_the_arrow() {
    check(&[
        ("A <1x8x8> direct direct -> relu", "direct", "`direct` is given twice: remove it"),
        ("A <1x8x8> direct relu", "relu", "an arrow is missing between `direct` and `relu`"),
        (
            "A <1x8x8> dirct -> relu",
            "dirct",
            "before the layers stands `direct` or an arrow, found `dirct`; did you mean `direct`?",
        ),
        ("A <1x8x8> direct weights = \"a\" -> relu", "weights = \"a\"", "the file of weights stands before `direct`"),
        ("A <1x8x8> -> relu B <1x8x8> direct -> relu", "B", "a `;` is missing before `B`, which begins the next item"),
    ]);
}

#[test]
fn steps_and_blocks_may_be_called_so_too() {
    assert!(errors("<1x8x8> direct = relu -> add(id, direct)").is_empty());
    assert!(errors("block direct = relu; B <1x8x8> -> direct -> direct").is_empty());
    assert!(errors("block direct(c) = fc(c); <1x8x8> direct(3)").is_empty());
    assert!(errors("block direct = relu; <1x8x8> direct").is_empty());
}
