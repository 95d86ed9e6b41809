//! Constants, labels and texts in the syntax of C99.

use crate::graph::{Constant, ConstantId, Graph};
use crate::packed::{PackedConstant, PackedGraph};
use std::collections::BTreeSet;
use std::fmt::{Display, Write};

const LINE_BYTES: usize = 120;

/// The name of a constant's array or matrix.
pub(super) fn name(graph: &Graph, id: ConstantId) -> String {
    let letters =
        graph.constant(id).name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' });
    format!("c{}_{}", id.index(), letters.collect::<String>())
}

/// All constants: a matrix for each kernel, matrix and table, an array for each vector.
pub(super) fn constants(packed: &PackedGraph) -> String {
    let graph = packed.graph();
    let matrices: BTreeSet<ConstantId> = graph.nodes().iter().filter_map(|node| node.operator.matrix()).collect();
    let others: BTreeSet<ConstantId> = graph.nodes().iter().flat_map(|node| node.operator.constants()).collect();
    let mut text = String::new();
    for id in &matrices {
        text += &matrix(&name(graph, *id), graph.constant(*id), packed.constant(*id));
    }
    for id in others.difference(&matrices) {
        text += &array(
            "static const float",
            &name(graph, *id),
            graph.constant(*id).values.iter().map(|value| float(*value)),
        );
    }
    text
}

fn matrix(name: &str, constant: &Constant, packed: &PackedConstant) -> String {
    let (rows, columns) = (constant.dims[0], constant.values.len() / constant.dims[0]);
    let (codes, scales) = (format!("{name}_codes"), format!("{name}_scales"));
    let (mut text, settings) = match packed {
        PackedConstant::Plain => {
            let numbers = constant.values.iter().map(|value| float(*value));
            (array("static const float", &codes, numbers), format!("NULL, NULL, {rows}, {columns}, 32"))
        }
        PackedConstant::Rows(packed) => {
            let (scales, pointers) = match packed.half_scales() {
                Some(halves) => {
                    let halves = halves.iter().map(|half| half.to_bits());
                    (array("static const uint16_t", &scales, halves), format!("{scales}, NULL"))
                }
                None => {
                    let floats = packed.scales().iter().map(|scale| float(*scale));
                    (array("static const float", &scales, floats), format!("NULL, {scales}"))
                }
            };
            let codes = array("static const uint8_t", &codes, packed.packed_codes());
            (codes + &scales, format!("{pointers}, {rows}, {columns}, {}", packed.bits()))
        }
    };
    let _ = writeln!(text, "static const matrix {name} = {{{codes}, {settings}}};\n");
    text
}

/// An array with as many elements as there are.
pub(super) fn array(kind: &str, name: &str, elements: impl IntoIterator<Item = impl Display>) -> String {
    format!("{kind} {name}[] = {{\n{}}};\n", lines(elements))
}

/// Elements with commas between them, in lines.
pub(super) fn lines(elements: impl IntoIterator<Item = impl Display>) -> String {
    let (mut text, mut line) = (String::new(), String::new());
    for element in elements {
        let element = format!("{element},");
        if line.len() + element.len() > LINE_BYTES {
            text += &line;
            text.push('\n');
            line.clear();
        }
        line += &element;
    }
    if !line.is_empty() {
        text += &line;
        text.push('\n');
    }
    text
}

/// The shortest decimal that is this number.
pub(super) fn float(value: f32) -> String {
    format!("{value:?}f")
}

/// A string literal. Bytes beyond ASCII are octal, with three digits so that a digit behind them is no part of it; question marks are
/// escaped because two of them begin a trigraph.
pub(super) fn string(text: &str) -> String {
    let mut literal = String::from("\"");
    for byte in text.bytes() {
        let _ = match byte {
            b'"' | b'\\' | b'?' => write!(literal, "\\{}", char::from(byte)),
            b' '..=b'~' => write!(literal, "{}", char::from(byte)),
            _ => write!(literal, "\\{byte:03o}"),
        };
    }
    literal + "\""
}

/// A text inside a comment.
pub(super) fn comment(text: &str) -> String {
    text.replace("*/", "* /").replace("/*", "/ *").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_hold_any_text() {
        assert_eq!(string("a\"\\??=\u{e9}1\n"), r#""a\"\\\?\?=\303\2511\012""#);
    }

    #[test]
    fn floats_are_floats() {
        assert_eq!([1.0, -0.5, 1e-7, 3e30].map(float), ["1.0f", "-0.5f", "1e-7f", "3e30f"]);
    }

    #[test]
    fn lines_break() {
        assert_eq!(lines([1, 2]), "1,2,\n");
        assert_eq!(lines(vec![1000; 100]).lines().count(), 5);
    }
}
