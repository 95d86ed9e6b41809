//! Shapes of what operators give out. A shape that does not fit is an error of the lowering, so it panics.

use super::{Constant, Dim, Operator};

/// Shape of the output of an operator that reads values of the shapes `inputs`.
pub(super) fn output_dims(operator: &Operator, inputs: &[&[Dim]], constants: &[Constant]) -> Vec<Dim> {
    let sizes = |id: super::ConstantId| constants[id.index()].dims.as_slice();
    let input = inputs[0];
    match (*operator, input) {
        (Operator::Conv { weight, stride, padding, groups, .. }, [Dim::Fixed(channels), pixels @ ..]) => {
            let &[n_out, in_group, rows, columns] = sizes(weight) else { panic!("a kernel has four axes") };
            assert_eq!(in_group * groups, *channels, "channels of a convolution");
            let [height, width] = image(pixels);
            let height = windows(height, rows, stride, padding);
            [n_out, height, windows(width, columns, stride, padding)].map(Dim::Fixed).to_vec()
        }
        (Operator::MaxPool { kernel, stride, padding }, [channels, pixels @ ..]) => {
            let [height, width] = image(pixels).map(|side| Dim::Fixed(windows(side, kernel, stride, padding)));
            vec![*channels, height, width]
        }
        (Operator::Linear { weight, .. }, [leading @ .., Dim::Fixed(n_in)]) => {
            assert_eq!(sizes(weight)[1], *n_in, "units of a linear layer");
            [leading, &[Dim::Fixed(sizes(weight)[0])]].concat()
        }
        (Operator::GlobalAveragePool, [channels, _, _]) => vec![*channels],
        (Operator::Flatten, dims) => vec![Dim::Fixed(n_values(dims))],
        (Operator::Embedding { table }, [length]) => vec![*length, Dim::Fixed(sizes(table)[1])],
        (Operator::EmbeddingMean { table }, [_]) => vec![Dim::Fixed(sizes(table)[1])],
        (Operator::Attention { .. }, [length, Dim::Fixed(triple)]) => vec![*length, Dim::Fixed(triple / 3)],
        (Operator::PixelTokens { .. }, [width, pixels @ ..]) => {
            vec![Dim::Fixed(1 + image(pixels).iter().product::<usize>()), *width]
        }
        (Operator::MeanTokens | Operator::FirstToken, [_, width]) => vec![*width],
        (Operator::Add, dims) => {
            assert_eq!(inputs[1], dims, "both sides of a sum");
            dims.to_vec()
        }
        (Operator::Relu | Operator::GeluErf | Operator::GeluTanh, dims) => dims.to_vec(),
        (Operator::AddPositions { .. } | Operator::LayerNorm { .. }, dims @ [_, _]) => dims.to_vec(),
        (operator, dims) => panic!("{} cannot read {dims:?}", operator.name()),
    }
}

/// Positions of a window along an axis.
pub(super) fn windows(size: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    (size + 2 * padding - kernel) / stride + 1
}

fn image(pixels: &[Dim]) -> [usize; 2] {
    match pixels {
        [Dim::Fixed(height), Dim::Fixed(width)] => [*height, *width],
        _ => panic!("{pixels:?} are no height and width"),
    }
}

/// Product of the sizes of a value that has no text axis.
pub(super) fn n_values(dims: &[Dim]) -> usize {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => *size,
        Dim::Text => panic!("a text has no fixed number of values"),
    };
    dims.iter().map(size).product()
}
