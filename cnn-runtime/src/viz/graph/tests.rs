use std::fs;
use std::path::PathBuf;

use super::boxes::{Block, Repeat, blocks, folded};
use super::draw::{Plan, grouped, item};
use super::layout::layout;
use super::*;
use crate::network::Network;

crate::cnn! {
    block basic(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;

    LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> relu -> pool(2, s2)
        -> conv(16, 5x5, s1)    -> relu -> pool(2, s2)
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10);

    Residual <3x8x8> -> conv(4, 3x3, p1) -> bn -> relu -> basic(4) -> basic(8, s2) -> avgpool(global) -> fc(3);

    Deep <3x8x8> -> conv(4, 3x3, p1) -> basic(4) * 5 -> fc(16) -> relu -> fc(16) -> relu -> fc(16) -> relu -> fc(2);

    ResNet18 <3x224x224> -> conv(64, 7x7, s2, p3) -> bn -> relu -> pool(3, s2, p1)
        -> basic(64) * 2
        -> basic(128, s2) -> basic(128)
        -> basic(256, s2) -> basic(256)
        -> basic(512, s2) -> basic(512)
        -> avgpool(global) -> fc(1000);

    Shapes <3x8x8> -> conv(4, 3x3, p1) -> relu -> permute(hwc) -> relu -> reshape(4x8x8)
        -> mul(id, avgpool(global) -> sigmoid) -> avgpool(global) -> expand(4x2x2) -> relu -> fc(2) -> softmax;

    Branches <3x8x8> -> first = conv(4, 3x3, p1) -> relu
        -> concat(conv(2, 1x1), conv(2, 1x1) -> relu -> conv(3, 3x3, p1), pool(3, s1, p1) -> conv(2, 1x1), id)
        -> concat(id, conv(5, 3x3, p1), first) -> fc(2);
}

/// Holds a drawing against the file of its name; `BLESS=1` in the environment writes it anew.
fn golden(name: &str, svg: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/viz/graph/golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, svg).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(svg == expected, "{name} has changed; look at it and set BLESS=1 if it is as it should be:\n{svg}");
}

#[test]
fn drawings_are_as_they_were() {
    golden("lenet5.svg", &Graph::of(LeNet5::INFO).draw().to_svg());
    golden("residual.svg", &Graph::of(Residual::INFO).draw().to_svg());
    golden("deep.svg", &Graph::of(Deep::INFO).draw().to_svg());
}

fn nets() -> [&'static NetInfo; 6] {
    [LeNet5::INFO, Residual::INFO, Deep::INFO, ResNet18::INFO, Shapes::INFO, Branches::INFO]
}

#[test]
fn every_connection_is_an_arrow_with_its_shape() {
    for info in nets() {
        let blocks = blocks(info);
        let layout = layout(&blocks.iter().map(item).collect::<Vec<_>>());
        let mut arrows: Vec<(usize, usize)> = layout.arrows.iter().map(|arrow| (arrow.from, arrow.to)).collect();
        arrows.sort_unstable();
        let mut expected: Vec<(usize, usize)> = blocks
            .iter()
            .enumerate()
            .flat_map(|(to, block)| block.inputs.iter().map(move |&from| (from, to)))
            .collect();
        expected.sort_unstable();
        assert_eq!(arrows, expected, "{}", info.name);
        let svg = Graph::of(info).unfolded().draw().to_svg();
        assert_eq!(svg.matches("<path").count(), arrows.len(), "{}", info.name);
        for block in blocks.iter().filter(|block| block.ink == crate::viz::ink::Ink::Join) {
            assert!(svg.contains(&format!(">{}</text>", block.shape)), "{} in {}", block.shape, info.name);
        }
    }
}

#[test]
fn every_layer_stands_in_one_box() {
    for info in nets() {
        let blocks = blocks(info);
        for layer in info.layers {
            let lines = blocks.iter().flat_map(|block| block.hint.lines());
            let count = lines.filter(|line| line.starts_with(&format!("{}: {},", layer.name, layer.text))).count();
            assert_eq!(count, 1, "{} in {}", layer.name, info.name);
        }
    }
    let resnet = blocks(ResNet18::INFO);
    assert_eq!(resnet[1].then, "bn, relu");
    assert_eq!(resnet.iter().filter(|block| block.text.starts_with("add")).count(), 8);
}

#[test]
fn a_box_has_the_shape_of_all_its_layers() {
    let blocks = blocks(Shapes::INFO);
    let told: Vec<_> = blocks.iter().map(|b| (b.text.as_str(), b.then.as_str(), b.shape.as_str())).collect();
    assert_eq!(
        told,
        [
            ("input 3x8x8", "", "3x8x8"),
            ("conv(4, 3x3, s1, p1)", "relu", "4x8x8"),
            ("permute(hwc)", "relu", "8x8x4"),
            ("reshape(4x8x8)", "", "4x8x8"),
            ("avgpool(global)", "sigmoid", "4x1x1"),
            ("mul", "", "4x8x8"),
            ("avgpool(global)", "", "4x1x1"),
            ("expand(4x2x2)", "relu", "4x2x2"),
            ("fc(2)", "softmax", "2"),
        ]
    );
    assert_eq!(blocks[5].ink, crate::viz::ink::Ink::Join);
}

#[test]
fn boxes_do_not_touch_and_arrows_do_not_cross_them() {
    for info in nets() {
        let blocks = blocks(info);
        let plan = Plan::new(&blocks, layout(&blocks.iter().map(item).collect::<Vec<_>>()), &[]);
        for a in 0..blocks.len() {
            for b in 0..a {
                let (p, q) = (plan.area(a), plan.area(b));
                let apart =
                    p.x >= q.x + q.width || q.x >= p.x + p.width || p.y >= q.y + q.height || q.y >= p.y + p.height;
                assert!(apart, "{} and {} of {} overlap", blocks[a].text, blocks[b].text, info.name);
            }
        }
        for row in &plan.layout.rows {
            for pair in row.windows(2) {
                let (left, right) = (&plan.layout.vertices[pair[0]], &plan.layout.vertices[pair[1]]);
                let free = right.x - left.x - (right.width + left.width) / 2.0;
                assert!(free >= 0.0, "{free} between neighbours of {}", info.name);
            }
        }
    }
}

#[test]
fn the_longest_way_is_a_straight_line() {
    for info in nets() {
        let blocks = blocks(info);
        let layout = layout(&blocks.iter().map(item).collect::<Vec<_>>());
        let main: Vec<_> = layout.vertices.iter().filter(|vertex| vertex.main).collect();
        assert_eq!(main.len(), layout.rows.len(), "one in each row of {}", info.name);
        assert!(main.iter().all(|vertex| vertex.x.abs() < 0.1), "{}: {main:?}", info.name);
        assert!(layout.crossings() <= 1, "{} crossings in {}", layout.crossings(), info.name);
    }
}

#[test]
fn repeated_steps_are_drawn_once() {
    let (blocks, repeats) = folded(blocks(Deep::INFO));
    // The input, a convolution, one residual step of three boxes, and four fully connected layers, of which only two
    // are alike.
    assert_eq!(blocks.len(), 1 + 1 + 3 + 4);
    assert_eq!(repeats, [Repeat { first: 2, len: 3, times: 5 }]);
    assert_eq!(blocks[5].inputs, [4], "what reads the last copy reads the only one");
    let svg = Graph::of(Deep::INFO).draw().to_svg();
    assert!(svg.contains(">5 times</text>"), "{svg}");
    assert!(!Graph::of(Deep::INFO).unfolded().draw().to_svg().contains("times"));
}

#[test]
fn what_is_read_from_outside_is_not_folded() {
    let block = |inputs: &[usize]| Block {
        text: "conv(4, 3x3)".into(),
        then: String::new(),
        hint: String::new(),
        ink: crate::viz::ink::Ink::Conv,
        inputs: inputs.to_vec(),
        shape: "4x8x8".into(),
        params: 0,
    };
    let chain = |last: &[usize]| [&[][..], &[0], &[1], &[2], &[3], last].map(block).to_vec();
    assert_eq!(folded(chain(&[4])).1, [Repeat { first: 1, len: 1, times: 5 }]);
    let (kept, repeats) = folded(chain(&[2, 4]));
    assert!(repeats.is_empty() && kept.len() == 6, "{repeats:?}");
}

#[test]
fn a_network_of_thousands_of_layers_is_drawn() {
    let chain: Vec<Block> = (0..4000)
        .map(|at: usize| Block {
            text: format!("conv({at}, 3x3)"),
            then: String::new(),
            hint: String::new(),
            ink: crate::viz::ink::Ink::Conv,
            inputs: [1, 7].iter().filter_map(|back| at.checked_sub(*back)).rev().collect(),
            shape: "4x8x8".into(),
            params: 0,
        })
        .collect();
    let svg = super::draw::draw(LeNet5::INFO, &chain, &[]).to_svg();
    assert_eq!(svg.matches("<polygon").count(), 3999 + 3993);
}

#[test]
fn numbers_are_grouped() {
    assert_eq!([7, 999, 1000, 61_706, 1_234_567].map(grouped), ["7", "999", "1,000", "61,706", "1,234,567"]);
}
