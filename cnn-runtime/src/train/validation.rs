//! How a network does in the midst of a run.

use crate::data::{Dataset, Labelled, Plan, ReadAhead, Skipped};
use crate::error::Error;
use crate::metrics::{Evaluation, Tally};
use crate::network::Network;
use crate::workspace::Workspace;

/// What [`evaluate`](crate::metrics::evaluate) finds, over batches that `ahead` reads; tells which samples it left out.
pub(super) fn validate<N: Network>(
    network: &N,
    workspace: &mut Workspace<N>,
    data: &dyn Dataset,
    ahead: &mut ReadAhead,
) -> Result<(Evaluation, Vec<Skipped>), Error> {
    let classes = N::INFO.infer.output.len;
    let order: Vec<usize> = (0..data.len()).collect();
    let plan = Plan { order: &order, batch: workspace.capacity(), first: 0, epoch: 0, seed: 0 };
    let outcome = ahead.run(&Labelled { data, classes }, plan, |batches| {
        let mut tally = Tally::new(classes);
        while let Some(batch) = batches.next()? {
            workspace.samples_mut(batch.len()).copy_from_slice(batch.images());
            tally.run(network, workspace, batch.labels());
        }
        Ok((tally.finish(), batches.take_skipped()))
    });
    outcome.map_err(|error| match error {
        // It could be a label of the data that are learned from.
        Error::LabelOutOfRange { index, label, classes } => Error::DataMismatch {
            what: "labels of the data to validate on",
            expected: format!("0 to {}", classes.saturating_sub(1)),
            found: format!("{label} of sample {index}"),
        },
        other => other,
    })
}
