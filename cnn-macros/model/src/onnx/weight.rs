//! Tensors of the network, and how they come from those of the model.

use super::constant::Constant;

/// A tensor of the network, whose numbers are made when they are asked for.
#[derive(Clone, Debug)]
pub(super) struct Weight {
    /// Shape in the network.
    pub shape: Vec<usize>,
    /// The model's numbers.
    source: Constant,
    /// What is done to them, in order.
    changes: Vec<Change>,
}

/// A change of a tensor's numbers.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// Rows become columns, of a matrix of this many.
    Transpose { rows: usize, columns: usize },
    /// Each number is multiplied.
    Times(f32),
    /// Each number becomes one divided by it.
    Reciprocal,
    /// The only number is repeated.
    Repeat(usize),
}

impl Weight {
    /// The model's numbers as they are, read as a tensor of `shape`.
    pub fn new(source: Constant, shape: Vec<usize>) -> Result<Self, String> {
        if !source.is_float() {
            return Err("whole numbers stand where weights are needed".into());
        }
        debug_assert_eq!(source.len(), shape.iter().product::<usize>());
        Ok(Weight { shape, source, changes: Vec::new() })
    }

    /// A tensor of `features` numbers, all the same if the model has only one.
    pub fn features(source: Constant, features: usize) -> Result<Self, String> {
        match source.len() {
            1 if features != 1 => {
                let weight = Weight::new(source, vec![1])?;
                Ok(Weight { shape: vec![features], ..weight }.then(Change::Repeat(features)))
            }
            found if found == features => Weight::new(source, vec![features]),
            found => Err(format!("{features} numbers are needed, found {found}")),
        }
    }

    fn then(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// The transposed matrix.
    pub fn transposed(mut self) -> Self {
        let [rows, columns] = self.shape[..] else { return self };
        self.shape = vec![columns, rows];
        self.then(Change::Transpose { rows, columns })
    }

    /// The same numbers as a tensor of another shape.
    pub fn read_as(mut self, shape: Vec<usize>) -> Self {
        debug_assert_eq!(self.shape.iter().product::<usize>(), shape.iter().product::<usize>());
        self.shape = shape;
        self
    }

    /// Every number multiplied.
    pub fn times(self, factor: f32) -> Self {
        if factor == 1.0 { self } else { self.then(Change::Times(factor)) }
    }

    /// One divided by every number.
    pub fn reciprocal(self) -> Self {
        self.then(Change::Reciprocal)
    }

    /// The numbers.
    pub fn floats(&self) -> Result<Vec<f32>, String> {
        let mut floats = self.source.to_floats()?.to_vec();
        for change in &self.changes {
            match *change {
                Change::Transpose { rows, columns } => {
                    let place = |index: usize| floats[index % rows * columns + index / rows];
                    floats = (0..rows * columns).map(place).collect();
                }
                Change::Times(factor) => floats.iter_mut().for_each(|number| *number *= factor),
                Change::Reciprocal => floats.iter_mut().for_each(|number| *number = number.recip()),
                Change::Repeat(times) => floats = floats.repeat(times),
            }
        }
        Ok(floats)
    }
}
