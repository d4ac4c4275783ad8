//! Says what is on pictures: a network whose weights come from a file, ours or PyTorch's, or one trained on the spot.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use cnn_examples::tuned::{EightKinds, FourKinds};
use cnn_examples::{Failure, Outcome, picture, shipped};
use cnn_runtime::data::{HorizontalFlip, RandomCrop, pictures::ImageFiles};
use cnn_runtime::metrics::{softmax, top};
use cnn_runtime::prelude::*;
use cnn_runtime::watch::Progress;
use cnn_runtime::weights::{Loader, Saver, Weights};

cnn! {
    block unit(c) = conv(c, 3x3, p1) -> bn -> relu;

    /// A network for eight classes of small colour drawings.
    #[derive(Clone)]
    pub Drawings <3x64x64>
        -> unit(16) -> pool(2) -> unit(32) -> pool(2) -> unit(64) -> pool(2) -> unit(64)
        -> avgpool(global) -> dropout(0.2) -> fc(8);

    /// What the example `lenet5` saves.
    pub LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> relu -> pool(2, s2)
        -> conv(16, 5x5, s1) -> relu -> pool(2, s2)
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10);

    /// What it saves with `--classic`.
    pub LeNet5Of1998 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> tanh -> avgpool(2, s2)
        -> conv(16, 5x5, s1) -> tanh -> avgpool(2, s2)
        -> conv(120, 5x5, s1) -> tanh -> fc(84) -> tanh -> fc(10);

    block basic(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;

    block small() =
        conv(16, 3x3, p1) -> bn -> relu
        -> basic(16) * 3 -> basic(32, s2) -> basic(32) * 2 -> basic(64, s2) -> basic(64) * 2
        -> avgpool(global) -> fc(10);

    /// What the example `resnet` saves of grey pictures.
    pub ResNet20 <1x28x28> -> small();

    /// What it saves of colour pictures.
    pub ResNet20Colour <3x32x32> -> small();

    /// AlexNet as torchvision has it.
    pub AlexNet <3x224x224>
        -> conv(64, 11x11, s4, p2) -> relu -> pool(3, s2)
        -> conv(192, 5x5, p2) -> relu -> pool(3, s2)
        -> conv(384, 3x3, p1) -> relu -> conv(256, 3x3, p1) -> relu -> conv(256, 3x3, p1) -> relu -> pool(3, s2)
        -> dropout -> fc(4096) -> relu -> dropout -> fc(4096) -> relu -> fc(1000);

    block plain(c) = conv(c, 3x3, p1) -> relu;

    /// VGG-16.
    pub Vgg16 <3x224x224>
        -> plain(64) * 2 -> pool(2) -> plain(128) * 2 -> pool(2) -> plain(256) * 3 -> pool(2)
        -> plain(512) * 3 -> pool(2) -> plain(512) * 3 -> pool(2)
        -> fc(4096) -> relu -> dropout -> fc(4096) -> relu -> dropout -> fc(1000);

    block stem() = conv(64, 7x7, s2, p3) -> bn -> relu -> pool(3, s2, p1);

    block bottleneck(c, s = 1) =
        add(conv(c, 1x1) -> bn -> relu -> conv(c, 3x3, s, p1) -> bn -> relu -> conv(4 * c, 1x1) -> bn,
            shortcut(4 * c, s))
        -> relu;

    /// ResNet-18.
    pub ResNet18 <3x224x224> -> stem()
        -> basic(64) * 2 -> basic(128, s2) -> basic(128) -> basic(256, s2) -> basic(256)
        -> basic(512, s2) -> basic(512)
        -> avgpool(global) -> fc(1000);

    /// ResNet-50.
    pub ResNet50 <3x224x224> -> stem()
        -> bottleneck(64) * 3 -> bottleneck(128, s2) -> bottleneck(128) * 3
        -> bottleneck(256, s2) -> bottleneck(256) * 5 -> bottleneck(512, s2) -> bottleneck(512) * 2
        -> avgpool(global) -> fc(1000);
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    Drawings,
    #[value(name = "lenet5")]
    LeNet5,
    #[value(name = "lenet5of1998")]
    LeNet5Of1998,
    #[value(name = "resnet20")]
    ResNet20,
    #[value(name = "resnet20colour")]
    ResNet20Colour,
    #[value(name = "fourkinds")]
    FourKinds,
    #[value(name = "eightkinds")]
    EightKinds,
    #[value(name = "alexnet")]
    AlexNet,
    Vgg16,
    #[value(name = "resnet18")]
    ResNet18,
    #[value(name = "resnet50")]
    ResNet50,
}

#[derive(Parser)]
#[command(
    about = "Says what is on pictures, by a network with weights from a file or one trained on small drawings",
    after_help = "AlexNet, VGG-16, ResNet-18 and ResNet-50 take torchvision's weights. PyTorch writes them, and the classes' names:\n  \
                  import safetensors.torch, torchvision\n  \
                  weights = torchvision.models.ResNet18_Weights.DEFAULT\n  \
                  net = torchvision.models.resnet18(weights=weights)\n  \
                  safetensors.torch.save_file(net.state_dict(), \"resnet18.safetensors\")\n  \
                  open(\"labels.txt\", \"w\").write(\"\\n\".join(weights.meta[\"categories\"]))\n\
                  then:\n  \
                  predict --weights resnet18.safetensors --net resnet18 --labels labels.txt photo.jpg\n\
                  Such a file does not say what pictures are normalised by: that is ImageNet's colours then. A picture is\n\
                  scaled to cover 224x224, where torchvision cuts 224x224 out of one scaled to 256 lines."
)]
struct Args {
    /// Pictures: JPEG, PNG or WebP [default: drawings that ship with the repository and were not trained on]
    pictures: Vec<PathBuf>,
    /// Weights: safetensors, or NumPy's npz [default: trained now, in a few seconds]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// The network that the weights are of [default: the one that the file names]
    #[arg(long, requires = "weights")]
    net: Option<Choice>,
    /// A text file with a class's name per line [default: what the weights file says]
    #[arg(long)]
    labels: Option<PathBuf>,
    /// Where to save the network that was trained now
    #[arg(long, conflicts_with = "weights")]
    save: Option<PathBuf>,
    /// Turn pictures into their negatives: a digit in ink on paper for a network of MNIST, whose digits are bright on black
    #[arg(long)]
    invert: bool,
    /// Classes to name of each picture
    #[arg(long, default_value_t = 5)]
    top: usize,
    /// Train for a moment only: a check that everything runs
    #[arg(long)]
    quick: bool,
}

fn main() -> Outcome {
    let args = Args::parse();
    let Some(path) = &args.weights else { return trained_now(&args) };
    let file = Weights::open(path)?;
    match args.net.map_or_else(|| named_by(&file), Ok)? {
        Choice::Drawings => load::<Drawings>(&file, &args),
        Choice::LeNet5 => load::<LeNet5>(&file, &args),
        Choice::LeNet5Of1998 => load::<LeNet5Of1998>(&file, &args),
        Choice::ResNet20 => load::<ResNet20>(&file, &args),
        Choice::ResNet20Colour => load::<ResNet20Colour>(&file, &args),
        Choice::FourKinds => load::<FourKinds>(&file, &args),
        Choice::EightKinds => load::<EightKinds>(&file, &args),
        Choice::AlexNet => load::<AlexNet>(&file, &args),
        Choice::Vgg16 => load::<Vgg16>(&file, &args),
        Choice::ResNet18 => load::<ResNet18>(&file, &args),
        Choice::ResNet50 => load::<ResNet50>(&file, &args),
    }
}

/// The network whose name the file bears.
fn named_by(file: &Weights) -> Result<Choice, Failure> {
    let Some(name) = file.metadata().get("network") else {
        return Err("the file does not say which network it is of: --net does".into());
    };
    Choice::from_str(name, true).map_err(|_| {
        let known: Vec<_> = Choice::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
        let known: Vec<_> = known.iter().map(|value| value.get_name()).collect();
        format!("the file is of `{name}`, which this example does not know; it knows {}", known.join(", ")).into()
    })
}

/// Predicts with weights from a file.
fn load<N: Network>(file: &Weights, args: &Args) -> Outcome {
    let mut net = N::new(0);
    let loaded = Loader::new().apply(&mut net, file)?;
    println!("{}: {} tensors, with names as of {}", N::INFO.name, loaded.loaded.len(), loaded.naming);
    let normalize = picture::normalize_of(file)?;
    if args.pictures.is_empty() {
        return Err("which pictures? Give their files".into());
    }
    predict(&net, &normalize, file.class_names()?, &args.pictures, args)
}

/// Trains on the drawings that ship, but for some, and predicts with the result.
fn trained_now(args: &Args) -> Outcome {
    let every = 6;
    let pictures = ImageFiles::from_folder(shipped("emoji"), Drawings::INPUT)?.load()?;
    let (drawings, apart) = (&pictures).hold_out(every)?;
    let normalize = Normalize::of(&drawings)?;
    let train = drawings.augmented(RandomCrop::new(4)).augmented(HorizontalFlip).normalized(normalize.clone())?;
    let test = apart.normalized(normalize.clone())?;

    let mut net = Drawings::new(1);
    let lr = 0.03;
    let sgd = Sgd::new(lr).momentum(0.9).weight_decay(5e-4);
    let trainer = Trainer::new(sgd).epochs(if args.quick { 1 } else { 40 }).batch(16).seed(1);
    trainer.schedule(Cosine::new(lr)).fit(&mut net, &train, Progress::new())?;
    let reached = evaluate(&net, &mut net.workspace(32), &test)?;
    println!("right about {:.0} % of {} drawings that it never saw", 100.0 * reached.accuracy(), test.len());
    if let Some(path) = &args.save {
        Saver::new().normalize(&normalize).class_names(pictures.class_names()).save(&net, path)?;
        println!("saved as {}", path.display());
    }
    let mut shown = args.pictures.clone();
    if shown.is_empty() {
        // One of each class.
        let apart = (0..test.len()).step_by(24 / every);
        shown = apart.filter_map(|at| test.source(at)).map(Path::to_owned).collect();
    }
    predict(&net, &normalize, pictures.class_names().to_vec(), &shown, args)
}

/// Prints the likeliest classes of each picture, by their names if they have any.
fn predict<N: Network>(
    net: &N,
    normalize: &Normalize,
    mut names: Vec<String>,
    pictures: &[PathBuf],
    args: &Args,
) -> Outcome {
    if let Some(path) = &args.labels {
        names = labels(path)?;
    }
    let mut workspace = net.workspace(1);
    for path in pictures {
        let batch = picture::load(path, N::INFO.input, args.invert, normalize)?;
        let probabilities = softmax(net.forward_batch(&mut workspace, batch.view())?.row(0));
        println!("{}", path.display());
        for (class, probability) in top(probabilities.view(), args.top) {
            let name = names.get(class).cloned().unwrap_or_else(|| format!("class {class}"));
            println!("{:>8.1} %  {name}", 100.0 * probability);
        }
    }
    Ok(())
}

/// The lines of a file.
fn labels(path: &Path) -> Result<Vec<String>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().map(str::to_owned).collect())
}
