//! The parameters of a network and its running statistics.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::OnceLock;

use ndarray::{ArrayD, ArrayView, Dimension};

use crate::buffer::Buffer;
use crate::error::Error;
use crate::info::{NetInfo, TensorInfo};
use crate::init::Init;
use crate::kept::Kept;
use crate::layout::Layout;
use crate::network::Network;

/// All tensors of a network `N`: the trained ones in one heap buffer, running statistics in another.
///
/// The order of floats inside the buffers is the compiler's choice. Tensors are read and written by name, as arrays
/// of the shape that [`TensorInfo::shape`] tells: [`Params::tensor`] and [`Params::set_tensor`], or the methods of the
/// same names on [`Network`].
pub struct Params<N> {
    values: Buffer,
    state: Buffer,
    /// What inference has made of `values` as they are now.
    kept: OnceLock<Kept>,
    network: PhantomData<fn() -> N>,
}

impl<N: Network> Params<N> {
    /// Parameters as `init` starts them. The same seed gives the same values on any number of threads.
    pub fn new(init: Init, seed: u64) -> Self {
        let mut params = Self::zeroed();
        for tensor in N::INFO.tensors {
            let to = params.slice_mut(tensor);
            if tensor.layout == Layout::Plain {
                init.fill(tensor, seed, to);
            } else {
                init.in_parts(tensor, seed, |at, plain| tensor.layout.pack_part(tensor.rows(), at, plain, to));
            }
        }
        params
    }

    /// Parameters of zero, for others to be written over all of them.
    pub(crate) fn zeroed() -> Self {
        let values = Buffer::zeroed(N::INFO.param_floats);
        let state = Buffer::zeroed(N::INFO.state_floats);
        Params { values, state, kept: OnceLock::new(), network: PhantomData }
    }

    /// A copy of the tensor `name`, as in `conv1.weight`.
    ///
    /// # Errors
    /// [`Error::UnknownTensor`] if the network has no such tensor.
    pub fn tensor(&self, name: &str) -> Result<ArrayD<f32>, Error> {
        let tensor = find(N::INFO, name)?;
        Ok(to_array(tensor, self.stored(tensor)))
    }

    /// Overwrites the tensor `name`, as in `conv1.weight`. The view may have any strides.
    ///
    /// # Errors
    /// [`Error::UnknownTensor`] if the network has no such tensor, [`Error::TensorShape`] if it has another shape.
    pub fn set_tensor<D: Dimension>(&mut self, name: &str, values: ArrayView<'_, f32, D>) -> Result<(), Error> {
        let tensor = find(N::INFO, name)?;
        if values.shape() != tensor.shape {
            let found = values.shape().to_vec();
            return Err(Error::TensorShape { name: tensor.name, expected: tensor.shape, found });
        }
        self.write(tensor, values.as_standard_layout().as_slice().expect("the standard layout is contiguous"));
        Ok(())
    }

    /// Overwrites a tensor of this network with as many values in row-major order.
    pub(crate) fn write(&mut self, tensor: &TensorInfo, values: &[f32]) {
        tensor.layout.pack(tensor.rows(), values, self.slice_mut(tensor));
    }

    /// A tensor of this network as its buffer holds it.
    pub(crate) fn stored(&self, tensor: &TensorInfo) -> &[f32] {
        let buffer = if tensor.role.is_state() { &self.state } else { &self.values };
        &buffer[range(tensor)]
    }

    fn slice_mut(&mut self, tensor: &TensorInfo) -> &mut [f32] {
        let buffer = if tensor.role.is_state() { self.state_mut() } else { self.values_mut() };
        &mut buffer[range(tensor)]
    }

    /// What inference makes of the parameters: made when it is first asked for, and anew once they have changed.
    pub(crate) fn kept(&self) -> &Kept {
        self.kept.get_or_init(|| Kept::new(N::INFO, &self.values))
    }
}

impl<N> Params<N> {
    /// The buffer of trained parameters, in the compiler's order, padding between tensors included.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The buffer of trained parameters, to be updated by an optimiser. Padding has to stay as it is: zero.
    pub fn values_mut(&mut self) -> &mut [f32] {
        self.kept.take();
        &mut self.values
    }

    /// The buffer of running statistics, in the compiler's order, padding included.
    pub fn state(&self) -> &[f32] {
        &self.state
    }

    /// The buffer of running statistics.
    pub fn state_mut(&mut self) -> &mut [f32] {
        &mut self.state
    }

    /// Both buffers: the parameters to read and the running statistics to update, as a training pass needs them.
    pub(crate) fn split(&mut self) -> (&[f32], &mut [f32]) {
        (&self.values, &mut self.state)
    }

    /// Bytes of both buffers, and of the weights of small convolutions that inference keeps in another form, once it has
    /// run.
    pub fn bytes(&self) -> usize {
        self.values.bytes() + self.state.bytes() + self.kept.get().map_or(0, Kept::bytes)
    }
}

/// The tensor called `name`.
pub(crate) fn find(info: &'static NetInfo, name: &str) -> Result<&'static TensorInfo, Error> {
    info.tensors.iter().find(|tensor| tensor.name == name).ok_or_else(|| Error::UnknownTensor {
        network: info.name,
        name: name.to_owned(),
        known: known(info.tensors.iter().map(|tensor| tensor.name)),
    })
}

/// What to say of the names there are, in a line.
pub(crate) fn known(names: impl ExactSizeIterator<Item = &'static str>) -> String {
    const SHOWN: usize = 8;
    let count = names.len();
    let first = names.take(SHOWN).collect::<Vec<_>>().join(", ");
    match count {
        0 => "it has none".to_owned(),
        count if count > SHOWN => format!("it has {first}, .. ({count} in all)"),
        _ => format!("it has {first}"),
    }
}

/// Where a tensor stands in its buffer.
pub(crate) fn range(tensor: &TensorInfo) -> Range<usize> {
    tensor.offset..tensor.offset + tensor.len()
}

/// A copy of a tensor in its public layout.
pub(crate) fn to_array(tensor: &TensorInfo, values: &[f32]) -> ArrayD<f32> {
    let mut plain = ArrayD::zeros(tensor.shape);
    let to = plain.as_slice_mut().expect("a new array is contiguous");
    tensor.layout.unpack(tensor.rows(), values, to);
    plain
}

/// As [`Init::HeNormal`] starts them under seed 0.
impl<N: Network> Default for Params<N> {
    fn default() -> Self {
        Params::new(Init::default(), 0)
    }
}

impl<N> Clone for Params<N> {
    fn clone(&self) -> Self {
        let (values, state) = (self.values.clone(), self.state.clone());
        Params { values, state, kept: OnceLock::new(), network: PhantomData }
    }
}

impl<N> PartialEq for Params<N> {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values && self.state == other.state
    }
}

impl<N> fmt::Debug for Params<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Params").field("values", &self.values).field("state", &self.state).finish()
    }
}
