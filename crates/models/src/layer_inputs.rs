//! What the layers of a model read in a forward pass: making them smaller in closed form starts from it.

use crate::input::ModelInput;
use crate::layers::{HEAD, Mode, Window};
use crate::{Model, ModelError};
use candle_core::{Tensor, TensorId, Var};
use std::cell::RefCell;

/// What a layer read for a batch.
#[derive(Clone, Debug)]
pub struct LayerInputs {
    /// the layer
    pub name: String,
    /// what it computes with them
    pub kind: LayerKind,
    /// `[N, I]`: a row for each example, each token of each text, or some windows of each image
    pub values: Vec<f32>,
    /// `I`; `kh kw C` of a convolution
    pub n_inputs: usize,
    /// `O`
    pub n_outputs: usize,
}

/// How a layer computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// a weight `[O, I]` of the body
    Linear,
    /// the weight `[O, I]` that gives the logits
    Head,
    /// a weight `[kh, kw, C, O]`; a window is a row in the order `[kh, kw, C]`
    Convolution,
}

/// Windows of an image that are looked at; all of them would say little more.
const WINDOWS_PER_IMAGE: usize = 32;

impl Model {
    /// What whole linear layers and convolutions read for a batch, in the order of computation. Depthwise convolutions are left out.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn layer_inputs(&self, inputs: &ModelInput) -> Result<Vec<LayerInputs>, ModelError> {
        RECORDED.set(Some(Vec::new()));
        let passed = self.forward(inputs, Mode::Eval);
        let recorded = RECORDED.take().unwrap_or_default();
        passed?;
        recorded.into_iter().map(|recorded| self.read_by_layer(recorded)).collect()
    }

    fn read_by_layer(&self, (weight, input, window): Recorded) -> Result<LayerInputs, ModelError> {
        let param = self.params().iter().find(|param| param.var.id() == weight).expect("a layer of this model");
        let name = param.name.strip_suffix(".weight").expect("the name of a weight");
        let Some(window) = window else {
            let (n_outputs, n_inputs) = param.var.dims2()?;
            let kind = if name == HEAD { LayerKind::Head } else { LayerKind::Linear };
            let values = input.flatten_all()?.to_vec1()?;
            return Ok(LayerInputs { name: name.to_owned(), kind, values, n_inputs, n_outputs });
        };
        let (_, _, n_channels, n_outputs) = param.var.dims4()?;
        let name = name.strip_suffix(".conv").expect("the name of a convolution").to_owned();
        let values = windows(&input, window)?;
        let n_inputs = window.kernel * window.kernel * n_channels;
        Ok(LayerInputs { name, kind: LayerKind::Convolution, values, n_inputs, n_outputs })
    }
}

/// Some windows of images `[B, H, W, C]`, each a row `[kh, kw, C]`; zeros around the image.
fn windows(images: &Tensor, window: Window) -> Result<Vec<f32>, ModelError> {
    let (n_images, height, width, n_channels) = images.dims4()?;
    let pixels: Vec<f32> = images.flatten_all()?.to_vec1()?;
    let [rows, columns] = [height, width].map(|size| window.output_size(size));
    let step = (rows * columns).div_ceil(WINDOWS_PER_IMAGE);
    let mut values = Vec::with_capacity(n_images * WINDOWS_PER_IMAGE * window.kernel * window.kernel * n_channels);
    for image in 0..n_images {
        // other windows of the next image
        for place in (image % step..rows * columns).step_by(step) {
            let [top, left] = [place / columns, place % columns].map(|place| place * window.stride);
            for offset in 0..window.kernel * window.kernel {
                let row = (top + offset / window.kernel).wrapping_sub(window.padding());
                let column = (left + offset % window.kernel).wrapping_sub(window.padding());
                if row < height && column < width {
                    let first = ((image * height + row) * width + column) * n_channels;
                    values.extend_from_slice(&pixels[first..first + n_channels]);
                } else {
                    values.extend(std::iter::repeat_n(0.0, n_channels));
                }
            }
        }
    }
    Ok(values)
}

/// A layer's weight, what it read, and the window of a convolution.
type Recorded = (TensorId, Tensor, Option<Window>);

thread_local! {
    /// Inputs of layers, while somebody asks for them. A forward pass is one thread's.
    static RECORDED: RefCell<Option<Vec<Recorded>>> = const { RefCell::new(None) };
}

/// Notes what a layer reads, if somebody asks for it.
pub(crate) fn note_input(weight: &Var, input: &Tensor, window: Option<Window>) {
    RECORDED.with_borrow_mut(|recorded| {
        if let Some(recorded) = recorded {
            recorded.push((weight.id(), input.clone(), window));
        }
    });
}
