//! What a shift does to a multi-layer perceptron and to a convolutional network: both learn the same digits, and are
//! tested on digits moved by a few pixels.

use std::path::PathBuf;

use clap::Parser;
use cnn_examples::{Outcome, record::pictures, shipped};
use cnn_runtime::data::{Shift, idx};
use cnn_runtime::prelude::*;
use cnn_runtime::viz::{LineChart, Unit};
use cnn_runtime::watch::Progress;

cnn! {
    /// Two hidden layers, as in LeCun et al. 1998, section III-C.4: every pixel has a weight of its own.
    pub Mlp <1x28x28> -> fc(300) -> relu -> fc(100) -> relu -> fc(10);

    /// LeNet-5: the same few weights slide over all pixels.
    pub LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> relu -> pool(2, s2)
        -> conv(16, 5x5, s1)    -> relu -> pool(2, s2)
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10);

    // First layers alone, on small and on large pictures.
    FcOn28 <1x28x28> -> fc(300);
    FcOn224 <1x224x224> -> fc(300);
    ConvOn28 <1x28x28> -> conv(6, 5x5);
    ConvOn224 <1x224x224> -> conv(6, 5x5);
}

#[derive(Parser)]
#[command(about = "Trains an MLP and LeNet-5 on the same digits and tests both on shifted ones")]
struct Args {
    /// A folder with the four MNIST files, gzipped or not [default: the digits that ship with the repository]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Times each network sees every digit
    #[arg(long, default_value_t = 8)]
    epochs: usize,
    /// Learning rate of the first step; it falls to zero along half a cosine
    #[arg(long, default_value_t = 0.01)]
    lr: f32,
    /// Largest shift in pixels
    #[arg(long, default_value_t = 6)]
    shift: i32,
    /// Seed of the weights and of the order of digits
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The plot to write, .svg or .png [default: target/pictures/mlp_vs_cnn.svg]
    #[arg(long)]
    plot: Option<PathBuf>,
    /// One epoch on few digits: a check that everything runs
    #[arg(long)]
    quick: bool,
}

fn main() -> Outcome {
    let mut args = Args::parse();
    let folder = args.data.clone().unwrap_or_else(|| shipped("mnist"));
    let (digits, tests) = (idx::mnist(&folder, Split::Train)?, idx::mnist(&folder, Split::Test)?);
    let mut count = digits.len();
    if args.quick {
        (args.epochs, count) = (1, count.min(2_000));
    }
    let normalize = Normalize::of(&digits)?;
    let train = digits.take(count).normalized(normalize.clone())?;

    let mlp = trained(Mlp::new(args.seed), "MLP", &train, &args)?;
    let lenet5 = trained(LeNet5::new(args.seed), "LeNet-5", &train, &args)?;

    println!("\nweights                  MLP   LeNet-5");
    println!("all                {:>9} {:>9}", Mlp::PARAMS, LeNet5::PARAMS);
    println!("first, on 28x28    {:>9} {:>9}", FcOn28::PARAMS, ConvOn28::PARAMS);
    println!("first, on 224x224  {:>9} {:>9}", FcOn224::PARAMS, ConvOn224::PARAMS);

    println!("\nTest accuracy on digits moved by some pixels, the mean of left, right, up and down:");
    println!("pixels     MLP   LeNet-5");
    let mut points = [Vec::new(), Vec::new()];
    for shift in 0..=args.shift {
        let [mlp, lenet5] =
            [accuracy_shifted(&mlp, &tests, &normalize, shift)?, accuracy_shifted(&lenet5, &tests, &normalize, shift)?];
        println!("{shift:>6}  {:>4.1} %    {:>4.1} %", 100.0 * mlp, 100.0 * lenet5);
        points[0].push((f64::from(shift), mlp));
        points[1].push((f64::from(shift), lenet5));
    }
    let [of_mlp, of_lenet5] = points;
    let plot = match args.plot {
        Some(plot) => plot,
        None => pictures(None)?.join("mlp_vs_cnn.svg"),
    };
    LineChart::new("Test accuracy on digits moved by some pixels")
        .x("pixels", Unit::Count)
        .y("mean of left, right, up and down", Unit::Percent)
        .from_zero()
        .line("LeNet-5", of_lenet5)
        .line("MLP", of_mlp)
        .draw()
        .save(&plot)?;
    println!("\nplotted in {}", plot.display());
    Ok(())
}

/// `net` after it has learned `train`.
fn trained<N: Network>(mut net: N, name: &str, train: &impl Dataset, args: &Args) -> Result<N, Error> {
    println!("{name}: {} parameters, {} digits, {} epochs", N::INFO.params, train.len(), args.epochs);
    let sgd = Sgd::new(args.lr).momentum(0.9).weight_decay(5e-4);
    let trainer = Trainer::new(sgd).epochs(args.epochs).batch(64).seed(args.seed);
    trainer.schedule(Cosine::new(args.lr)).fit(&mut net, train, Progress::new())?;
    Ok(net)
}

/// Test accuracy, from 0 to 1, on digits that are moved by `by` pixels, the mean over four directions.
fn accuracy_shifted<N: Network>(net: &N, tests: &impl Dataset, normalize: &Normalize, by: i32) -> Result<f64, Error> {
    let directions = [(by, 0), (-by, 0), (0, by), (0, -by)];
    let mut workspace = net.workspace(256);
    let mut sum = 0.0;
    for (dx, dy) in directions {
        let moved = tests.augmented(Shift::new(dx, dy)).normalized(normalize.clone())?;
        sum += evaluate(net, &mut workspace, &moved)?.accuracy();
    }
    Ok(sum / directions.len() as f64)
}
