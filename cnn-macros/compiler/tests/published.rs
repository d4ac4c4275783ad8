//! Published architectures, written in the language, have their published numbers of parameters; and the whole macro
//! stays fast on the largest of them.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use cnn_compiler::compile::compile;
use cnn_compiler::expand;
use cnn_compiler::front::analyse;
use cnn_compiler::ir::{Graph, Op, Shape};
use proc_macro2::TokenStream;

fn tokens(source: &str) -> TokenStream {
    source.parse().expect("the source lexes")
}

fn graph(source: &str) -> Graph {
    let (mut networks, diagnostics) = analyse(tokens(source));
    let errors: Vec<String> = diagnostics.into_vec().iter().map(|error| error.text()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    networks.pop().and_then(|network| network.graph).expect("a network without errors")
}

fn params(source: &str) -> u64 {
    graph(source).cost().params
}

const BASIC: &str = "
    block unit(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;";

/// He et al. 2016 with the stride in the 3x3 convolution, as torchvision has it.
const BOTTLENECK: &str = "
    block unit(c, s = 1) =
        add(conv(c, 1x1) -> bn -> relu
            -> conv(c, 3x3, s, p1) -> bn -> relu
            -> conv(4 * c, 1x1) -> bn,
            shortcut(4 * c, s))
        -> relu;";

fn resnet(unit: &str, stages: [usize; 4]) -> String {
    let mut source = format!(
        "{unit}
        ResNet <3x224x224> -> conv(64, 7x7, s2, p3) -> bn -> relu -> pool(3, s2, p1) -> unit(64) * {}",
        stages[0]
    );
    for (stage, width) in [(1, 128), (2, 256), (3, 512)] {
        let _ = write!(source, " -> unit({width}, s2) -> unit({width}) * {}", stages[stage] - 1);
    }
    source + " -> avgpool(global) -> fc(1000)"
}

fn vgg(repeats: [usize; 5]) -> String {
    let mut source = "block conv3(c) = conv(c, 3x3, p1) -> relu; Vgg <3x224x224>".to_owned();
    for (repeat, width) in repeats.into_iter().zip([64, 128, 256, 512, 512]) {
        let _ = write!(source, " -> conv3({width}) * {repeat} -> pool(2, s2)");
    }
    source + " -> fc(4096) -> relu -> dropout(0.5) -> fc(4096) -> relu -> dropout(0.5) -> fc(1000)"
}

#[test]
fn resnets_have_the_parameters_of_torchvision() {
    assert_eq!(params(&resnet(BASIC, [2, 2, 2, 2])), 11_689_512);
    assert_eq!(params(&resnet(BASIC, [3, 4, 6, 3])), 21_797_672);
    assert_eq!(params(&resnet(BOTTLENECK, [3, 4, 6, 3])), 25_557_032);
    assert_eq!(params(&resnet(BOTTLENECK, [3, 4, 23, 3])), 44_549_160);
    assert_eq!(params(&resnet(BOTTLENECK, [3, 8, 36, 3])), 60_192_808);
}

#[test]
fn vggs_have_the_parameters_of_torchvision() {
    assert_eq!(params(&vgg([2, 2, 3, 3, 3])), 138_357_544);
    assert_eq!(params(&vgg([2, 2, 4, 4, 4])), 143_667_240);
}

#[test]
fn resnet18_has_the_multiply_accumulates_of_its_convolutions() {
    let graph = graph(&resnet(BASIC, [2, 2, 2, 2]));
    // torchvision states 1.81 giga; by hand: the stem 118,013,952, stage 1 4 * 115,605,504, and so on.
    assert_eq!(graph.cost().macs, 1_814_073_344);
    assert_eq!(graph.output(), Shape::Flat(1000));
}

/// Layers with weights; the projections of shortcuts are not counted, as is usual.
fn depth(source: &str) -> usize {
    let weighted = |op: Op| matches!(op, Op::Conv { .. } | Op::Fc { .. });
    graph(source).nodes.iter().filter(|node| weighted(node.op) && !node.name.contains("shortcut")).count()
}

#[test]
fn resnet152_has_eight_times_the_layers_of_vgg19_and_little_more_than_half_its_work() {
    let (resnet152, vgg16, vgg19) = (resnet(BOTTLENECK, [3, 8, 36, 3]), vgg([2, 2, 3, 3, 3]), vgg([2, 2, 4, 4, 4]));
    assert_eq!([&resnet152, &vgg16, &vgg19].map(|source| depth(source)), [152, 16, 19]);
    // torchvision states 11.51, 15.47 and 19.63 giga.
    let macs = [&resnet152, &vgg16, &vgg19].map(|source| graph(source).cost().macs);
    assert_eq!(macs, [11_513_626_624, 15_470_264_320, 19_632_062_464]);
}

#[test]
fn plans_of_large_networks_are_near_the_least_possible() {
    for source in [resnet(BASIC, [2, 2, 2, 2]), resnet(BOTTLENECK, [3, 4, 6, 3]), vgg([2, 2, 3, 3, 3])] {
        let compiled = compile(&graph(&source));
        for plan in [&compiled.infer, &compiled.train] {
            // Floats per sample that are live at once, at the worst step.
            let end = plan.buffers.iter().map(|buffer| buffer.last).max().unwrap_or(0);
            let live = |step| {
                let live = plan.buffers.iter().filter(|b| !b.fixed && b.first <= step && step <= b.last);
                live.map(|buffer| buffer.len.next_multiple_of(16)).sum::<usize>()
            };
            let least = (0..=end).map(live).max().unwrap_or(0);
            assert!(plan.per_sample * 100 <= least * 102, "{} floats, {least} would do", plan.per_sample);
        }
    }
}

#[test]
fn resnet152_expands_in_seconds_even_without_optimisation() {
    let start = Instant::now();
    assert!(!expand(tokens(&resnet(BOTTLENECK, [3, 8, 36, 3]))).is_empty());
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
