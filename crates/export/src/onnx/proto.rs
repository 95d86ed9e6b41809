//! The messages of an ONNX file, as far as this program writes them; field numbers are those of `onnx.proto`.
//!
//! Fields are optional wherever readers tell "absent" from 0.

use prost::Message;

/// A file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub producer_name: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub producer_version: Option<String>,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// A version of the operators; the empty domain is ONNX's own.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    #[prost(int64, optional, tag = "2")]
    pub version: Option<i64>,
}

/// A line of metadata.
#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    #[prost(string, optional, tag = "1")]
    pub key: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

/// Nodes in the order of computation, and weights.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
}

/// An operator.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, optional, tag = "4")]
    pub op_type: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
}

/// A setting of an operator.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// 1 float, 2 int, 7 ints
    #[prost(int32, optional, tag = "20")]
    pub r#type: Option<i32>,
}

/// Weights.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, optional, tag = "2")]
    pub data_type: Option<i32>,
    #[prost(string, optional, tag = "8")]
    pub name: Option<String>,
    /// little-endian, row-major
    #[prost(bytes = "vec", optional, tag = "9")]
    pub raw_data: Option<Vec<u8>>,
}

/// Name and type of an input or output.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// A type; this program has tensors only.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// Element type and shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    #[prost(int32, optional, tag = "1")]
    pub elem_type: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// All axes.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// An axis: a size, or a name where the size is known when the network runs.
#[derive(Clone, PartialEq, Message)]
pub struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}

/// Element types, by their numbers in `TensorProto.DataType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// 32-bit float
    F32 = 1,
    /// unsigned byte
    U8 = 2,
    /// signed byte
    I8 = 3,
    /// 32-bit integer
    I32 = 6,
    /// 64-bit integer
    I64 = 7,
    /// 16-bit float
    F16 = 10,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor() -> TensorProto {
        TensorProto {
            dims: vec![1, 2],
            data_type: Some(ElementType::I8 as i32),
            name: Some("w".into()),
            raw_data: Some(vec![7, 8]),
        }
    }

    /// The bytes are what `onnx` 1.23.2 for Python writes for the same messages.
    #[test]
    fn bytes_are_those_of_onnx() {
        let tensor = tensor().encode_to_vec();
        assert_eq!(tensor, [8, 1, 8, 2, 16, 3, 66, 1, b'w', 74, 2, 7, 8]);
        let ints = AttributeProto { name: Some("p".into()), ints: vec![0, 300], r#type: Some(7), ..Default::default() };
        assert_eq!(ints.encode_to_vec(), [10, 1, b'p', 64, 0, 64, 172, 2, 160, 1, 7]);
        let zero = AttributeProto { name: Some("i".into()), i: Some(0), r#type: Some(2), ..Default::default() };
        assert_eq!(zero.encode_to_vec(), [10, 1, b'i', 24, 0, 160, 1, 2]);
        let node = NodeProto {
            input: vec!["x".into(), String::new()],
            output: vec!["y".into()],
            op_type: Some("Relu".into()),
            attribute: Vec::new(),
        };
        assert_eq!(node.encode_to_vec(), [10, 1, b'x', 10, 0, 18, 1, b'y', 34, 4, b'R', b'e', b'l', b'u']);
        let named = DimensionProto { dim_value: None, dim_param: Some("b".into()) };
        let shape = TensorShapeProto { dim: vec![named, DimensionProto { dim_value: Some(3), dim_param: None }] };
        assert_eq!(shape.encode_to_vec(), [10, 3, 18, 1, b'b', 10, 2, 8, 3]);
    }

    #[test]
    fn a_model_has_its_fields_where_onnx_has_them() {
        let model = ModelProto {
            ir_version: Some(8),
            graph: Some(GraphProto { name: Some("g".into()), ..Default::default() }),
            opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(17) }],
            metadata_props: vec![StringStringEntryProto { key: Some("k".into()), value: Some("v".into()) }],
            ..Default::default()
        };
        let expected = [8, 8, 58, 3, 18, 1, b'g', 66, 4, 10, 0, 16, 17, 114, 6, 10, 1, b'k', 18, 1, b'v'];
        assert_eq!(model.encode_to_vec(), expected);
    }
}
