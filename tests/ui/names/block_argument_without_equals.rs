cnn_runtime::cnn! {
    block unit(c, k = 3, s = 1) = conv(c, k, s, p(k / 2)) -> bn -> relu;
    Net <3x32x32> -> unit(c 16, s = 2) -> fc(10)
}

fn main() {}
