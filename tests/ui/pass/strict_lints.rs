//! The generated code passes the lints of a strict crate.

#![deny(warnings, missing_docs, unused, unsafe_code, unreachable_pub, missing_debug_implementations)]

use cnn_runtime::prelude::*;

cnn! {
    /// A documented network.
    #[derive(Debug)]
    pub(crate) Net <1x6x6> -> conv(2, 3x3) -> relu -> dropout(0.5) -> fc(4)
}

/// Runs it.
#[allow(unreachable_pub, reason = "the test calls it from outside")]
pub fn main() {
    assert!(!format!("{:?}", Net::new(0)).is_empty());
}
