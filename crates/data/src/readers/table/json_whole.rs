//! Files that are one JSON value: its rows are handed out as they are read, and only one of them is in memory.

use super::json_rows::{JsonRows, describe, open};
use super::quotes::{MAX_ROW_BYTES, RowTooLong};
use super::row::Place;
use crate::labels::shown;
use crate::text_input::{self, in_mib};
use crate::{DataError, LoadContext};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::rc::Rc;

const EXPECTED: &str = "a list of rows, or an object of such lists by split";
/// Rows between two checks for an interruption.
const ROWS_AT_ONCE: usize = 4096;

/// Hands out the rows of a file that is one list, or an object of lists.
pub(super) fn visit(rows: &mut JsonRows<'_, '_>, context: &LoadContext<'_>) -> Result<(), DataError> {
    let path = rows.path;
    let bytes = Rc::new(ByteCount::default());
    let input = Bounded { inner: open(path)?, bytes: bytes.clone() };
    let mut whole = Whole { rows, context, bytes, failure: None, n_lists: 0 };
    let mut parser = serde_json::Deserializer::from_reader(io::BufReader::new(input));
    let read = Top(&mut whole).deserialize(&mut parser).and_then(|()| parser.end());
    if let Some(failure) = whole.failure {
        return Err(failure);
    }
    match read {
        Ok(()) if whole.n_lists == 0 => Err(DataError::invalid(path, "an object without lists of rows", EXPECTED)),
        Ok(()) => Ok(()),
        Err(error) if error.is_io() => {
            let error = io::Error::from(error);
            match error.get_ref().is_some_and(|inner| inner.is::<RowTooLong>()) {
                true => {
                    let found = format!("a row, or another value, of more than {}", in_mib(MAX_ROW_BYTES));
                    Err(DataError::invalid(path, found, "shorter rows"))
                }
                false => Err(text_input::broken(path, error)),
            }
        }
        Err(error) if error.to_string().starts_with("trailing characters") => {
            let found = format!("something behind the end of the JSON value ({error})");
            Err(DataError::invalid(path, found, "one list, or one object in each line"))
        }
        Err(error) if error.is_data() => {
            Err(DataError::invalid(path, format!("another JSON value ({error})"), EXPECTED))
        }
        Err(error) => Err(DataError::invalid(path, format!("content that is no JSON ({error})"), EXPECTED)),
    }
}

/// Bytes read in all, and when the last row was read.
#[derive(Default)]
struct ByteCount {
    all: Cell<u64>,
    of_last_row: Cell<u64>,
}

/// A stream that ends with an error where a row is too long.
struct Bounded<R> {
    inner: R,
    bytes: Rc<ByteCount>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.bytes.all.get() - self.bytes.of_last_row.get() > MAX_ROW_BYTES {
            return Err(io::Error::new(ErrorKind::InvalidData, RowTooLong));
        }
        let n_read = self.inner.read(out)?;
        self.bytes.all.set(self.bytes.all.get() + n_read as u64);
        Ok(n_read)
    }
}

struct Whole<'w, 'a, 'v> {
    rows: &'w mut JsonRows<'a, 'v>,
    context: &'w LoadContext<'w>,
    bytes: Rc<ByteCount>,
    /// Why a row was refused; the parser is stopped by an error of its own.
    failure: Option<DataError>,
    n_lists: usize,
}

impl Whole<'_, '_, '_> {
    fn take(&mut self, row: &Value, number: usize, list: Option<&str>) -> Result<(), DataError> {
        let read = self.bytes.all.get();
        if number.is_multiple_of(ROWS_AT_ONCE) {
            self.context.check_interrupted()?;
        }
        self.context.progress.advance(read - self.bytes.of_last_row.get());
        self.bytes.of_last_row.set(read);
        self.rows.visit(row, Place::Item { list: list.map(Cow::Borrowed), number }, list)
    }

    fn refuse<E: serde::de::Error>(&mut self, failure: DataError) -> E {
        self.failure = Some(failure);
        E::custom("refused")
    }
}

/// The value that the file is.
struct Top<'t, 'w, 'a, 'v>(&'t mut Whole<'w, 'a, 'v>);

impl<'de> DeserializeSeed<'de> for Top<'_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        List { whole: self.0, key: None }.visit_seq(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            entries.next_value_seed(List { whole: &mut *self.0, key: Some(&key) })?;
        }
        Ok(())
    }
}

/// A value that may be a list of rows; anything else is passed over.
struct List<'t, 'k, 'w, 'a, 'v> {
    whole: &'t mut Whole<'w, 'a, 'v>,
    key: Option<&'k str>,
}

impl<'de> DeserializeSeed<'de> for List<'_, '_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(row) = items.next_element::<Value>()? {
            number += 1;
            let is_row = row.is_object() || row.is_array();
            if let (1, false, Some(key)) = (number, is_row, self.key) {
                let what = describe(&row);
                let path = self.whole.rows.path.display();
                self.whole.context.note(format!(
                    "{path}: the list `{}` is left alone: {what} is no row, which is an object or a list",
                    shown(key)
                ));
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(());
            }
            self.whole.take(&row, number, self.key).map_err(|failure| self.whole.refuse::<A::Error>(failure))?;
        }
        self.whole.n_lists += 1;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }
}
