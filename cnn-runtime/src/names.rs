//! What emitted code calls by a bare name. It imports all of it, which hides whatever the user's module calls so.

pub use core::option::Option::{None, Some};
pub use core::primitive::{bool, f32, str, u8, u64, usize};

/// A pattern binds a name anew where a function has it, but means the constant, static or unit struct that has it.
macro_rules! bindings {
    ($($name:ident)*) => { $(pub fn $name() {})* };
}

bindings! {
    a arena argmax b batch d d_scale d_shift db dw dx dy frame from g inv_std io mean other p params r running_mean
    running_var s scale scratch seed sum to want_input x y
}
