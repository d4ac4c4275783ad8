//! Small networks that between them have every layer, on maps of odd and prime sizes.

use cnn_runtime::prelude::*;

cnn! {
    /// Windows of every kind. Linear apart from its maxima.
    pub Windows <4x13x11>
        -> conv(6, 3x2, s2x1, p1x0, g2) <6x7x10>
        -> dwconv(3, p1, m2) <12x7x10>
        -> pool(3, s2, p1) <12x4x5>
        -> conv(5, 3x3, p2, d2) <5x4x5>
        -> upsample(2, bilinear) <5x8x10>
        -> avgpool(3, s2, p1) <5x4x5>
        -> pad(1x2) <5x6x9>
        -> conv(3, 4x3, s2, same) <3x3x5>
        -> upsample(1x2, nearest) <3x3x10>
        -> pool(2x3, s1) <3x2x8>
        -> fc(7);

    /// Layers that move pixels, each side of which differs. Smooth.
    pub Spatial <3x9x7>
        -> conv(4, 3x3, p0x1x2x1) <4x9x7> -> tanh
        -> dwconv(3, s2x1, p1x0x0x2) <4x4x7>
        -> avgpool(3, s1x2, p1x0x0x1) <4x3x3>
        -> pad(0x1x2x0) <4x5x4> -> avgpool(2, s2, p1, ceil, excludepad) <4x3x3>
        -> add(conv_transpose(4, 3x2, s2, p1x0x0x1, o1x0), conv_transpose(4, 2x2, s2x1, g2, d2)) <4x7x5>
        -> tanh -> conv_transpose(4, 3, s1x2, g4, nobias)
        -> tanh -> concat(resize(7x4, bilinear), resize(7x4, align_corners, ceil), resize(7x4, asymmetric, bilinear, scale_h = 0.6))
        -> conv(3, 3x3)
        -> pad(1, reflect) -> conv(2, 3x3) -> pad(0x3x1x0, edge) -> tanh -> pad(1, value = 0.5) -> conv(2, 3x3, s2)
        -> fc(5);

    /// One value that every activation reads.
    pub Fan <3x5x7>
        -> conv(4, 3x3, p1)
        -> concat(relu, leaky_relu(slope = 0.1), relu6, elu(alpha = 0.7), gelu, silu, hardswish, tanh, sigmoid,
            leaky_relu(slope = -0.3), elu(alpha = -0.5), softmax, log_softmax, id, gelu(tanh),
            affine(mul = -0.5, add = 0.1), sigmoid -> affine(add = 1) -> reciprocal, scale(1x5x7), shift(4x1x1))
        <76x5x7>
        -> conv(5, 3x3) -> fc(6);

    /// One value that layers of every other kind read, and then one that two fully connected layers do: all but one
    /// reader add to its gradient.
    pub Readers <3x5x7>
        -> conv(4, 3x3, p1)
        -> concat(lrn(size = 3, alpha = 0.5, beta = 0.75, k = 1), bn, dropout(0.3), pool(3, s1, p1),
            avgpool(3, s1, p1), dwconv(3, p1), pad(1) -> conv(2, 3x3), upsample(2, bilinear) -> conv(2, 2x2, s2), id)
        -> conv(5, 3x3)
        -> add(fc(6), fc(6) -> tanh);

    /// Values of different shapes, joined element by element, and their shapes changed.
    pub Joins <4x7x5>
        -> stem = conv(4, 3x3, p1)
        -> mul(id, avgpool(global) -> conv(2, 1x1) -> tanh -> conv(4, 1x1) -> sigmoid)
        -> sub(tanh, avgpool(7x1) -> conv(4, 1x1))
        -> rows = avgpool(1x5) <4x7x1>
        -> mul(stem -> tanh, id, stem -> conv(1, 1x1, nobias) -> sigmoid)
        -> div(id, rows -> conv(1, 1x1, nobias) -> sigmoid)
        -> sub(avgpool(7x1), rows) <4x7x5> -> conv(3, 2x2)
        -> permute(wch) <4x3x6> -> tanh -> reshape(2x6x6) -> mul(id, avgpool(6x1) -> expand(2x6x6) -> sigmoid)
        -> flat = fc(6) -> sub(id, flat -> fc(1, nobias)) -> mul(fc(1, nobias), fc(5) -> sigmoid);

    /// Smooth activations in rows, where each may work in the memory of the one before.
    pub Row <3x7x5>
        -> conv(5, 3x3, s2, p1) -> elu -> tanh -> silu
        -> conv(4, 1x1) -> gelu -> tanh -> elu
        -> fc(11) -> scale -> silu -> shift -> gelu(tanh) -> affine(mul = 0.8, add = 0.1)
        -> fc(7) -> silu -> sigmoid;

    /// Activations with kinks and maxima, in rows.
    pub Kinks <2x11x13>
        -> conv(5, 3x3) -> relu -> pool(3, s2) <5x4x5>
        -> conv(4, 3x3) -> leaky_relu(slope = 0.2) -> relu6 -> pool(2, s1, p1) <4x3x4>
        -> fc(9) -> hardswish -> leaky_relu(slope = -0.3) -> clip(-0.1, hi = 0.7) -> fc(4);

    /// Layers that train a tensor each, in rows.
    pub Tensors <2x11x13>
        -> conv(5, 3x3) -> prelu -> avgpool(3, s2) <5x4x5>
        -> conv(4, 3x3, p1, nobias) -> selu -> scale(1x4x1) -> shift(4x4x5) -> scale -> shift
        -> fc(9) -> prelu -> scale -> shift -> hardsigmoid -> fc(4) -> prelu(shared) -> scale(1);

    /// Values that later layers reach back to, twice and more.
    pub Names <3x11x9>
        -> add(id, gelu, conv(3, 3x3, p1))
        -> stem = conv(4, 3x3) <4x9x7> -> tanh
        -> low = avgpool(3, s2, p1) <4x5x4>
        -> conv(4, 3x3, p1) -> silu
        -> add(id, low, conv(4, 1x1) -> sigmoid)
        -> high = conv(6, 2x3, p1) <6x6x4> -> gelu
        -> conv(4, 2x1) <4x5x4>
        -> concat(low, id, high -> conv(2, 2x1),
            stem -> conv(3, 3x3, s2, p1) <3x5x4>, stem -> avgpool(5x4) -> upsample(5x4))
        -> conv(4, 1x1) -> add(id, id, low)
        -> avgpool(global) -> fc(5) -> softmax;

    block unit(c, s = 1) =
        add(conv(c, 3x3, s, p1, nobias) -> bn -> silu -> conv(c, 3x3, p1, nobias) -> bn, shortcut(c, s)) -> silu;

    /// A part of the next network.
    pub Stem <2x11x13> -> conv(5, 3x3, s2, nobias) -> bn(eps = 1e-3) -> tanh;

    /// Residual units after another network, in training mode.
    pub Residual <2x11x13> -> Stem <5x5x6> -> unit(5) * 2 -> unit(7, s2) <7x3x3> -> fc(11, nobias) -> bn -> fc(5);

    /// Normalisations and dropout.
    pub Norms <3x5x7>
        -> conv(7, 3x3) <7x3x5> -> lrn(size = 3, alpha = 0.5, beta = 0.75, k = 1)
        -> dropout(0.3) -> conv(5, 2x2) -> lrn(size = 5, alpha = 0.9, beta = 0.6, k = 1.5) -> softmax
        -> bn -> dropout(0.5) -> fc(6) -> log_softmax;

    /// Values that stand in memory in blocks of sixteen channels, from where blocks begin to where they end. Smooth.
    pub Blocks <3x9x7>
        -> conv(16, 3x3, s2x1, p1) <16x5x7> -> tanh
        -> low = conv(32, 1x1, nobias) -> bn -> silu
        -> dwconv(3, p1) -> add(id, low -> conv(32, 3x3, p1))
        -> concat(lrn(size = 3, alpha = 0.5, beta = 0.75, k = 1), dropout(0.3), conv(16, 3x3, p1)) <80x5x7>
        -> avgpool(3, s2, p1) <80x3x4>
        -> conv(32, 3x3, p1, g2) -> conv(16, 3x3, p1) -> tanh
        -> mul(id, avgpool(global) -> conv(16, 1x1) -> sigmoid)
        -> conv(32, 3x3, p1) -> dwconv(3, s2, p1) -> tanh <32x2x2>
        -> conv(7, 2x2) -> fc(5);

    /// Few channels all the way: samples that stand in memory in groups, in every layer that they can pass. Smooth.
    pub Groups <2x11x13>
        -> low = conv(5, 3x3, p1) -> silu -> avgpool(2, s1, p1) <5x12x14>
        -> conv(6, 3x3, d2, p2) -> tanh
        -> add(id, low -> conv(6, 2x2, p1), conv(6, 1x1) -> dropout(0)) -> gelu
        -> avgpool(3, s2, p1) <6x6x7>
        -> concat(conv(3, 3x3, p1), avgpool(3, s1, p1) -> conv(4, 1x1)) <7x6x7>
        -> conv(5, 3x3) -> sigmoid -> fc(4);

    /// Rectified blocks of channels and their maxima, of which the last ones are read in CHW order.
    pub BlockKinks <3x13x11>
        -> conv(16, 3x3, s2) <16x6x5> -> relu
        -> add(id, conv(16, 3x3, p1) -> tanh -> conv(16, 3x3, p1)) -> silu
        -> pool(3, s2, p1) <16x3x3> -> conv(48, 3x3, p1) -> leaky_relu(slope = 0.2)
        -> pool(2, s1) <48x2x2> -> fc(5);
}
