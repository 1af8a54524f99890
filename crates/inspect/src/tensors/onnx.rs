//! The tensors of an ONNX file: initialisers, what stands in the attributes of nodes, as the numbers of trees do, and
//! which operators there are, which is as much of the model.
//!
//! It knows no operator. Invariant: names, versions and remarks are no tensors, so that two files that differ in those
//! alone have the same weights.

use spec::tensor::Datatype;

use super::{Bytes, Tensor, Tensors};
use crate::bounded::{Reader, Source};
use crate::error::Error;
use crate::limits;
use crate::onnx::message::datatype;
use crate::onnx::wire::{self, Field, Wire};

pub(super) fn read(source: &mut dyn Source) -> Option<Tensors> {
    let mut reader = Reader::file(source).ok()?;
    let end = reader.end();
    let mut walk = Walk { found: Vec::new(), is_complete: true };
    walk.model(&mut reader, end).ok()?;
    Some(Tensors { found: walk.found, is_complete: walk.is_complete })
}

struct Walk {
    found: Vec<Tensor>,
    is_complete: bool,
}

/// The end of the message that a field announces.
fn end_of(reader: &Reader<'_>, field: &Field) -> Option<u64> {
    match field.wire {
        Wire::Bytes(n) => Some(reader.at() + n),
        _ => None,
    }
}

impl Walk {
    fn model(&mut self, reader: &mut Reader<'_>, end: u64) -> Result<(), Error> {
        while let Some(field) = wire::field(reader, end)? {
            match (field.number, end_of(reader, &field)) {
                (7, Some(inner)) => self.graph(reader, inner, (String::new(), 0))?,
                _ => wire::skip(reader, field.wire)?,
            }
        }
        Ok(())
    }

    fn graph(
        &mut self,
        reader: &mut Reader<'_>,
        end: u64,
        (prefix, depth): (String, usize),
    ) -> Result<(), Error> {
        if depth > limits::GRAPHS_DEEP {
            self.is_complete = false;
            return reader.skip(end - reader.at());
        }
        let (mut n_nodes, mut operators) = (0, Vec::new());
        while let Some(field) = wire::field(reader, end)? {
            match (field.number, end_of(reader, &field)) {
                (1, Some(inner)) => {
                    let operator = self.node(reader, inner, (&prefix, n_nodes, depth))?;
                    operators.extend(operator.bytes().chain([b'\n']));
                    n_nodes += 1;
                }
                (5, Some(inner)) => self.tensor(reader, inner, &prefix)?,
                (number, _) => {
                    // A sparse initialiser.
                    self.is_complete &= number != 15;
                    wire::skip(reader, field.wire)?;
                }
            }
        }
        self.texts(format!("{prefix}operators"), operators);
        Ok(())
    }

    /// Texts that are part of what a model computes.
    fn texts(&mut self, name: String, texts: Vec<u8>) {
        if !texts.is_empty() {
            let shape = vec![texts.len() as u64];
            self.found.push(Tensor { name, datatype: None, shape, bytes: Bytes::Held(texts) });
        }
    }

    /// One node; its operator.
    fn node(
        &mut self,
        reader: &mut Reader<'_>,
        end: u64,
        (prefix, number, depth): (&str, usize, usize),
    ) -> Result<String, Error> {
        let mut operator = String::new();
        while let Some(field) = wire::field(reader, end)? {
            match (field.number, field.wire, end_of(reader, &field)) {
                (4, Wire::Bytes(n), _) => operator = wire::text(reader, n)?,
                (5, _, Some(inner)) => {
                    self.attribute(reader, inner, (format!("{prefix}{operator} {number}."), depth))?;
                }
                _ => wire::skip(reader, field.wire)?,
            }
        }
        Ok(operator)
    }

    fn attribute(
        &mut self,
        reader: &mut Reader<'_>,
        end: u64,
        (prefix, depth): (String, usize),
    ) -> Result<(), Error> {
        let mut name = prefix;
        let (mut floats, mut integers, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(field) = wire::field(reader, end)? {
            match (field.number, field.wire, end_of(reader, &field)) {
                (1, Wire::Bytes(n), _) => name.push_str(&wire::text(reader, n)?),
                (2 | 7, Wire::Fixed32, _) => floats.extend(reader.array::<4>()?),
                (7, Wire::Bytes(n), _) => floats.extend(held(reader, n)?),
                (3 | 8, Wire::Number(value), _) => integers.extend(value.to_le_bytes()),
                (8, _, Some(inner)) => varints(reader, inner, &mut integers)?,
                (4 | 9, Wire::Bytes(n), _) => {
                    texts.extend(wire::text(reader, n)?.bytes().chain([b'\n']));
                }
                (5 | 10, _, Some(inner)) => self.tensor(reader, inner, &format!("{name}."))?,
                (6 | 11, _, Some(inner)) => self.graph(reader, inner, (format!("{name}."), depth + 1))?,
                _ => wire::skip(reader, field.wire)?,
            }
        }
        for (bytes, datatype, width) in [(floats, Datatype::Fp32, 4), (integers, Datatype::Int64, 8)] {
            if !bytes.is_empty() {
                let shape = vec![(bytes.len() / width) as u64];
                let bytes = Bytes::Held(bytes);
                self.found.push(Tensor { name: name.clone(), datatype: Some(datatype), shape, bytes });
            }
        }
        self.texts(name, texts);
        Ok(())
    }

    fn tensor(&mut self, reader: &mut Reader<'_>, end: u64, prefix: &str) -> Result<(), Error> {
        let (mut name, mut shape, mut code) = (String::new(), Vec::new(), 0);
        let (mut bytes, mut integers) = (None, Vec::new());
        while let Some(field) = wire::field(reader, end)? {
            match (field.number, field.wire) {
                (1, Wire::Number(length)) => shape.push(length),
                (1, Wire::Bytes(n)) => {
                    let inner = reader.at() + n;
                    while reader.at() < inner {
                        shape.push(wire::varint(reader)?);
                    }
                }
                (2, Wire::Number(number)) => code = number,
                (8, Wire::Bytes(n)) => name = wire::text(reader, n)?,
                // Bytes as they are, and lists of floats, which are the same.
                (4 | 9 | 10, Wire::Bytes(n)) => {
                    bytes = Some(Bytes::At { offset: reader.at(), n_bytes: n });
                    reader.skip(n)?;
                }
                (5 | 7 | 11, Wire::Bytes(n)) => {
                    let inner = reader.at() + n;
                    varints(reader, inner, &mut integers)?;
                }
                (5 | 7 | 11, Wire::Number(value)) => integers.extend(value.to_le_bytes()),
                (6 | 13, wire) => {
                    self.is_complete = false;
                    wire::skip(reader, wire)?;
                }
                (_, wire) => wire::skip(reader, wire)?,
            }
        }
        let n_elements = crate::shown::n_elements(&shape);
        let (datatype, bytes) = match bytes {
            Some(bytes) => (datatype(code), bytes),
            // Numbers written one by one are as wide as can be.
            None => (Some(Datatype::Int64), Bytes::Held(integers)),
        };
        let fits = |datatype: &Datatype| {
            let n_bytes = datatype.n_bytes().and_then(|width| n_elements.checked_mul(width as u64));
            n_bytes == Some(bytes.n_bytes())
        };
        let datatype = datatype.filter(fits);
        self.found.push(Tensor { name: format!("{prefix}{name}"), datatype, shape, bytes });
        Ok(())
    }
}

fn held(reader: &mut Reader<'_>, n: u64) -> Result<Vec<u8>, Error> {
    reader.take(n, usize::try_from(limits::HELD_BYTES).unwrap_or(usize::MAX))
}

fn varints(reader: &mut Reader<'_>, end: u64, into: &mut Vec<u8>) -> Result<(), Error> {
    while reader.at() < end {
        into.extend(wire::varint(reader)?.to_le_bytes());
    }
    Ok(())
}
