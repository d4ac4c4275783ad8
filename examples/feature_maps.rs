//! What each layer of a trained network makes of a digit, and which pixels speak for what it takes the digit for.

use std::path::PathBuf;

use clap::Parser;
use cnn_examples::{Outcome, record::pictures, shipped};
use cnn_runtime::data::{RandomCrop, idx};
use cnn_runtime::metrics::argmax;
use cnn_runtime::prelude::*;
use cnn_runtime::viz::{Figure, MANY, filters, layer_maps, look};
use cnn_runtime::watch::Progress;
use ndarray::Axis;

cnn! {
    /// LeNet-5 with today's parts.
    pub LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> relu  <6x28x28>
        -> pool(2, s2)                   <6x14x14>
        -> conv(16, 5x5, s1)    -> relu  <16x10x10>
        -> pool(2, s2)                   <16x5x5>
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10);
}

#[derive(Parser)]
#[command(about = "Trains LeNet-5 on digits and draws what its layers make of one of them")]
struct Args {
    /// A folder with the four MNIST files, gzipped or not [default: the digits that ship with the repository]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Which of the test digits to look at, counted from 0
    #[arg(long, default_value_t = 0)]
    digit: usize,
    /// Times the network sees every digit before
    #[arg(long, default_value_t = 4)]
    epochs: usize,
    /// Seed of the weights and of the order of digits
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for the pictures [default: target/pictures]
    #[arg(long)]
    out: Option<PathBuf>,
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
    let train = digits.take(count).augmented(RandomCrop::new(1)).normalized(normalize.clone())?;
    let test = tests.normalized(normalize)?;
    if args.digit >= test.len() {
        return Err(format!("--digit {}: there are {} test digits", args.digit, test.len()).into());
    }
    let mut net = LeNet5::new(args.seed);
    let mut trainer = Trainer::new(Sgd::new(0.01).momentum(0.9)).epochs(args.epochs).batch(64).seed(args.seed);
    trainer.fit(&mut net, &train, Progress::new())?;

    let (image, label) = test.sample(args.digit)?;
    let digit = image.view().insert_axis(Axis(0));
    let class = argmax(net.forward_batch(&mut net.workspace(1), digit)?.row(0));
    println!("test digit {} is a {label}, taken for a {class}", args.digit);
    let found = net.inspect_class(digit, class)?;
    let out = pictures(args.out.as_deref())?;
    let save = |name: &str, figure: Figure| -> Outcome {
        for ending in ["svg", "png"] {
            figure.save(out.join(name).with_extension(ending))?;
        }
        println!("{}", out.join(name).with_extension("png").display());
        Ok(())
    };
    save("feature-maps", layer_maps(&format!("A {label} through LeNet-5"), &found, 0, MANY)?)?;
    save("look", look(&format!("What speaks for a {class}"), image.view(), &found, 0)?)?;
    for name in ["conv1", "conv2"] {
        let weight = net.tensor(&format!("{name}.weight"))?;
        save(&format!("{name}-filters"), filters(&format!("Filters of {name}"), weight.view(), MANY)?)?;
    }
    Ok(())
}
