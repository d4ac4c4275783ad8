//! Seven LeNet-5 that decide together: the lecture's claim that an ensemble beats its average member.

use std::path::PathBuf;

use clap::Parser;
use cnn_examples::{Outcome, shipped};
use cnn_runtime::data::{RandomCrop, idx};
use cnn_runtime::prelude::*;
use cnn_runtime::watch::Progress;

cnn! {
    /// LeNet-5 with today's parts.
    pub LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> relu -> pool(2, s2)
        -> conv(16, 5x5, s1)    -> relu -> pool(2, s2)
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10);
}

#[derive(Parser)]
#[command(about = "Trains seven LeNet-5 and compares them, one by one, with their ensemble")]
struct Args {
    /// A folder with the four MNIST files, gzipped or not [default: the digits that ship with the repository]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Networks in the ensemble
    #[arg(long, default_value_t = 7)]
    members: u64,
    /// Times each network sees every digit
    #[arg(long, default_value_t = 8)]
    epochs: usize,
    /// Highest learning rate; it rises to it and falls to nearly zero in one cycle
    #[arg(long, default_value_t = 0.02)]
    lr: f32,
    /// Seed of the first network's weights and order of digits; the others count on from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Two networks, one epoch on few digits: a check that everything runs
    #[arg(long)]
    quick: bool,
}

fn main() -> Outcome {
    let mut args = Args::parse();
    let folder = args.data.clone().unwrap_or_else(|| shipped("mnist"));
    let (digits, tests) = (idx::mnist(&folder, Split::Train)?, idx::mnist(&folder, Split::Test)?);
    let mut count = digits.len();
    if args.quick {
        (args.members, args.epochs, count) = (args.members.min(2), 1, count.min(2_000));
    }
    let normalize = Normalize::of(&digits)?;
    let train = digits.take(count).augmented(RandomCrop::new(1)).normalized(normalize.clone())?;
    let test = tests.normalized(normalize)?;

    let seeds = args.seed..args.seed + args.members;
    let members = seeds.map(|seed| trained(seed, &train, &args)).collect::<Result<Vec<_>, Error>>()?;
    let mut errors = Vec::new();
    println!("\nnetwork   test error");
    for (number, member) in (1..).zip(&members) {
        errors.push(error(&evaluate(member, &mut member.workspace(256), &test)?));
        println!("{number:>7}   {:>8.2} %", errors[errors.len() - 1]);
    }
    let ensemble = Ensemble::new(members)?;
    let together = error(&ensemble.evaluate(&mut ensemble.workspace(256), &test)?);
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    println!("   mean   {mean:>8.2} %\n    all   {together:>8.2} %  decided by the mean of their probabilities");
    println!("the ensemble makes {:.0} % fewer mistakes than its average member", 100.0 * (1.0 - together / mean));
    Ok(())
}

/// A network from `seed` that has learned the digits in an order of its own.
fn trained(seed: u64, train: &impl Dataset, args: &Args) -> Result<LeNet5, Error> {
    println!("network of seed {seed}");
    let mut net = LeNet5::new(seed);
    let sgd = Sgd::new(args.lr).momentum(0.9).weight_decay(1e-4);
    let trainer = Trainer::new(sgd).epochs(args.epochs).batch(64).seed(seed);
    trainer.schedule(OneCycle::new(args.lr)).fit(&mut net, train, Progress::new())?;
    Ok(net)
}

/// Percent of the digits that were taken for others.
fn error(evaluation: &Evaluation) -> f64 {
    100.0 * (1.0 - evaluation.accuracy())
}
