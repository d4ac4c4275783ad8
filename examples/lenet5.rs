//! LeNet-5 (LeCun et al. 1998) trained on real handwritten digits, in today's form or in that of 1998.

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use cnn_examples::{Outcome, record::Record, shipped};
use cnn_runtime::data::{RandomCrop, idx};
use cnn_runtime::prelude::*;
use cnn_runtime::weights::Saver;

cnn! {
    /// LeNet-5 with today's parts.
    pub LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> relu  <6x28x28>
        -> pool(2, s2)                   <6x14x14>
        -> conv(16, 5x5, s1)    -> relu  <16x10x10>
        -> pool(2, s2)                   <16x5x5>
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10);

    /// LeNet-5 with the parts of 1998. Its 32x32 input is the digit with a border, which `p2` stands for.
    pub LeNet5Of1998 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> tanh  <6x28x28>
        -> avgpool(2, s2)                <6x14x14>
        -> conv(16, 5x5, s1)    -> tanh  <16x10x10>
        -> avgpool(2, s2)                <16x5x5>
        -> conv(120, 5x5, s1)   -> tanh  <120x1x1>
        -> fc(84) -> tanh -> fc(10);
}

#[derive(Parser)]
#[command(about = "Trains LeNet-5 on real handwritten digits and prints its test accuracy")]
struct Args {
    /// A folder with the four MNIST files, gzipped or not [default: the digits that ship with the repository]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Train the form of 1998: tanh and average pooling
    #[arg(long)]
    classic: bool,
    /// Times the network sees every digit
    #[arg(long, default_value_t = 10)]
    epochs: usize,
    /// Digits in a training step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Learning rate of the first step; it falls to zero along half a cosine
    #[arg(long, default_value_t = 0.01)]
    lr: f32,
    /// Weight decay
    #[arg(long, default_value_t = 1e-4)]
    decay: f32,
    /// Seed of the weights and of the order of digits
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Pixels by which a digit may be moved in each direction while training
    #[arg(long, default_value_t = 1)]
    shift: u16,
    /// Where to save the trained network, for the example `predict` [default: nowhere]
    #[arg(long)]
    save: Option<PathBuf>,
    /// One epoch on few digits: a check that everything runs
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    record: Record,
}

fn main() -> Outcome {
    let args = Args::parse();
    if args.classic {
        println!("{}", LeNet5Of1998::SUMMARY);
        run(LeNet5Of1998::with_init(Init::GlorotUniform, args.seed), &args)
    } else {
        println!("{}", LeNet5::SUMMARY);
        run(LeNet5::new(args.seed), &args)
    }
}

/// Trains `net` and prints what it reached.
fn run<N: Network>(mut net: N, args: &Args) -> Outcome {
    let folder = args.data.clone().unwrap_or_else(|| shipped("mnist"));
    let (digits, tests) = (idx::mnist(&folder, Split::Train)?, idx::mnist(&folder, Split::Test)?);
    let normalize = Normalize::of(&digits)?;
    let (mut epochs, mut count) = (args.epochs, digits.len());
    if args.quick {
        (epochs, count) = (1, count.min(2_000));
    }
    // Every epoch moves each digit by another pixel or none, which keeps the network from learning pixels by heart.
    let train = digits.take(count).augmented(RandomCrop::new(args.shift)).normalized(normalize.clone())?;
    let test = tests.normalized(normalize)?;
    println!("training on {} digits of {}, testing on {}", train.len(), folder.display(), test.len());

    let start = Instant::now();
    let sgd = Sgd::new(args.lr).momentum(0.9).weight_decay(args.decay);
    let trainer = Trainer::new(sgd).epochs(epochs).batch(args.batch).seed(args.seed);
    let mut trainer = trainer.schedule(Cosine::new(args.lr)).validate(&test);
    let history = trainer.fit(&mut net, &train, args.record.callbacks(false)?)?;
    let seconds = start.elapsed().as_secs_f64();
    let reached = evaluate(&net, &mut net.workspace(256), &test)?;
    println!("test accuracy {:.2} % after {seconds:.1} s", 100.0 * reached.accuracy());
    if let Some(path) = &args.save {
        let names: Vec<_> = (0..10).map(|digit| digit.to_string()).collect();
        Saver::new().normalize(test.normalize()).class_names(&names).save(&net, path)?;
        println!("saved as {}", path.display());
    }
    let settings = [
        ("data", folder.display().to_string()),
        ("digits to train on", train.len().to_string()),
        ("digits in a step", args.batch.to_string()),
        ("optimiser", format!("SGD, momentum 0.9, weight decay {}", args.decay)),
        ("learning rate", format!("{}, falling to zero along half a cosine", args.lr)),
        ("moved by up to", format!("{} pixels", args.shift)),
        ("seed", args.seed.to_string()),
    ];
    args.record.report(&net, &history, &test, &settings)
}
