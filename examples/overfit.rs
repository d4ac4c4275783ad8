//! Too many kernels overfit: networks that differ in the number of their kernels learn a few digits, some of which have a
//! wrong label, as data have in practice. Those with many kernels learn every wrong label by heart; kept from it by dropout
//! and varied digits, the largest of them finds far more of new ones.

use std::path::PathBuf;

use clap::Parser;
use cnn_examples::{Outcome, shipped};
use cnn_runtime::data::{Images, RandomCrop, Rotation, idx};
use cnn_runtime::prelude::*;

cnn! {
    block stage(c) = conv(c, 5x5, p2) -> relu -> pool(2);

    /// As few kernels as can be.
    pub Few <1x28x28> -> stage(2) -> stage(4) -> fc(16) -> relu -> fc(10);
    /// About as many as LeNet-5 has.
    pub Usual <1x28x28> -> stage(6) -> stage(16) -> fc(84) -> relu -> fc(10);
    /// Far more than the digits call for.
    pub Many <1x28x28> -> stage(32) -> stage(96) -> fc(512) -> relu -> fc(10);
    /// As many, half of whose features are hidden in each step of training.
    pub ManyWithDropout <1x28x28> -> stage(32) -> stage(96) -> dropout(0.5) -> fc(512) -> relu -> dropout(0.5) -> fc(10);
}

#[derive(Parser)]
#[command(
    about = "Lets small and large networks learn few digits, and shows what keeps large ones from learning them by heart"
)]
struct Args {
    /// A folder with the four MNIST files, gzipped or not [default: the digits that ship with the repository]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Digits to learn from
    #[arg(long, default_value_t = 600)]
    digits: usize,
    /// Of so many digits to learn from, one has a wrong label; 0 for none
    #[arg(long, default_value_t = 4)]
    wrong: usize,
    /// Times each network sees every digit
    #[arg(long, default_value_t = 60)]
    epochs: usize,
    /// Seed of the weights and of the order of digits
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Two epochs: a check that everything runs
    #[arg(long)]
    quick: bool,
}

fn main() -> Outcome {
    let mut args = Args::parse();
    if args.quick {
        args.epochs = 2;
    }
    let folder = args.data.clone().unwrap_or_else(|| shipped("mnist"));
    let (digits, tests) = (idx::mnist(&folder, Split::Train)?, idx::mnist(&folder, Split::Test)?);
    let normalize = Normalize::of(&digits)?;
    let digits = mislabelled(&digits, args.digits, args.wrong)?;
    let plain = (&digits).normalized(normalize.clone())?;
    let varied =
        (&digits).augmented(RandomCrop::new(2)).augmented(Rotation::new(15.0)).normalized(normalize.clone())?;
    let tests = tests.normalized(normalize)?;

    let rows = [
        row::<Few>("few kernels", &plain, &plain, &tests, &args)?,
        row::<Usual>("some kernels", &plain, &plain, &tests, &args)?,
        row::<Many>("many kernels", &plain, &plain, &tests, &args)?,
        row::<ManyWithDropout>("many, dropout", &plain, &plain, &tests, &args)?,
        row::<Many>("many, varied digits", &varied, &plain, &tests, &args)?,
        row::<ManyWithDropout>("many, both", &varied, &plain, &tests, &args)?,
    ];
    let wrong = match args.wrong {
        0 => "none".to_owned(),
        wrong => format!("one in {wrong}"),
    };
    println!("\n{} digits to learn from, {wrong} with a wrong label; {} to be tested on", digits.len(), tests.len());
    println!("                     parameters   learned: found, loss     new: found, loss");
    rows.iter().for_each(|row| println!("{row}"));
    Ok(())
}

/// The first `count` digits, of which each one in `wrong` has the label of another.
fn mislabelled(digits: &Images, count: usize, wrong: usize) -> Result<Images, Error> {
    let count = count.min(digits.len());
    let pixels = (0..count).flat_map(|index| digits.pixels(index)).copied().collect();
    let label = |index: usize| match digits.labels()[index] {
        label if wrong > 0 && index % wrong == wrong - 1 => (label + 1 + index % 9) % 10,
        label => label,
    };
    Images::new(digits.shape(), pixels, (0..count).map(label).collect(), 10)
}

/// A line of the table: what a network makes of the digits that it learned from, and of new ones.
fn row<N: Network>(
    name: &str,
    train: &impl Dataset,
    learned: &impl Dataset,
    new: &impl Dataset,
    args: &Args,
) -> Result<String, Error> {
    println!("{name}");
    let mut net = N::new(args.seed);
    let adam = Adam::new(1e-3);
    let trainer = Trainer::new(adam).epochs(args.epochs).batch(32).seed(args.seed);
    trainer.schedule(Cosine::new(1e-3)).fit(&mut net, train, ())?;
    let mut workspace = net.workspace(256);
    let found = [evaluate(&net, &mut workspace, learned)?, evaluate(&net, &mut workspace, new)?];
    let [learned, new] = found.map(|found| format!("{:>6.2} %  {:.4}", 100.0 * found.accuracy(), found.loss));
    Ok(format!("{name:<20} {:>10}       {learned}       {new}", N::INFO.params))
}
