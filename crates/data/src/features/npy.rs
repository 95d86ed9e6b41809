//! The header of a `.npy` file: what numpy writes, and no other Python.

use super::element::{Element, Kind};

/// What every `.npy` file begins with.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// Longer headers are no headers: those of numbers and texts have about a hundred bytes.
const MAX_HEADER_BYTES: usize = 1 << 16;

/// What a header says of the array behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NpyHead {
    pub(crate) element: Element,
    pub(crate) shape: Vec<usize>,
    /// whether the first axis runs fastest (numpy's Fortran order)
    pub(crate) is_by_columns: bool,
}

/// Why a header is not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NpyError {
    /// no header of numpy, or a damaged one
    Broken(&'static str),
    /// a whole header of an array that has no numbers or texts to read: what it has, and what to do
    Other { found: String, hint: &'static str },
}

/// Where the text of the header lies, by the first 12 bytes of a file.
pub(crate) fn header_range(first: &[u8]) -> Result<std::ops::Range<usize>, NpyError> {
    let range = match first {
        [_, _, _, _, _, _, 1, _, a, b, ..] => 10..10 + usize::from(u16::from_le_bytes([*a, *b])),
        [_, _, _, _, _, _, 2 | 3, _, a, b, c, d, ..] => 12..12 + u32::from_le_bytes([*a, *b, *c, *d]) as usize,
        _ => return Err(NpyError::Broken("a header of another version than 1, 2 and 3")),
    };
    match range.len() <= MAX_HEADER_BYTES {
        true => Ok(range),
        false => Err(NpyError::Broken("a header of more than 65536 bytes")),
    }
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (12, 2), }`, the keys in any order.
pub(crate) fn parse(header: &[u8]) -> Result<NpyHead, NpyError> {
    let broken = NpyError::Broken("a header that numpy would not write");
    let text = std::str::from_utf8(header).map_err(|_| NpyError::Broken("a header that is no text"))?;
    let mut rest = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or(broken)?.trim();
    let (mut element, mut shape, mut is_by_columns) = (None, None, None);
    while !rest.is_empty() {
        let broken = || NpyError::Broken("a header that numpy would not write");
        let (key, after) = quoted(rest).ok_or_else(broken)?;
        let value = after.trim_start().strip_prefix(':').ok_or_else(broken)?.trim_start();
        let after = match key {
            "descr" if value.starts_with(['[', '(', '{']) => return Err(records()),
            "descr" => {
                let (descr, after) = quoted(value).ok_or_else(broken)?;
                element = Some(element_of(descr)?);
                after
            }
            "fortran_order" => {
                is_by_columns = Some(value.starts_with("True"));
                value.strip_prefix("True").or_else(|| value.strip_prefix("False")).ok_or_else(broken)?
            }
            "shape" => {
                let (sizes, after) =
                    value.strip_prefix('(').and_then(|text| text.split_once(')')).ok_or_else(broken)?;
                let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
                // Python 2 wrote `12L`
                let size = |size: &str| size.trim_end_matches('L').parse().map_err(|_| broken());
                shape = Some(sizes.map(size).collect::<Result<Vec<usize>, _>>()?);
                after
            }
            _ => return Err(broken()),
        };
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    match (element, shape, is_by_columns) {
        (Some(element), Some(shape), Some(is_by_columns)) => Ok(NpyHead { element, shape, is_by_columns }),
        _ => Err(NpyError::Broken("a header without type, order or shape")),
    }
}

/// A quoted word at the start of a text, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    text[1..].split_once(quote)
}

fn records() -> NpyError {
    let found = "records of several fields (a structured array)".to_owned();
    NpyError::Other { found, hint: "save one field, as in numpy.save(\"x.npy\", records[\"name\"])" }
}

/// The type that a word such as `<f4` or `|S10` names.
fn element_of(descr: &str) -> Result<Element, NpyError> {
    let is_big_endian = descr.starts_with('>');
    let word = descr.trim_start_matches(['<', '>', '|', '=']);
    let size = |from: &str| word.strip_prefix(from).and_then(|size| size.parse().ok());
    let kind = match word {
        "f2" => Kind::F16,
        "f4" => Kind::F32,
        "f8" => Kind::F64,
        "i1" => Kind::I8,
        "i2" => Kind::I16,
        "i4" => Kind::I32,
        "i8" => Kind::I64,
        "u1" => Kind::U8,
        "u2" => Kind::U16,
        "u4" => Kind::U32,
        "u8" => Kind::U64,
        "b1" | "?" => Kind::Bool,
        _ => match (size("U"), size("S").or(size("a"))) {
            (Some(n), _) if n > 0 => Kind::Characters(n),
            (_, Some(n)) if n > 0 => Kind::Bytes(n),
            _ => return Err(other(descr, word)),
        },
    };
    match kind {
        Kind::Characters(n) if n.checked_mul(4).is_none() => Err(NpyError::Broken("texts longer than any memory")),
        kind => Ok(Element { kind, is_big_endian }),
    }
}

fn other(descr: &str, word: &str) -> NpyError {
    let (what, hint) = match word {
        "V2" => (
            "items of two bytes without a type, as numpy saves bfloat16",
            "save numbers, as in numpy.save(\"x.npy\", x.astype(numpy.float32)), or bfloat16 in `.safetensors`",
        ),
        "O" => (
            "pickled Python objects",
            "save numbers or texts, as in numpy.save(\"x.npy\", numpy.array(list_of_values, dtype=float)), or dtype=str",
        ),
        "f16" | "f12" => ("long doubles", "save them as float64, as in numpy.save(\"x.npy\", x.astype(float))"),
        _ if word.starts_with('c') => {
            ("complex numbers", "save real numbers: their real and imaginary parts as columns")
        }
        _ if word.starts_with(['M', 'm']) => {
            ("dates or times", "save numbers, as in numpy.save(\"x.npy\", x.astype(float))")
        }
        _ => ("items of a type that is not read", "save numbers, as in numpy.save(\"x.npy\", x.astype(float))"),
    };
    NpyError::Other { found: format!("{what} (type {descr:?})"), hint }
}

/// A header as numpy reads it, for an array that is stored row by row; `descr` is the type, for example `<f8` or `|u1`.
pub fn head(descr: &str, shape: &[usize]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // numpy's own alignment
    let n_bytes = (10 + dict.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = [MAGIC, &[1, 0], &(n_bytes as u16).to_le_bytes(), dict.as_bytes()].concat();
    bytes.resize(10 + n_bytes - 1, b' ');
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(header: &str) -> Result<NpyHead, NpyError> {
        parse(header.as_bytes())
    }

    #[test]
    fn what_numpy_writes_is_read() {
        let head = parsed("{'descr': '<f4', 'fortran_order': False, 'shape': (12, 2), }   \n").unwrap();
        assert_eq!((head.element.kind, head.element.is_big_endian), (Kind::F32, false));
        assert_eq!((&head.shape[..], head.is_by_columns), (&[12, 2][..], false));
        let head = parsed("{\"shape\": (3L, ), \"fortran_order\": True, \"descr\": \">U7\"}").unwrap();
        assert_eq!((head.element.kind, head.element.is_big_endian), (Kind::Characters(7), true));
        assert_eq!((&head.shape[..], head.is_by_columns), (&[3][..], true));
        assert!(parsed("{'descr': '|b1', 'fortran_order': False, 'shape': ()}").unwrap().shape.is_empty());
    }

    #[test]
    fn other_headers_are_damage() {
        for header in [
            "",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (12, -2)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2)}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (12,)}",
            "{'descr': '<f4",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (12,), 'x': 1}",
            "{'descr': '<U4611686018427387904', 'fortran_order': False, 'shape': (1,)}",
            "'",
        ] {
            assert!(matches!(parsed(header), Err(NpyError::Broken(_))), "{header}: {:?}", parsed(header));
        }
        assert!(parse(b"{'descr': '\xff'").is_err());
    }

    #[test]
    fn other_types_are_named() {
        for (descr, name) in [
            ("'|V2'", "bfloat16"),
            ("'<V2'", "bfloat16"),
            ("'|O'", "pickled"),
            ("'<c8'", "complex"),
            ("'<M8[ns]'", "dates"),
            ("'<f16'", "long doubles"),
            ("'|V8'", "not read"),
            ("'<U0'", "not read"),
            ("[('a', [('b', '<f4')])]", "records"),
        ] {
            let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (2,), }}");
            match parsed(&header) {
                Err(NpyError::Other { found, .. }) => assert!(found.contains(name), "{descr}: {found}"),
                other => panic!("{descr}: {other:?}"),
            }
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let of = |version: u8, length: [u8; 4]| header_range(&[MAGIC, &[version, 0], &length].concat());
        assert_eq!(of(1, [118, 0, b'{', b'\'']), Ok(10..128));
        assert_eq!(of(2, [116, 0, 0, 0]), Ok(12..128));
        assert!(of(3, [0xff; 4]).is_err() && of(4, [1, 0, 0, 0]).is_err() && header_range(b"").is_err());
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = head("<f8", &[3, 4]);
        assert_eq!(bytes.len() % 64, 0);
        let range = header_range(&bytes[..12]).unwrap();
        assert_eq!(range.end, bytes.len());
        assert_eq!(parse(&bytes[range]).unwrap().shape, [3, 4]);
    }
}
