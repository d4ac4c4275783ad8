//! A guide to convolutional networks, from a sum of nine products to ResNet, in the order of a lecture.
//!
//! Each chapter is a screen or two. All code in it runs as it stands, as tests of this crate, and the pictures were made
//! by the example programs of the repository.
//!
//! | | |
//! |---|---|
//! | [1. Convolution](ch01_convolution) | a picture as numbers, and a filter as a sum of products |
//! | [2. Padding](ch02_padding) | what to do at the border |
//! | [3. Stride](ch03_stride) | larger steps, smaller maps |
//! | [4. Channels](ch04_channels) | colour pictures, and many filters |
//! | [5. Pooling](ch05_pooling) | roughly where is enough |
//! | [6. Why not fully connected?](ch06_not_fully_connected) | weights that grow, and patterns that move |
//! | [7. Feature maps](ch07_feature_maps) | what filters find: edges first |
//! | [8. LeNet-5](ch08_lenet5) | the first network, and how it is trained |
//! | [9. AlexNet](ch09_alexnet) | the same at scale, and the recipe that made it work |
//! | [10. Overfitting](ch10_overfitting) | learned by heart, and what helps |
//! | [11. ResNet](ch11_resnet) | 152 layers |
//! | [12. From here](ch12_from_here) | weights, checkpoints, reports, PyTorch |
//! | 13. From PyTorch to a program | `ch13_onnx`, with the feature `onnx`: models as ONNX files, both ways |
//! | 14. From a folder of pictures to a program | `ch14_own_pictures`, with `images` and `progress`: trained, saved, embedded |
//!
//! You need to know some Rust and no mathematics beyond sums. To follow along, make a project beside the clone of the
//! repository, here called `cnn`, with this in its `Cargo.toml`; every block of code goes into a `main` that returns
//! `Result<(), Error>`, unless it has one. The examples, as in `cargo run --release --example lenet5`, run in the clone.
//!
//! ```toml
//! [dependencies]
//! cnn-runtime = { path = "../cnn/cnn-runtime", features = ["images", "progress"] }
//!
//! # Kernels at full speed, without checks in their loops, also in debug builds, and pictures read by optimised code.
//! # `cargo run --release` needs none of it.
//! [profile.dev.package]
//! cnn-runtime = { opt-level = 3, debug-assertions = false, overflow-checks = false }
//! image.opt-level = 3
//! zune-jpeg.opt-level = 3
//! ```

// The chapters' links go by these names.
#[allow(unused_imports)]
use crate::prelude::*;

/// A module for a chapter, of its text and the pictures that the text names in brackets, as in `![words][name]`.
///
/// A picture stands in the page itself, as `pictures/README.md` tells, so that it shows wherever the page is read.
macro_rules! chapter {
    ($name:ident $(, $picture:ident)*) => {
        #[doc = concat!(
            include_str!(concat!(stringify!($name), ".md")),
            $("\n[", stringify!($picture), "]: ", include_str!(concat!("pictures/", stringify!($picture), ".uri")),)*
        )]
        pub mod $name {}
    };
}

chapter!(ch01_convolution);
chapter!(ch02_padding);
chapter!(ch03_stride);
chapter!(ch04_channels);
chapter!(ch05_pooling);
chapter!(ch06_not_fully_connected, mlp_vs_cnn);
chapter!(ch07_feature_maps, photo, edges, upright_edges, level_edges, blur, sharpen, conv1_filters, feature_maps, look);
chapter!(ch08_lenet5);
chapter!(ch09_alexnet);
chapter!(ch10_overfitting);
chapter!(ch11_resnet);
chapter!(ch12_from_here, report);
#[cfg(feature = "onnx")]
chapter!(ch13_onnx);
#[cfg(all(feature = "images", feature = "progress"))]
chapter!(ch14_own_pictures);
