//! Takes the body of a trained network, puts another head on it, and trains that on few pictures of other things.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use cnn_examples::tuned::{EightKinds, FourKinds, SixKinds};
use cnn_examples::{Outcome, data, picture, shipped};
use cnn_runtime::data::{HorizontalFlip, Images, RandomCrop};
use cnn_runtime::prelude::*;
use cnn_runtime::watch::Progress;
use cnn_runtime::weights::{Loader, Saver, Weights};

/// Classes of Fashion-MNIST: T-shirts, pullovers, coats, shirts, sandals and sneakers.
const SIX: [usize; 6] = [0, 2, 4, 6, 5, 7];
/// Trousers, dresses, bags and boots.
const FOUR: [usize; 4] = [1, 3, 8, 9];

/// The head's name in both networks.
const HEAD: &str = "fc1";

#[derive(Parser)]
#[command(
    about = "Puts a new head on the frozen body of a trained network, trains it on few pictures, and compares",
    after_help = "Without --weights a small body learns six kinds of clothes first. With it the body is ResNet-18's:\n  \
                  save_file(torchvision.models.resnet18(weights=\"DEFAULT\").state_dict(), \"resnet18.safetensors\")\n\
                  where save_file is safetensors.torch's."
)]
struct Args {
    /// Weights of torchvision's ResNet-18 [default: a small body is trained now, on pictures of clothes]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// A folder with up to eight folders of pictures, one per class, for ResNet-18 [default: drawings that ship with the
    /// repository]
    #[arg(long, requires = "weights")]
    data: Option<PathBuf>,
    /// Pictures of each kind that the small body's new head learns from
    #[arg(long, default_value_t = 1, conflicts_with = "weights")]
    each: usize,
    /// Times the head sees every picture [default: 60 for the small body, 4 for ResNet-18]
    #[arg(long)]
    epochs: Option<usize>,
    /// Learning rate of the first step; it falls to zero along half a cosine
    #[arg(long, default_value_t = 0.02)]
    lr: f32,
    /// Seed of the weights and of the order of pictures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to save the network with its new head, for the example `predict`
    #[arg(long)]
    save: Option<PathBuf>,
    /// Few pictures once: a check that everything runs
    #[arg(long)]
    quick: bool,
}

fn main() -> Outcome {
    let args = Args::parse();
    match &args.weights {
        Some(path) => tune_resnet(path, &args),
        None => tune_small(&args),
    }
}

/// Puts a head for the shipped drawings, or other pictures, on the body of ResNet-18.
fn tune_resnet(path: &Path, args: &Args) -> Outcome {
    let folder = args.data.clone().unwrap_or_else(|| shipped("emoji"));
    let pictures = data::of_classes(&folder, EightKinds::INPUT, EightKinds::OUTPUT[0])?.load()?;
    let (train, test) = (&pictures).hold_out(4)?;
    tune::<EightKinds>(&Weights::open(path)?, train, test, picture::imagenet(), args.epochs.unwrap_or(4), args)
}

/// Trains the small body on six kinds of clothes, then puts a head for four others on it.
fn tune_small(args: &Args) -> Outcome {
    let (clothes, tests) = data::clothes()?;
    let normalize = Normalize::of(&clothes)?;
    let body = learn(kinds(&clothes, &SIX, usize::MAX)?, kinds(&tests, &SIX, usize::MAX)?, &normalize, args)?;
    let (few, tests) = (kinds(&clothes, &FOUR, args.each)?, kinds(&tests, &FOUR, usize::MAX)?);
    tune::<FourKinds>(&Weights::of(&body), few, tests, normalize, args.epochs.unwrap_or(60), args)
}

/// The first `each` pictures of some classes.
fn kinds(clothes: &Images, classes: &[usize], each: usize) -> Result<Images, Error> {
    let mut found = vec![0; classes.len()];
    let (mut pixels, mut labels) = (vec![], vec![]);
    for (index, label) in clothes.labels().iter().enumerate() {
        let Some(class) = classes.iter().position(|class| class == label) else { continue };
        found[class] += 1;
        if found[class] <= each {
            pixels.extend(clothes.pixels(index));
            labels.push(class);
        }
    }
    let names = classes.iter().map(|&class| clothes.class_names()[class].clone());
    Images::new(clothes.shape(), pixels, labels, classes.len())?.with_class_names(names.collect())
}

/// The small body, trained, with a head for what it was trained on.
fn learn(train: Images, test: Images, normalize: &Normalize, args: &Args) -> Result<SixKinds, Error> {
    let (epochs, count) = if args.quick { (1, 320) } else { (3, train.len()) };
    let train = train.spread(count).augmented(HorizontalFlip).normalized(normalize.clone())?;
    let test = test.normalized(normalize.clone())?;
    println!("the body learns from {} pictures of {} kinds", train.len(), train.classes());
    let mut net = SixKinds::new(args.seed);
    let sgd = Sgd::new(0.05).momentum(0.9).weight_decay(5e-4);
    let trainer = Trainer::new(sgd).epochs(epochs).batch(32).seed(args.seed);
    trainer.schedule(Cosine::new(0.05)).validate(&test).fit(&mut net, &train, Progress::new())?;
    Ok(net)
}

/// Takes a body and trains a head on it; then trains the same network from nothing, all of it.
fn tune<N: Network + Clone>(
    body: &Weights,
    train: impl Dataset,
    test: impl Dataset,
    normalize: Normalize,
    epochs: usize,
    args: &Args,
) -> Outcome {
    let saver = Saver::new().normalize(&normalize).class_names(train.class_names());
    let count = if args.quick { 16 } else { train.len() };
    let train = train.spread(count).augmented(RandomCrop::new(2)).augmented(HorizontalFlip);
    let (train, test) = (train.normalized(normalize.clone())?, test.normalized(normalize)?);

    let fresh = N::new(args.seed);
    let mut net = fresh.clone();
    // The trained head is for other classes: the new one stays as it is.
    let loaded = Loader::new().keep(HEAD).apply(&mut net, body)?;
    println!(
        "{} tensors loaded, with names as of {}; new: {}",
        loaded.loaded.len(),
        loaded.naming,
        loaded.kept.join(", ")
    );
    // What the convolutions look for stays as it is. Normalisations get used to the new pictures with the new head.
    let convs: Vec<_> = N::INFO.layers.iter().filter(|layer| layer.kind() == "conv").collect();

    for (what, mut net, frozen) in [("a new head on the trained body", net, convs), ("all of it anew", fresh, vec![])] {
        let start = Instant::now();
        let sgd = Sgd::new(args.lr).momentum(0.9);
        let epochs = if args.quick { 1 } else { epochs };
        let mut trainer = Trainer::new(sgd).epochs(epochs).batch(16).seed(args.seed).schedule(Cosine::new(args.lr));
        for layer in &frozen {
            trainer = trainer.freeze(layer.name);
        }
        println!("{what}: {epochs} times {} pictures, {} layers frozen", train.len(), frozen.len());
        trainer.fit(&mut net, &train, ())?;
        let reached = evaluate(&net, &mut net.workspace(16), &test)?;
        println!(
            "  right about {:.0} % of {} pictures that it never saw, after {:.1} s",
            100.0 * reached.accuracy(),
            test.len(),
            start.elapsed().as_secs_f64()
        );
        if let (Some(path), false) = (&args.save, frozen.is_empty()) {
            saver.save(&net, path)?;
            println!("saved as {}", path.display());
        }
    }
    Ok(())
}
