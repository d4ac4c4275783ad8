//! Results do not depend on threads, and depend on seeds and samples alone.

use cnn_runtime::data::{Arrays, Dataset, HorizontalFlip, RandomCrop};
use cnn_runtime::prelude::*;
use cnn_runtime::testing::{assert_close, assert_same_bits, on_threads, uniform, widen};
use ndarray::{Array4, ArrayView4, Axis, s};
use rayon::prelude::*;

use crate::nets::{LeNet5, Residual};

fn images<N: Network>(seed: u64, n: usize) -> Array4<f32> {
    let [c, h, w] = N::INFO.input;
    Array4::from_shape_vec((n, c, h, w), uniform(seed, n * c * h * w)).unwrap()
}

/// All that two runs could differ in, one after the other.
#[derive(Default)]
struct Trace(Vec<(String, Vec<f32>)>);

impl Trace {
    fn keep(&mut self, what: impl Into<String>, values: impl IntoIterator<Item = f32>) {
        self.0.push((what.into(), values.into_iter().collect()));
    }

    fn keep_network(&mut self, when: &str, net: &impl Network) {
        self.keep(format!("weights {when}"), net.params().values().to_vec());
        self.keep(format!("running statistics {when}"), net.params().state().to_vec());
    }

    #[track_caller]
    fn assert_same(&self, expected: &Trace, run: &str) {
        assert_eq!(self.0.len(), expected.0.len());
        for ((what, found), (_, expected)) in self.0.iter().zip(&expected.0) {
            assert_same_bits(&format!("{what}, {run}"), found, expected);
        }
    }

    fn differs(&self, other: &Trace) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a.1 != b.1)
    }
}

/// A new network, an inference, the gradients of the first of 20 training steps, and what came of them all.
fn run<N: Network>(batch: usize, seed: u64) -> Trace {
    let mut trace = Trace::default();
    let mut net = N::new(seed);
    trace.keep_network("at first", &net);
    let (mut infer, mut train) = (net.workspace(batch), net.train_workspace(batch));
    let samples = images::<N>(9, batch);
    trace.keep("outputs at first", net.forward_batch(&mut infer, samples.view()).unwrap().iter().copied());

    train.set_input_gradient(true);
    let mut sgd = Sgd::new(0.01).momentum(0.9).weight_decay(5e-4);
    for step in 0..20 {
        let samples = images::<N>(100 + step, batch);
        let labels: Vec<usize> = (0..batch).map(|i| (i * 7 + step as usize) % 10).collect();
        let output = net.forward_train(&mut train, samples.view(), seed + step).unwrap();
        trace.keep(format!("outputs of step {step}"), output.iter().copied());
        let loss = train.loss(&SoftmaxCrossEntropy, &labels).unwrap();
        trace.keep(format!("loss of step {step}"), [loss]);
        net.backward(&mut train).unwrap();
        if step == 0 {
            for (name, tensor) in net.tensors().filter(|(_, tensor)| !tensor.role.is_state()) {
                let gradient = train.gradient(tensor.name).unwrap();
                assert!(gradient.iter().any(|&g| g != 0.0), "the gradient of {name} is zero");
                trace.keep(format!("gradient of {name}"), gradient);
            }
            trace.keep("gradient of the input", train.input_gradient().unwrap().iter().copied());
        }
        sgd.step(&mut net, &train).unwrap();
    }
    trace.keep_network("after 20 steps", &net);
    trace.keep("outputs at last", net.forward_batch(&mut infer, samples.view()).unwrap().iter().copied());
    trace
}

fn any_number_of_threads_gives_the_same<N: Network>(batch: usize) {
    let expected = on_threads(1, || run::<N>(batch, 1));
    for threads in [2, 7] {
        on_threads(threads, || run::<N>(batch, 1)).assert_same(&expected, &format!("{threads} threads"));
    }
    run::<N>(batch, 1).assert_same(&expected, "outside of any pool");
    assert!(run::<N>(batch, 2).differs(&expected));
}

#[test]
fn lenet5_is_the_same_on_any_number_of_threads() {
    // Two groups of samples and some more, each of which a thread takes through all layers.
    any_number_of_threads_gives_the_same::<LeNet5>(41);
}

#[test]
fn a_residual_network_is_the_same_on_any_number_of_threads() {
    any_number_of_threads_gives_the_same::<Residual>(8);
}

/// Two epochs of the trainer: shuffling, augmentation and dropout all depend on its seed.
fn trained(seed: u64) -> Trace {
    let samples = images::<Residual>(5, 22);
    let data = Arrays::new(samples, (0..22).map(|i| i % 10).collect(), 10).unwrap();
    let data = data.augmented(RandomCrop::new(2)).augmented(HorizontalFlip);
    let mut net = Residual::new(3);
    let mut trace = Trace::default();
    let mut trainer = Trainer::new(Sgd::new(0.01).momentum(0.9)).epochs(2).batch(8).seed(seed);
    trainer.fit(&mut net, &data, |step: &Step| trace.keep(format!("loss of {step:?}"), [step.loss])).unwrap();
    trace.keep_network("after two epochs", &net);
    trace
}

#[test]
fn the_seed_makes_the_training_run() {
    let expected = on_threads(1, || trained(4));
    on_threads(7, || trained(4)).assert_same(&expected, "7 threads");
    trained(4).assert_same(&expected, "outside of any pool");
    assert!(trained(5).differs(&expected));
}

/// A forward pass of `n` samples in a larger workspace, and passes of each alone.
fn together_and_alone<N: Network>(n: usize) -> [Vec<f32>; 2] {
    let net = N::new(6);
    let samples = images::<N>(7, n);
    let (mut large, mut small) = (net.workspace(n + 3), net.workspace(1));
    let together = net.forward_batch(&mut large, samples.view()).unwrap().iter().copied().collect();
    let alone = samples.axis_chunks_iter(Axis(0), 1);
    [together, alone.flat_map(|sample| net.forward_batch(&mut small, sample).unwrap().to_owned()).collect()]
}

#[test]
fn a_sample_gives_the_same_in_a_batch_and_alone() {
    // The same bits: up to 8 samples a fully connected layer sums each output in the same order, and so does a
    // convolution whose weights per output are no more than one chunk of its product takes.
    let [together, alone] = together_and_alone::<LeNet5>(5);
    assert_same_bits("LeNet-5", &together, &alone);
    let [together, alone] = together_and_alone::<Residual>(5);
    assert_same_bits("residual network", &together, &alone);
}

#[test]
fn a_sample_gives_nearly_the_same_in_a_large_batch() {
    // A fully connected layer adds up in another order from 9 samples on, as a product of matrices.
    let [together, alone] = together_and_alone::<LeNet5>(21);
    assert_close("LeNet-5", &together, &widen(&alone), 1e-5);
    let [together, alone] = together_and_alone::<Residual>(21);
    assert_close("residual network", &together, &widen(&alone), 1e-5);
}

#[test]
fn gradients_and_layers_are_the_same_in_a_group_of_samples_and_alone() {
    let (n, mut net) = (19, LeNet5::new(6));
    let samples = images::<LeNet5>(7, n);
    let labels: Vec<usize> = (0..n).map(|i| i * 7 % 10).collect();
    let mut gradients = |samples: ArrayView4<'_, f32>, labels: &[usize]| {
        let mut train = net.train_workspace(samples.len_of(Axis(0)));
        train.set_input_gradient(true);
        net.forward_train(&mut train, samples, 0).unwrap();
        train.loss(&SoftmaxCrossEntropy, labels).unwrap();
        net.backward(&mut train).unwrap();
        let names = LeNet5::INFO.tensors.iter().map(|tensor| tensor.name);
        let all: Vec<Vec<f32>> = names.map(|name| train.gradient(name).unwrap().iter().copied().collect()).collect();
        (all, train.input_gradient().unwrap().iter().copied().collect::<Vec<f32>>())
    };
    let (together, inputs) = gradients(samples.view(), &labels);
    let alone: Vec<_> = (0..n).map(|i| gradients(samples.slice(s![i..=i, .., .., ..]), &labels[i..=i])).collect();
    // The loss is the mean over the batch.
    for (index, (got, tensor)) in together.iter().zip(LeNet5::INFO.tensors).enumerate() {
        let mean = |at: usize| alone.iter().map(|(all, _)| f64::from(all[index][at])).sum::<f64>() / n as f64;
        assert_close(tensor.name, got, &(0..got.len()).map(mean).collect::<Vec<_>>(), 1e-6);
    }
    let expected: Vec<f64> = alone.iter().flat_map(|(_, input)| input).map(|&g| f64::from(g) / n as f64).collect();
    assert_close("input", &inputs, &expected, 1e-6);

    let together = net.inspect_class(samples.view(), 3).unwrap();
    for i in 0..n {
        let alone = net.inspect_class(samples.slice(s![i..=i, .., .., ..]), 3).unwrap();
        for layer in LeNet5::LAYERS {
            let [a, b] =
                [&together, &alone].map(|all| (all.output(layer.name).unwrap(), all.gradient(layer.name).unwrap()));
            for (together, alone) in [(a.0, b.0), (a.1, b.1)] {
                let together: Vec<f32> = together.index_axis(Axis(0), i).iter().copied().collect();
                let alone: Vec<f64> = alone.iter().map(|&value| f64::from(value)).collect();
                assert_close(&format!("{} of sample {i}", layer.name), &together, &alone, 1e-5);
            }
        }
    }
}

#[test]
fn networks_train_side_by_side_in_one_pool() {
    // Threads that wait for parts of one network's pass take up passes of another.
    let expected = on_threads(1, || run::<Residual>(8, 1));
    on_threads(3, || {
        let traces: Vec<_> = (0..6).into_par_iter().map(|_| run::<Residual>(8, 1)).collect();
        traces.iter().for_each(|trace| trace.assert_same(&expected, "side by side"));
    });
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(|| run::<Residual>(8, 1))).collect();
        runs.into_iter().for_each(|run| run.join().unwrap().assert_same(&expected, "from threads of its own"));
    });
}

#[test]
fn passes_alone_give_the_same_side_by_side() {
    let net = Residual::new(3);
    let samples = images::<Residual>(5, 8);
    let pass = || net.forward_batch(&mut net.workspace(8), samples.view()).unwrap().to_owned();
    let expected = on_threads(1, pass);
    std::thread::scope(|scope| {
        let passes: Vec<_> = (0..4).map(|_| scope.spawn(|| cnn_runtime::alone(pass))).collect();
        for pass in passes {
            assert_eq!(pass.join().unwrap(), expected);
        }
    });
}
