//! A file that is not shipped is no error where its network is left out.

use cnn_runtime::prelude::*;

cnn! {
    #[cfg(any())]
    pub Weights <1x4x4> weights = "none.safetensors" embed -> fc(2);
    #[cfg(any())]
    pub Model = onnx "none.onnx";
    pub Net <1x4x4> -> fc(2)
}

pub fn main() {
    cnn! { #[cfg(any())] Inner <1x4x4> weights = "none.safetensors" -> fc(2); Other <1x4x4> -> fc(2) }
    assert_eq!((Net::PARAMS, Other::PARAMS), (34, 34));
}
