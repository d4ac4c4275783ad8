#![forbid(missing_docs, unused, unreachable_pub, unused_qualifications)]
//! A crate of which everything has docs.

/// Networks.
pub mod nets {
    cnn_runtime::cnn! { pub Net <1x8x8> -> conv(4, 9x9) -> fc(10) }
}

fn main() {}
