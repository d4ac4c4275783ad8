//! Residual networks (He et al. 2015): ResNet-20 trained on real pictures, or ResNet-18 to ResNet-152 on a photo.

use std::env;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use cnn_examples::{Outcome, data, picture, record::Record, shipped};
use cnn_runtime::data::{HorizontalFlip, Images, RandomCrop};
use cnn_runtime::prelude::*;
use cnn_runtime::weights::Saver;

cnn! {
    // Convolutions that `bn` follows have no bias: it would be subtracted again.
    block basic(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn,
            shortcut(c, s))
        -> relu;

    block bottleneck(c, s = 1) =
        add(conv(c, 1x1) -> bn -> relu -> conv(c, 3x3, s, p1) -> bn -> relu -> conv(4 * c, 1x1) -> bn,
            shortcut(4 * c, s))
        -> relu;

    block stem() = conv(64, 7x7, s2, p3) -> bn -> relu -> pool(3, s2, p1);

    block small() =
        conv(16, 3x3, p1) -> bn -> relu
        -> basic(16) * 3
        -> basic(32, s2) -> basic(32) * 2
        -> basic(64, s2) -> basic(64) * 2
        -> avgpool(global) -> fc(10);

    /// ResNet-20 for grey pictures of Fashion-MNIST's size.
    pub ResNet20 <1x28x28> -> small();

    /// ResNet-20 for colour pictures of CIFAR-10's size.
    pub ResNet20Colour <3x32x32> -> small();

    /// ResNet-18 for ImageNet's thousand classes.
    pub ResNet18 <3x224x224> -> stem()
        -> basic(64) * 2
        -> basic(128, s2) -> basic(128)
        -> basic(256, s2) -> basic(256)
        -> basic(512, s2) -> basic(512)
        -> avgpool(global) -> fc(1000);

    /// ResNet-34 for ImageNet's thousand classes.
    pub ResNet34 <3x224x224> -> stem()
        -> basic(64) * 3
        -> basic(128, s2) -> basic(128) * 3
        -> basic(256, s2) -> basic(256) * 5
        -> basic(512, s2) -> basic(512) * 2
        -> avgpool(global) -> fc(1000);

    /// ResNet-50 for ImageNet's thousand classes.
    pub ResNet50 <3x224x224> -> stem()
        -> bottleneck(64) * 3
        -> bottleneck(128, s2) -> bottleneck(128) * 3
        -> bottleneck(256, s2) -> bottleneck(256) * 5
        -> bottleneck(512, s2) -> bottleneck(512) * 2
        -> avgpool(global) -> fc(1000);

    /// ResNet-101 for ImageNet's thousand classes.
    pub ResNet101 <3x224x224> -> stem()
        -> bottleneck(64) * 3
        -> bottleneck(128, s2) -> bottleneck(128) * 3
        -> bottleneck(256, s2) -> bottleneck(256) * 22
        -> bottleneck(512, s2) -> bottleneck(512) * 2
        -> avgpool(global) -> fc(1000);

    /// ResNet-152 for ImageNet's thousand classes.
    pub ResNet152 <3x224x224> -> stem()
        -> bottleneck(64) * 3
        -> bottleneck(128, s2) -> bottleneck(128) * 7
        -> bottleneck(256, s2) -> bottleneck(256) * 35
        -> bottleneck(512, s2) -> bottleneck(512) * 2
        -> avgpool(global) -> fc(1000);
}

// What torchvision counts.
const _: () = assert!(ResNet18::PARAMS == 11_689_512);
const _: () = assert!(ResNet34::PARAMS == 21_797_672);
const _: () = assert!(ResNet50::PARAMS == 25_557_032);
const _: () = assert!(ResNet101::PARAMS == 44_549_160);
const _: () = assert!(ResNet152::PARAMS == 60_192_808);

/// Percent of the test pictures that the run without options has to find.
const FLOOR: f64 = 85.0;

#[derive(Clone, Copy, ValueEnum)]
enum Depth {
    #[value(name = "18")]
    Of18,
    #[value(name = "34")]
    Of34,
    #[value(name = "50")]
    Of50,
    #[value(name = "101")]
    Of101,
    #[value(name = "152")]
    Of152,
}

#[derive(Parser)]
#[command(about = "Trains ResNet-20 on real pictures; with --depth, runs a photo through a large ResNet instead")]
struct Args {
    /// Run a photo through the ResNet of this depth, with random weights, and train nothing
    #[arg(long, conflicts_with_all = ["data", "checkpoint", "save", "report", "log", "tensorboard"])]
    depth: Option<Depth>,
    /// The photo for --depth [default: one that ships with the repository]
    #[arg(long, requires = "depth")]
    photo: Option<PathBuf>,
    /// A folder to train on, of up to ten classes: Fashion-MNIST's idx files, CIFAR-10's binary files, train/CLASS and
    /// test/CLASS with pictures, or train.csv and test.csv, which name pictures and their classes; such pictures are
    /// scaled and cut to 32x32 [default: the part of Fashion-MNIST that ships with the repository]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Times the network sees every picture
    #[arg(long, default_value_t = 11)]
    epochs: usize,
    /// Pictures in a training step
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Highest learning rate; it rises to it and falls to nearly zero in one cycle
    #[arg(long, default_value_t = 0.08)]
    lr: f32,
    /// Pixels by which a picture may be moved in each direction while training
    #[arg(long, default_value_t = 0)]
    shift: u16,
    /// A file to keep the run in after each epoch; a run that it holds already is taken up again
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// Seed of the weights, of the order of pictures and of their augmentation
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to save the trained network, for the example `predict` [default: nowhere]
    #[arg(long)]
    save: Option<PathBuf>,
    /// One epoch on few pictures, or one pass of the photo: a check that everything runs
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    record: Record,
}

fn main() -> Outcome {
    let args = Args::parse();
    match args.depth {
        Some(Depth::Of18) => classify::<ResNet18>(&args),
        Some(Depth::Of34) => classify::<ResNet34>(&args),
        Some(Depth::Of50) => classify::<ResNet50>(&args),
        Some(Depth::Of101) => classify::<ResNet101>(&args),
        Some(Depth::Of152) => classify::<ResNet152>(&args),
        None => {
            let (train, test) = args.data.as_deref().map_or_else(|| Ok(data::clothes()?), data::open)?;
            println!("{} pictures to train on, {} to test on", train.len(), test.len());
            match train.shape() {
                ResNet20::INPUT => learn::<ResNet20>(train, test, &args),
                ResNet20Colour::INPUT => learn::<ResNet20Colour>(train, test, &args),
                shape => Err(format!("expected pictures of 1x28x28 or 3x32x32, found {shape:?}").into()),
            }
        }
    }
}

/// Runs the photo through a network with random weights.
fn classify<N: Network>(args: &Args) -> Outcome {
    let photo = args.photo.clone().unwrap_or_else(|| shipped("photos").join("china.jpg"));
    picture::classify(&N::new(args.seed), &photo, if args.quick { 1 } else { 11 })
}

/// Trains a network on pictures, every other one mirrored and each moved a little, and prints what it reached.
fn learn<N: Network>(train: Images, test: Images, args: &Args) -> Outcome {
    let normalize = Normalize::of(&train)?;
    let (epochs, count, tests) = if args.quick { (1, 640, 500) } else { (args.epochs, train.len(), test.len()) };
    let train = train.spread(count).augmented(RandomCrop::new(args.shift)).augmented(HorizontalFlip);
    let train = train.normalized(normalize.clone())?;
    let test = test.spread(tests).normalized(normalize)?;
    println!("{}: {} parameters, {} multiply-accumulates a picture", N::INFO.name, N::INFO.params, N::INFO.macs);

    let start = Instant::now();
    let mut net = N::new(args.seed);
    let sgd = Sgd::new(args.lr).momentum(0.9).weight_decay(5e-4);
    let mut trainer = Trainer::new(sgd).epochs(epochs).batch(args.batch).seed(args.seed);
    trainer = trainer.schedule(OneCycle::new(args.lr)).validate(&test);
    let goes_on = args.checkpoint.as_ref().is_some_and(|file| file.exists());
    if let Some(file) = &args.checkpoint {
        trainer = trainer.checkpoint(file);
        if goes_on {
            trainer = trainer.resume(file);
        }
    }
    let history = trainer.fit(&mut net, &train, args.record.callbacks(goes_on)?)?;
    let seconds = start.elapsed().as_secs_f64();
    if let [first, .., last] = &history.epochs[..] {
        println!("the loss went from {:.3} in the first epoch to {:.3} in the last", first.loss, last.loss);
    }
    let reached = 100.0 * evaluate(&net, &mut net.workspace(256), &test)?.accuracy();
    let floor = if env::args().len() == 1 { format!(" (floor: {FLOOR} %)") } else { String::new() };
    println!("test accuracy {reached:.2} % after {seconds:.1} s{floor}");
    if let Some(path) = &args.save {
        Saver::new().normalize(test.normalize()).class_names(test.class_names()).save(&net, path)?;
        println!("saved as {}", path.display());
    }
    let settings = [
        ("pictures to train on", train.len().to_string()),
        ("pictures in a step", args.batch.to_string()),
        ("optimiser", "SGD, momentum 0.9, weight decay 5e-4".to_owned()),
        ("learning rate", format!("one cycle up to {}", args.lr)),
        ("augmentation", format!("every other picture mirrored, each moved by up to {} pixels", args.shift)),
        ("seed", args.seed.to_string()),
    ];
    args.record.report(&net, &history, &test, &settings)
}
