//! What is measured: networks, whether they infer or train, and batches.

use std::fmt;
use std::time::Duration;

use cnn_runtime::prelude::*;
use cnn_runtime::testing::uniform;
use ndarray::Array4;

use crate::clock::{self, Seconds};
use crate::nets::{
    AlexNet, LeNet5, ResNet18, ResNet20, ResNet50, ResNet152, ResNet152Direct, Vgg16, Vgg16Direct, Vgg19, Vgg19Direct,
};
use crate::peak;

/// One network doing one thing.
#[derive(Clone, Copy)]
pub struct Case {
    /// The network's name.
    pub network: &'static str,
    /// What it does.
    pub task: Task,
    /// Samples at a time.
    pub batch: usize,
    run: fn(Task, usize, Duration) -> Measured,
}

/// What a network can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A forward pass.
    Infer,
    /// Forward pass, loss, backward pass and the update of the parameters with momentum and decay.
    Train,
}

/// What was found out about a case.
pub struct Measured {
    /// A pass or step.
    pub seconds: Seconds,
    /// Billions of operations that the processor could have done in that time.
    pub possible: f64,
    /// Its operations, two per multiply-add; a backward pass has about twice as many as a forward pass.
    pub flops: f64,
    /// Bytes of parameters, workspace and the optimiser's memory, as known at compile time.
    pub planned_bytes: usize,
}

/// All cases, network by network.
pub fn all() -> Vec<Case> {
    [
        cases::<LeNet5>("lenet5", &[1, 8, 64], &[64]),
        cases::<ResNet20>("resnet20", &[1, 8, 64], &[32]),
        cases::<AlexNet>("alexnet", &[1, 8, 64], &[8]),
        cases::<ResNet18>("resnet18", &[1, 8, 64], &[8]),
        cases::<ResNet50>("resnet50", &[1, 8, 64], &[]),
        cases::<ResNet152>("resnet152", &[1, 8], &[]),
        cases::<Vgg16>("vgg16", &[1, 8], &[]),
        cases::<Vgg19>("vgg19", &[1, 8], &[]),
        // Without Winograd's way, which saves VGG more: what a lecture compares.
        cases::<ResNet152Direct>("resnet152direct", &[1], &[]),
        cases::<Vgg16Direct>("vgg16direct", &[1], &[]),
        cases::<Vgg19Direct>("vgg19direct", &[1], &[]),
    ]
    .concat()
}

fn cases<N: Network>(network: &'static str, infer: &[usize], train: &[usize]) -> Vec<Case> {
    let case = |task| move |&batch| Case { network, task, batch, run: run::<N> };
    infer.iter().map(case(Task::Infer)).chain(train.iter().map(case(Task::Train))).collect()
}

impl Case {
    /// Runs the case again and again for about as long as `budget`.
    pub fn run(&self, budget: Duration) -> Measured {
        (self.run)(self.task, self.batch, budget)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.network, self.task, self.batch)
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Task::Infer => "infer",
            Task::Train => "train",
        })
    }
}

fn run<N: Network>(task: Task, n: usize, budget: Duration) -> Measured {
    let [c, h, w] = N::INFO.input;
    let images = Array4::from_shape_vec((n, c, h, w), uniform(1, n * c * h * w)).expect("as many values as the shape");
    let mut net = N::new(1);
    let flops = 2.0 * (N::INFO.macs * n as u64) as f64;
    match task {
        Task::Infer => {
            let mut workspace = net.workspace(n);
            let pass = || _ = net.forward_batch(&mut workspace, images.view()).expect("the batch fits");
            let (seconds, possible) = clock::beside(budget, pass, peak::now, |turn| turn());
            // With the weights that the passes have kept in another form.
            Measured { seconds, possible, flops, planned_bytes: net.params().bytes() + workspace.bytes() }
        }
        Task::Train => {
            let mut workspace = net.train_workspace(n);
            let planned_bytes = 4 * (2 * N::INFO.param_floats + N::INFO.state_floats) + workspace.bytes();
            let labels: Vec<usize> = (0..n).map(|i| (7 * i + 3) % N::INFO.output[0]).collect();
            let (mut sgd, mut seed) = (Sgd::new(1e-4).momentum(0.9).weight_decay(5e-4), 0);
            let step = || {
                seed += 1;
                net.forward_train(&mut workspace, images.view(), seed).expect("the batch fits");
                workspace.loss(&SoftmaxCrossEntropy, &labels).expect("every label is a class");
                net.backward(&mut workspace).expect("the loss is known");
                sgd.step(&mut net, &workspace).expect("the gradients are known");
            };
            let (seconds, possible) = clock::beside(budget, step, peak::now, |turn| turn());
            Measured { seconds, possible, flops: 3.0 * flops, planned_bytes }
        }
    }
}
