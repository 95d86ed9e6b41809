//! Builds a graph node by node.

use super::shape::output_dims;
use super::{Constant, ConstantId, Dim, Graph, GraphInput, Node, Operator, ValueId};

/// A graph that grows; each call of [`GraphBuilder::node`] gives the value that the new node puts out.
pub(super) struct GraphBuilder {
    graph: Graph,
}

impl GraphBuilder {
    pub(super) fn new(input: GraphInput) -> Self {
        Self { graph: Graph { input, input_dims: input.dims(), constants: Vec::new(), nodes: Vec::new() } }
    }

    pub(super) fn constant(&mut self, constant: Constant) -> ConstantId {
        assert_eq!(constant.dims.iter().product::<usize>(), constant.values.len(), "{}", constant.name);
        self.graph.constants.push(constant);
        ConstantId(self.graph.constants.len() - 1)
    }

    pub(super) fn node(&mut self, name: &str, operator: Operator, inputs: &[ValueId]) -> ValueId {
        let shapes: Vec<&[Dim]> = inputs.iter().map(|input| self.graph.dims(*input)).collect();
        let dims = output_dims(&operator, &shapes, &self.graph.constants);
        self.graph.nodes.push(Node { name: name.to_owned(), operator, inputs: inputs.to_vec(), dims });
        self.graph.output()
    }

    pub(super) fn dims(&self, value: ValueId) -> &[Dim] {
        self.graph.dims(value)
    }

    pub(super) fn finish(self) -> Graph {
        self.graph
    }
}
