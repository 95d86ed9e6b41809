//! Collects nodes and weights of an ONNX graph under short names.

use super::proto::{
    AttributeProto, DimensionProto, ElementType, NodeProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};
use std::collections::HashMap;

/// A setting of an operator.
#[derive(Clone, Copy)]
pub(super) enum Attribute<'a> {
    Int(&'a str, i64),
    Ints(&'a str, &'a [i64]),
    Float(&'a str, f32),
}

impl Attribute<'_> {
    fn to_proto(self) -> AttributeProto {
        match self {
            Self::Int(name, value) => {
                AttributeProto { name: Some(name.into()), i: Some(value), r#type: Some(2), ..AttributeProto::default() }
            }
            Self::Ints(name, values) => AttributeProto {
                name: Some(name.into()),
                ints: values.to_vec(),
                r#type: Some(7),
                ..AttributeProto::default()
            },
            Self::Float(name, value) => {
                AttributeProto { name: Some(name.into()), f: Some(value), r#type: Some(1), ..AttributeProto::default() }
            }
        }
    }
}

/// Nodes and weights, in the order in which they were asked for.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) nodes: Vec<NodeProto>,
    pub(super) initializers: Vec<TensorProto>,
    /// names of what is asked for again: shapes, axes, scalars
    small: HashMap<(ElementType, Vec<i64>, Vec<u8>), String>,
    n_names: usize,
}

/// Constants of at most so many bytes are written once, however often they are asked for.
const SMALL: usize = 64;

impl Writer {
    /// A name that is in no other place. Names can be a third of a small file, so they are short.
    fn name(&mut self) -> String {
        const DIGITS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
        let (mut rest, mut name) = (self.n_names, String::new());
        self.n_names += 1;
        loop {
            name.insert(0, DIGITS[rest % DIGITS.len()].into());
            rest /= DIGITS.len();
            if rest == 0 {
                return name;
            }
            rest -= 1;
        }
    }

    /// Adds an operator with one output and gives its name.
    pub(super) fn node(&mut self, op_type: &str, inputs: &[&str], attributes: &[Attribute]) -> String {
        let [output] = self.node_of(op_type, inputs, attributes);
        output
    }

    /// Adds an operator with `N` outputs.
    pub(super) fn node_of<const N: usize>(
        &mut self,
        op_type: &str,
        inputs: &[&str],
        attributes: &[Attribute],
    ) -> [String; N] {
        let outputs: [String; N] = std::array::from_fn(|_| self.name());
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.into()).collect(),
            output: outputs.to_vec(),
            op_type: Some(op_type.into()),
            attribute: attributes.iter().map(|attribute| attribute.to_proto()).collect(),
        });
        outputs
    }

    /// Adds a constant from its little-endian bytes.
    pub(super) fn constant(&mut self, element: ElementType, dims: &[usize], bytes: Vec<u8>) -> String {
        let dims: Vec<i64> = dims.iter().map(|size| *size as i64).collect();
        let key = (element, dims, bytes);
        if let Some(name) = self.small.get(&key) {
            return name.clone();
        }
        let name = self.name();
        if key.2.len() <= SMALL {
            self.small.insert(key.clone(), name.clone());
        }
        let (_, dims, bytes) = key;
        self.initializers.push(TensorProto {
            dims,
            data_type: Some(element as i32),
            name: Some(name.clone()),
            raw_data: Some(bytes),
        });
        name
    }

    pub(super) fn f32s(&mut self, dims: &[usize], values: &[f32]) -> String {
        self.constant(ElementType::F32, dims, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    pub(super) fn f32(&mut self, value: f32) -> String {
        self.f32s(&[], &[value])
    }

    /// A list of integers: a shape, or axes.
    pub(super) fn i64s(&mut self, values: &[i64]) -> String {
        self.constant(ElementType::I64, &[values.len()], values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// A list of signed bytes.
    pub(super) fn i8s(&mut self, dims: &[usize], values: &[i8]) -> String {
        self.constant(ElementType::I8, dims, values.iter().map(|value| value.cast_unsigned()).collect())
    }

    /// Gives the output of the last node this name.
    pub(super) fn name_output(&mut self, name: &str) {
        let last = self.nodes.last_mut().expect("a graph has nodes");
        last.output = vec![name.into()];
    }
}

/// An axis of an input or output.
#[derive(Clone, Copy)]
pub(super) enum Axis<'a> {
    Named(&'a str),
    Sized(usize),
}

/// Name, element type and shape of an input or output.
pub(super) fn value_info(name: &str, element: ElementType, axes: &[Axis]) -> ValueInfoProto {
    let dim = |axis: &Axis| match *axis {
        Axis::Named(name) => DimensionProto { dim_value: None, dim_param: Some(name.into()) },
        Axis::Sized(size) => DimensionProto { dim_value: Some(size as i64), dim_param: None },
    };
    let shape = Some(TensorShapeProto { dim: axes.iter().map(dim).collect() });
    let tensor_type = Some(TensorTypeProto { elem_type: Some(element as i32), shape });
    ValueInfoProto { name: Some(name.into()), r#type: Some(TypeProto { tensor_type }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_short_and_different() {
        let mut writer = Writer::default();
        let names: Vec<String> = (0..800).map(|_| writer.name()).collect();
        assert_eq!((names[0].as_str(), names[25].as_str(), names[26].as_str()), ("a", "z", "aa"));
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 800);
    }

    #[test]
    fn small_constants_are_written_once() {
        let mut writer = Writer::default();
        let names = [writer.f32(1.0), writer.f32(1.0), writer.f32s(&[1], &[1.0]), writer.i64s(&[1]), writer.i64s(&[1])];
        assert_eq!((&names[0], &names[3]), (&names[1], &names[4]));
        assert_ne!(names[0], names[2]);
        assert_eq!(writer.initializers.len(), 3);
    }
}
