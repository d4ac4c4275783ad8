//! "Did you mean": the nearest known name.

use cnn_model::stranger::distance;

/// What a layer is called here, and what other tools call it.
const FOREIGN: [(&str, &[&str]); 27] = [
    ("conv", &["conv1d", "conv2d", "convolution"]),
    ("dwconv", &["depthwise", "depthwise_conv", "depth_conv", "separable_conv"]),
    ("pool", &["max", "max_pool", "max_pool2d", "maxpool2d"]),
    (
        "avgpool",
        &["avg", "avg_pool", "avgpool2d", "average_pool", "mean_pool", "gap", "global_avg_pool", "globalavgpool"],
    ),
    ("fc", &["linear", "dense", "fully_connected", "full"]),
    ("bn", &["batchnorm", "batch_norm", "batchnorm2d"]),
    ("lrn", &["local_response_norm", "norm"]),
    ("leaky_relu", &["leakyrelu", "lrelu"]),
    ("hardswish", &["hswish", "hard_swish"]),
    ("silu", &["swish"]),
    ("hardsigmoid", &["hsigmoid", "hard_sigmoid"]),
    ("clip", &["clamp", "hardtanh"]),
    ("reciprocal", &["inverse"]),
    ("flatten", &["ravel"]),
    ("reshape", &["view"]),
    ("permute", &["transpose"]),
    ("expand", &["broadcast", "broadcast_to", "tile"]),
    ("concat", &["cat", "join", "concatenate"]),
    ("add", &["sum", "plus", "merge"]),
    ("mul", &["multiply", "times", "product"]),
    ("sub", &["subtract", "minus", "difference"]),
    ("div", &["divide", "quotient"]),
    ("shortcut", &["skip", "residual"]),
    ("resize", &["interpolate", "scale", "rescale"]),
    ("conv_transpose", &["deconv", "deconvolution", "convtranspose", "convtranspose2d", "conv_transpose2d", "upconv"]),
    ("id", &["identity", "input"]),
    ("eps", &["epsilon"]),
];

/// The candidate nearest to `wrong`, where it is near enough to be a slip of the finger or another tool's word for it.
pub fn nearest<'c>(wrong: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let lower = wrong.to_lowercase();
    let foreign = FOREIGN.iter().find(|(_, theirs)| theirs.contains(&lower.as_str())).map(|(ours, _)| *ours);
    let limit = match wrong.chars().count() {
        0..=1 => 0,
        2..=3 => 1,
        4..=6 => 2,
        _ => 3,
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        #[cfg(test)]
        crate::testing::compare(1);
        if foreign == Some(candidate) {
            return Some(candidate);
        }
        let Some(slips) = distance(&lower, &candidate.to_lowercase(), limit) else { continue };
        if slips < candidate.chars().count() && best.is_none_or(|(least, _)| slips < least) {
            best = Some((slips, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `"; did you mean `x`?"` or nothing.
pub fn did_you_mean<'c>(wrong: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    nearest(wrong, candidates).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_foreign_names_are_suggested() {
        let layers = ["conv", "fc", "relu", "leaky_relu", "bn"];
        assert_eq!(nearest("cnov", layers), Some("conv"));
        assert_eq!(nearest("Linear", layers), Some("fc"));
        assert_eq!(nearest("BatchNorm", layers), Some("bn"));
        assert_eq!(nearest("lrelu", layers), Some("leaky_relu"));
        assert_eq!(nearest("transformer", layers), None);
        assert_eq!(nearest("b", layers), None);
        assert_eq!(did_you_mean("relux", layers), "; did you mean `relu`?");
        assert_eq!(did_you_mean("transformer", layers), "");
    }
}
