use cnn_runtime::prelude::*;

cnn! {
    pub Wrong <1x28x28> -> pool(2) -> pool(20) -> fc(10);
    pub Sound <1x28x28> -> pool(2) -> fc(10)
}

fn main() {
    let _nets = (Wrong::new(0), Sound::new(0));
    const { assert!(Sound::PARAMS == 1970) };
}
