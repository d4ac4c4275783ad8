//! What a message proposes works.

use super::errors;

/// The ways out of a misfit that a message lists.
fn ways(message: &str) -> Vec<String> {
    let (_, list) = message.split_once(": use ").expect("a misfit");
    list.replace(" or ", ", ").split(", ").map(|way| way.trim_matches('`').to_string()).collect()
}

/// Numbers that look random, and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[test]
fn every_way_out_of_a_misfit_is_one() {
    let mut numbers = Numbers(1);
    let mut tried = [0; 5];
    for _ in 0..3000 {
        let mut size = |least: u64, end: u64| format!("{}x{}", least + numbers.below(end), least + numbers.below(end));
        let (input, kernel, dilation, padding, sides) =
            (size(1, 6), size(1, 6), size(1, 5), size(0, 3), [size(0, 2), size(0, 2)].join("x"));
        let layer = ["pool(", "avgpool(", "conv(3, "][numbers.below(3) as usize];
        let padding =
            [String::new(), format!(", p{padding}"), format!(", p{sides}")][numbers.below(3) as usize].clone();
        let dilation = if numbers.below(2) == 0 { String::new() } else { format!(", d{dilation}") };
        let ceil = if layer != "conv(3, " && numbers.below(2) == 0 { ", ceil" } else { "" };
        let with = |kernel: &str, dilation: &str, padding: &str| {
            format!("A <7x{input}> -> {layer}{kernel}{dilation}{padding}{ceil})")
        };
        let source = with(&kernel, &dilation, &padding);
        let Some(error) = errors(&source).pop().filter(|error| error.message.contains("does not fit")) else {
            continue;
        };
        for way in ways(&error.message) {
            let (index, mended) = match way.as_bytes()[0] {
                b's' => (0, with(&kernel, &dilation, &format!(", {way}"))),
                b'p' => (1, with(&kernel, &dilation, &format!(", {way}"))),
                b'd' => (2, with(&kernel, &format!(", {way}"), &padding)),
                b'g' => (3, format!("A <7x{input}> -> {layer}global)")),
                _ => (4, with(&way, &dilation, &padding)),
            };
            let left = errors(&mended);
            assert!(left.is_empty(), "{source}\n{}\n{mended}\n{}", error.message, left[0].message);
            tried[index] += 1;
        }
    }
    assert!(tried.iter().all(|tried| *tried > 50), "{tried:?}");
}
