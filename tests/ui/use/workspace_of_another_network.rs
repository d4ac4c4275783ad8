cnn_runtime::cnn! { A <1x28x28> -> fc(10); B <1x28x28> -> fc(10) }

fn main() {
    use cnn_runtime::prelude::*;
    let mut workspace = B::new(1).workspace(1);
    A::new(1).forward(&mut workspace, &[[[0.0; 28]; 28]; 1]);
}
