//! AlexNet (Krizhevsky et al. 2012) as one tower: a photo through it, and a training run on small colour drawings.

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use cnn_examples::{Outcome, data, picture, shipped};
use cnn_runtime::data::HorizontalFlip;
use cnn_runtime::prelude::*;
use cnn_runtime::watch::Progress;

cnn! {
    // What stands in <> behind a layer is the shape of its output, and the compiler checks it.
    block body() =
           conv(96, 11x11, s4, p0)  <96x55x55>   -> relu
        -> pool(3x3, s2)            <96x27x27>
        -> lrn                      <96x27x27>
        -> conv(256, 5x5, s1, p2)   <256x27x27>  -> relu
        -> pool(3x3, s2)            <256x13x13>
        -> lrn                      <256x13x13>
        -> conv(384, 3x3, s1, p1)   <384x13x13>  -> relu
        -> conv(384, 3x3, s1, p1)   <384x13x13>  -> relu
        -> conv(256, 3x3, s1, p1)   <256x13x13>  -> relu
        -> pool(3x3, s2)            <256x6x6>
        -> fc(4096)                 <4096>       -> relu -> dropout(0.5)
        -> fc(4096)                 <4096>       -> relu -> dropout(0.5);

    /// AlexNet with ImageNet's thousand classes.
    pub AlexNet <3x227x227> -> body() -> fc(1000) <1000>;

    /// AlexNet for eight classes of drawings.
    pub AlexNetForDrawings <3x227x227> -> body() -> fc(8) <8>;
}

#[derive(Parser)]
#[command(about = "Runs a photo through AlexNet, then trains it on small colour drawings")]
struct Args {
    /// The photo to run through it, with random weights [default: one that ships with the repository]
    #[arg(long)]
    photo: Option<PathBuf>,
    /// A folder with up to eight folders of pictures, one per class [default: drawings that ship with the repository]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Times the network sees every drawing
    #[arg(long, default_value_t = 6)]
    epochs: usize,
    /// Drawings in a training step
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Learning rate of the first step; it falls to zero along half a cosine
    #[arg(long, default_value_t = 0.0015)]
    lr: f32,
    /// Seed of the weights, of dropout and of the order of drawings
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A photo once and few drawings: a check that everything runs
    #[arg(long)]
    quick: bool,
}

fn main() -> Outcome {
    let args = Args::parse();
    println!("{}", AlexNet::SUMMARY);
    let photo = args.photo.clone().unwrap_or_else(|| shipped("photos").join("china.jpg"));
    picture::classify(&AlexNet::new(args.seed), &photo, if args.quick { 1 } else { 11 })?;
    println!();
    train(&args)
}

/// Trains on the drawings and prints how far the loss fell.
fn train(args: &Args) -> Outcome {
    let folder = args.data.clone().unwrap_or_else(|| shipped("emoji"));
    let drawings = data::of_classes(&folder, AlexNetForDrawings::INPUT, AlexNetForDrawings::OUTPUT[0])?.load()?;
    let normalize = Normalize::of(&drawings)?;
    let (epochs, count) = if args.quick { (2, 16) } else { (args.epochs, drawings.len()) };
    let data = drawings.spread(count).augmented(HorizontalFlip).normalized(normalize)?;
    let bytes = AlexNetForDrawings::train_bytes(args.batch) + 2 * 4 * AlexNetForDrawings::PARAMS;
    println!("training on {} pictures of {}, {} a step", data.len(), folder.display(), args.batch);
    println!("memory: {:.2} GB for activations, gradients, weights and their velocities", bytes as f64 / 1e9);

    let start = Instant::now();
    let mut net = AlexNetForDrawings::new(args.seed);
    let sgd = Sgd::new(args.lr).momentum(0.9).weight_decay(5e-4);
    let trainer = Trainer::new(sgd).epochs(epochs).batch(args.batch).seed(args.seed);
    let history = trainer.schedule(Cosine::new(args.lr)).fit(&mut net, &data, Progress::new())?;
    if let [first, .., last] = &history.epochs[..] {
        let (guess, seconds) = ((data.classes() as f32).ln(), start.elapsed().as_secs_f64());
        println!(
            "the loss went from {:.2} to {:.2} in {seconds:.1} s; guessing costs {guess:.2}",
            first.loss, last.loss
        );
    }
    Ok(())
}
