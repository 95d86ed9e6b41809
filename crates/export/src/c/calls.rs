//! The body of `model_logits`: one call for each operator.

use super::arrays::name;
use super::memory::{Memory, in_place};
use crate::graph::{ConstantId, Dim, Graph, Node, Operator, Rotary, ValueId};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Writes the calls of a graph, and remembers the kernels that they need.
pub(super) struct Calls<'a> {
    pub(super) graph: &'a Graph,
    pub(super) memory: &'a Memory,
    pub(super) kernels: BTreeSet<&'static str>,
}

impl Calls<'_> {
    /// The calls of all nodes.
    pub(super) fn of_nodes(&mut self) -> String {
        (0..self.graph.nodes().len()).fold(String::new(), |mut text, index| {
            if let Some(copy) = self.copy(index) {
                let _ = writeln!(text, "    {copy}");
            }
            for call in self.calls(index) {
                let _ = writeln!(text, "    {call}");
            }
            text
        })
    }

    /// What has to be copied first where an operator works in place and its input is read again.
    fn copy(&self, index: usize) -> Option<String> {
        let (node, output) = (&self.graph.nodes()[index], self.graph.output_of(index));
        let is_needed = in_place(self.graph, index).is_none()
            && matches!(
                node.operator,
                Operator::Relu
                    | Operator::GeluErf
                    | Operator::GeluTanh
                    | Operator::Add
                    | Operator::Flatten
                    | Operator::AddPositions { .. }
                    | Operator::LayerNorm { .. }
            );
        let (to, from, n) = (self.place(output), self.place(node.inputs[0]), self.n_values(output));
        is_needed.then(|| format!("memcpy({to}, {from}, {n} * sizeof(float));"))
    }

    fn calls(&mut self, index: usize) -> Vec<String> {
        let (graph, output) = (self.graph, self.graph.output_of(index));
        let node = &graph.nodes()[index];
        let (x, out, n) = (self.place(node.inputs[0]), self.place(output), self.n_values(output));
        let at = |id: ConstantId| name(graph, id);
        let rows = Self::n_rows(graph.dims(node.inputs[0]));
        let call = match node.operator {
            Operator::Conv { weight, bias, stride, padding, groups } => {
                self.kernels.insert("window");
                let window = self.window(node, [graph.constant(weight).dims[2], stride, padding, groups]);
                format!("conv({x}, &{}, {}, {window}, row, {out});", at(weight), at(bias))
            }
            Operator::MaxPool { kernel, stride, padding } => {
                self.kernels.insert("window");
                format!("max_pool({x}, {}, {out});", self.window(node, [kernel, stride, padding, 1]))
            }
            Operator::Linear { weight, bias } => {
                format!("linear({x}, {rows}, &{}, {}, row, {out});", at(weight), at(bias))
            }
            Operator::Relu => format!("relu({out}, {n});"),
            Operator::GeluErf => format!("gelu_erf({out}, {n});"),
            Operator::GeluTanh => format!("gelu_tanh({out}, {n});"),
            Operator::Add => format!("add({out}, {}, {n});", self.place(self.other_term(index))),
            Operator::GlobalAveragePool => {
                let [channels, height, width] = self.image(node);
                format!("average({x}, {channels}, {height} * {width}, {out});")
            }
            Operator::Flatten => return Vec::new(),
            Operator::Embedding { table } => format!("embedding(&{}, ids, n_ids, {out});", at(table)),
            Operator::EmbeddingMean { table } => format!("embedding_mean(&{}, text, row, {out});", at(table)),
            Operator::AddPositions { table } => format!("add_positions({out}, &{}, {rows}, row);", at(table)),
            Operator::LayerNorm { scale, shift, eps } => {
                format!("layer_norm({out}, {rows}, {}, {}, {}, {eps:?}f);", self.width(output), at(scale), at(shift))
            }
            Operator::Attention { n_heads, rotary } => return self.attention(index, n_heads, rotary),
            Operator::PixelTokens { class_token } => {
                let [width, height, columns] = self.image(node);
                format!("pixel_tokens({x}, {}, {height} * {columns}, {width}, {out});", at(class_token))
            }
            Operator::MeanTokens => format!("mean_rows({x}, {rows}, {}, {out});", self.width(output)),
            Operator::FirstToken => format!("first_row({x}, {rows}, {}, {out});", self.width(output)),
        };
        self.kernels.insert(kernel(&node.operator));
        vec![call]
    }

    /// Queries and keys are turned where they lie: nothing else reads the projections.
    fn attention(&mut self, index: usize, n_heads: usize, rotary: Option<Rotary>) -> Vec<String> {
        let (input, output) = (self.graph.nodes()[index].inputs[0], self.graph.output_of(index));
        let (x, rows, width) = (self.place(input), Self::n_rows(self.graph.dims(input)), self.width(output));
        let mut calls = Vec::new();
        if let Some(Rotary { cosines, sines }) = rotary {
            let [cosines, sines] = [cosines, sines].map(|id| name(self.graph, id));
            calls.push(format!("rotate({x}, {rows}, {width}, {n_heads}, {cosines}, {sines});"));
            self.kernels.insert("rotate");
        }
        self.kernels.insert("attention");
        calls.push(format!("attention({x}, {rows}, {width}, {n_heads}, row, {});", self.place(output)));
        calls
    }

    /// The term of a sum that is added to the other one, in whose place the sum is.
    fn other_term(&self, index: usize) -> ValueId {
        let inputs = &self.graph.nodes()[index].inputs;
        if in_place(self.graph, index) == Some(inputs[1]) && inputs[0] != inputs[1] { inputs[0] } else { inputs[1] }
    }

    fn place(&self, value: ValueId) -> String {
        match self.memory.offset(value) {
            Some(offset) => format!("scratch + {offset}"),
            None => "logits".to_owned(),
        }
    }

    /// Rows of a value `[S, D]`, or one.
    fn n_rows(dims: &[Dim]) -> String {
        match dims {
            [first, _] => size(*first),
            _ => "1".to_owned(),
        }
    }

    fn n_values(&self, value: ValueId) -> String {
        self.graph.dims(value).iter().map(|dim| size(*dim)).collect::<Vec<_>>().join(" * ")
    }

    fn width(&self, value: ValueId) -> String {
        self.graph.dims(value).last().map_or_else(String::new, |dim| size(*dim))
    }

    fn image(&self, node: &Node) -> [String; 3] {
        match self.graph.dims(node.inputs[0]) {
            [a, b, c] => [a, b, c].map(|dim| size(*dim)),
            dims => unreachable!("{dims:?} is no image"),
        }
    }

    fn window(&self, node: &Node, [kernel, stride, padding, groups]: [usize; 4]) -> String {
        let image = self.image(node).join(", ");
        format!("(window){{{image}, {kernel}, {stride}, {padding}, {groups}}}")
    }
}

/// The function of `kernels.c` that an operator calls.
fn kernel(operator: &Operator) -> &'static str {
    match operator {
        Operator::GlobalAveragePool => "average",
        Operator::MeanTokens => "mean_rows",
        Operator::FirstToken => "first_row",
        operator => operator.name(),
    }
}

/// Tokens of a text, in C.
fn size(dim: Dim) -> String {
    match dim {
        Dim::Fixed(size) => size.to_string(),
        Dim::Text => "n_ids".to_owned(),
    }
}
