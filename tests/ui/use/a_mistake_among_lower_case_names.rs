#![allow(non_camel_case_types, non_upper_case_globals)]

use cnn_runtime::prelude::*;

pub const g: f64 = 9.81;
pub const batch: u8 = 16;
pub struct usize;

cnn! { Net <1x8x8> -> conv(4, 9x9) -> fc(10) }

fn main() {
    Net::new(0);
}
