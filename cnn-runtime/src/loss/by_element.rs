//! Losses that each output has with a target of its own.

/// Makes `$loss` a loss against a value per output, in all the forms that these come in; `$of` computes it and writes its
/// gradient.
macro_rules! loss_by_element {
    ($loss:ty, $of:path) => {
        impl<S: ndarray::Data<Elem = f32>> $crate::loss::Loss<ndarray::ArrayBase<S, ndarray::Ix2>> for $loss {
            /// # Errors
            /// [`Error::DataMismatch`](crate::Error::DataMismatch) unless the targets have the shape of the output.
            fn evaluate(
                &self,
                output: ndarray::ArrayView2<'_, f32>,
                targets: &ndarray::ArrayBase<S, ndarray::Ix2>,
                d_output: ndarray::ArrayViewMut2<'_, f32>,
            ) -> Result<f32, $crate::error::Error> {
                if targets.dim() != output.dim() {
                    let (expected, found) = (format!("{:?}", output.shape()), format!("{:?}", targets.shape()));
                    let what = "shape of the targets";
                    return Err($crate::error::Error::DataMismatch { what, expected, found });
                }
                Ok($of(output, targets.view(), d_output))
            }
        }

        impl $crate::loss::Loss<[f32]> for $loss {
            /// # Errors
            /// [`Error::TargetCount`](crate::Error::TargetCount) unless there is a value per output.
            fn evaluate(
                &self,
                output: ndarray::ArrayView2<'_, f32>,
                targets: &[f32],
                d_output: ndarray::ArrayViewMut2<'_, f32>,
            ) -> Result<f32, $crate::error::Error> {
                match ndarray::ArrayView2::from_shape(output.dim(), targets) {
                    Ok(view) if targets.len() == output.len() => Ok($of(output, view, d_output)),
                    _ => {
                        let (expected, found) = (output.len(), targets.len());
                        Err($crate::error::Error::TargetCount { what: "target values", expected, found })
                    }
                }
            }
        }

        impl<const N: usize> $crate::loss::Loss<[f32; N]> for $loss {
            /// # Errors
            /// [`Error::TargetCount`](crate::Error::TargetCount) unless there is a value per output.
            fn evaluate(
                &self,
                output: ndarray::ArrayView2<'_, f32>,
                targets: &[f32; N],
                d_output: ndarray::ArrayViewMut2<'_, f32>,
            ) -> Result<f32, $crate::error::Error> {
                self.evaluate(output, &targets[..], d_output)
            }
        }

        impl $crate::loss::Loss<Vec<f32>> for $loss {
            /// # Errors
            /// [`Error::TargetCount`](crate::Error::TargetCount) unless there is a value per output.
            fn evaluate(
                &self,
                output: ndarray::ArrayView2<'_, f32>,
                targets: &Vec<f32>,
                d_output: ndarray::ArrayViewMut2<'_, f32>,
            ) -> Result<f32, $crate::error::Error> {
                self.evaluate(output, &targets[..], d_output)
            }
        }
    };
}

pub(super) use loss_by_element;
