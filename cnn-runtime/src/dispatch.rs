//! Which instruction set the kernels run on: asked of the processor once, or forced by `CNN_ISA`.

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use crate::simd::{Amx, Avx2, Avx512};
use crate::simd::{Kernel, Portable, Simd};

/// An instruction set that this machine has; only [`Isa::active`] and [`Isa::available`] hand one out.
#[derive(Clone, Copy)]
pub struct Isa(Token);

#[derive(Clone, Copy)]
enum Token {
    #[cfg(target_arch = "x86_64")]
    Amx(Avx512, Amx),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable(Portable),
}

impl std::fmt::Debug for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Isa {
    /// The instruction set in use: the widest there is, or the one that the environment variable `CNN_ISA` names
    /// (`amx`, `avx512`, `avx2`, `portable`), looked up at the first call. A name that is unknown, or of an instruction set
    /// that this machine lacks, is reported on standard error and has no effect.
    pub fn active() -> Isa {
        static ACTIVE: OnceLock<Isa> = OnceLock::new();
        *ACTIVE.get_or_init(|| {
            let wanted = std::env::var("CNN_ISA").unwrap_or_default();
            let isa = choose(&wanted);
            if !wanted.is_empty() && wanted != isa.name() {
                eprintln!("CNN_ISA={wanted} is not to be had on this machine: using {}", isa.name());
            }
            isa
        })
    }

    /// All that this machine has, the widest first; the last is always `portable`.
    pub fn available() -> impl Iterator<Item = Isa> {
        Isa::with_matrix().into_iter().chain(Isa::on_vectors())
    }

    /// Those without a matrix unit.
    fn on_vectors() -> impl Iterator<Item = Isa> {
        #[cfg(target_arch = "x86_64")]
        let wide = [Avx512::detect().map(Token::Avx512), Avx2::detect().map(Token::Avx2)];
        #[cfg(not(target_arch = "x86_64"))]
        let wide: [Option<Token>; 0] = [];
        wide.into_iter().flatten().chain([Token::Portable(Portable)]).map(Isa)
    }

    /// The one with a matrix unit. Asking for it has the operating system keep the unit's state for this process.
    fn with_matrix() -> Option<Isa> {
        #[cfg(target_arch = "x86_64")]
        return Some(Isa(Token::Amx(Avx512::detect()?, Amx::detect()?)));
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// The name that `CNN_ISA` knows it by.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Amx(..) => "amx",
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(_) => "avx2",
            Token::Portable(_) => "portable",
        }
    }

    /// Runs a kernel on this instruction set.
    pub(crate) fn run<K: Kernel>(self, kernel: K) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Amx(token, _) | Token::Avx512(token) => token.call(kernel),
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(token) => token.call(kernel),
            Token::Portable(token) => token.call(kernel),
        }
    }

    /// The matrix unit, if it is in use.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn matrix(self) -> Option<Amx> {
        match self.0 {
            Token::Amx(_, amx) => Some(amx),
            _ => None,
        }
    }

    /// Whether a matrix unit is in use.
    pub(crate) fn has_matrix(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.matrix().is_some();
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// The same without a matrix unit.
    pub(crate) fn without_matrix(self) -> Isa {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Amx(token, _) => Isa(Token::Avx512(token)),
            _ => self,
        }
    }

    /// Floats in a vector register, and rows of the widest register tile.
    pub(crate) fn tile(self) -> (usize, usize) {
        const fn of<S: Simd>(_: S) -> (usize, usize) {
            (S::LANES, S::MR)
        }
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Amx(token, _) | Token::Avx512(token) => of(token),
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(token) => of(token),
            Token::Portable(token) => of(token),
        }
    }
}

/// The instruction set of that name if there is one here, else the widest.
fn choose(wanted: &str) -> Isa {
    // Whoever names another one is not asked to keep a matrix unit's state.
    let named = Isa::on_vectors().find(|isa| isa.name() == wanted);
    named.or_else(|| Isa::available().next()).unwrap_or(Isa(Token::Portable(Portable)))
}

#[cfg(test)]
mod tests {
    use super::{Isa, choose};

    #[test]
    fn portable_is_always_there_and_can_be_forced() {
        assert_eq!(choose("portable").name(), "portable");
        assert_eq!(Isa::available().last().map(Isa::name), Some("portable"));
    }

    /// Else tests on a set that this machine lacks would pass on another one.
    #[test]
    fn the_set_asked_for_is_in_use() {
        if let Some(wanted) = std::env::var("CNN_ISA").ok().filter(|wanted| !wanted.is_empty()) {
            assert_eq!(Isa::active().name(), wanted, "CNN_ISA names no instruction set of this machine");
        }
    }

    #[test]
    fn an_unknown_name_leaves_the_widest() {
        let widest = Isa::available().map(Isa::name).next();
        assert_eq!(Some(choose("sse9").name()), widest);
        assert_eq!(Some(choose("").name()), widest);
    }

    #[test]
    fn each_can_be_named() {
        for isa in Isa::available() {
            assert_eq!(choose(isa.name()).name(), isa.name());
        }
    }

    #[test]
    fn without_its_matrix_unit_one_is_the_widest_on_vectors() {
        for isa in Isa::available() {
            let expected = if isa.name() == "amx" { "avx512" } else { isa.name() };
            assert_eq!(isa.without_matrix().name(), expected);
        }
    }
}
