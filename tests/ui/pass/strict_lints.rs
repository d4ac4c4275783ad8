//! The generated code passes the lints of a strict crate.

#![deny(warnings, missing_docs, unused, unsafe_code, unreachable_pub, missing_debug_implementations)]

use cnn_runtime::prelude::*;

cnn! {
    /// A documented network.
    #[derive(Debug)]
    pub(crate) Net <1x6x6> -> conv(2, 3x3) -> relu -> dropout(0.5) -> fc(4);

    #[deprecated]
    #[derive(Debug)]
    pub(crate) Old <1x6x6> -> fc(4)
}

/// As strict as it can be: what is forbidden cannot be allowed again either.
mod strictest {
    #![forbid(missing_docs, dead_code, unused, unreachable_pub, unused_qualifications, nonstandard_style, unsafe_code)]

    cnn_runtime::cnn! {
        /// A documented network.
        pub(super) Net <1x6x6> -> conv(2, 3x3) -> relu -> dropout(0.5) -> fc(4)
    }
}

/// Runs them.
#[allow(unreachable_pub, deprecated, reason = "the test calls it from outside, and it calls what is old")]
pub fn main() {
    assert!(!format!("{:?}", Net::new(0)).is_empty());
    assert_eq!(Old::OUTPUT, [4]);
    let net = strictest::Net::new(0);
    assert_eq!(net.forward(&mut net.workspace(1), &[[[0.5; 6]; 6]; 1]).len(), 4);
}
