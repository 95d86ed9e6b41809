//! Examples of data that was loaded for another network.

use stillhouse_core::InputSpec;

/// From the data's own normalisation to the model's.
pub(crate) fn renormalise(from: &InputSpec, to: &InputSpec, values: &mut [f32]) {
    for example in values.chunks_exact_mut(to.shape.n_channels()) {
        for (channel, value) in example.iter_mut().enumerate() {
            let raw = *value * from.std[channel] + from.mean[channel];
            let raw = match from.offset_of(channel) - to.offset_of(channel) {
                0.0 => raw,
                distance => (f64::from(raw) + distance) as f32,
            };
            *value = (raw - to.mean[channel]) / to.std[channel];
        }
    }
}
