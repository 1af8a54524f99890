//! Opcodes of pickle protocols 0 to 5: bytes to instructions.
//!
//! Knows nothing of what they do. Invariant: exactly the bytes of one instruction are consumed, and an
//! argument longer than what is kept is skipped, not held.

use crate::bounded::Reader;
use crate::error::Error;
use crate::limits;

/// One instruction, with where it stood.
pub(super) struct Instruction {
    pub(super) op: Op,
    /// Its name in Python's `pickletools`.
    pub(super) name: &'static str,
    /// Byte offset of its opcode.
    pub(super) at: u64,
}

/// What an instruction does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op {
    Push(Literal),
    Mark,
    Stop,
    Pop,
    PopMark,
    Dup,
    Get(u64),
    Put(u64),
    Memoize,
    Empty(Kind),
    /// All above the mark becomes a container.
    Collect(Kind),
    /// The topmost few become a tuple.
    Tuple(usize),
    Append,
    Appends,
    SetItem,
    SetItems,
    AddItems,
    Global {
        module: Option<String>,
        name: Option<String>,
    },
    StackGlobal,
    /// A global that is called with all above the mark.
    Inst {
        module: Option<String>,
        name: Option<String>,
    },
    Obj,
    Reduce,
    NewObj,
    NewObjEx,
    Build,
    Extension(u32),
    PersistentId(Option<String>),
    PersistentIdOnStack,
    Proto,
    /// A frame of so many bytes begins.
    Frame(u64),
    NextBuffer,
    ReadonlyBuffer,
}

/// A value that stands in the file itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits.
    BigInt,
    Float(f64),
    /// None where it is too long to keep or no UTF-8.
    Text(Option<String>),
    Bytes {
        n: u64,
        head: Vec<u8>,
    },
}

/// The kinds of container that opcodes make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    List,
    Tuple,
    Dict,
    Set,
}

/// Whether a byte is an opcode at all.
pub(super) fn is_opcode(code: u8) -> bool {
    name(code).is_some()
}

/// Reads one instruction.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Instruction, Error> {
    let at = reader.at();
    let code = reader.byte()?;
    let name = name(code).ok_or(Error::Opcode { code, at })?;
    let context = Context { name, at };
    let op = match code {
        b'I' | b'J' | b'K' | b'M' | b'L' | 0x8a | 0x8b | b'F' | b'G' => {
            Op::Push(number(reader, code, &context)?)
        }
        b'N' => Op::Push(Literal::None),
        0x88 | 0x89 => Op::Push(Literal::Bool(code == 0x88)),
        b'S' | b'T' | b'U' | b'B' | b'C' | 0x8e | 0x96 => Op::Push(bytes(reader, code, &context)?),
        b'V' | 0x8c | b'X' | 0x8d => Op::Push(text(reader, code)?),
        b'c' | b'i' => {
            let (module, name) = (line(reader)?, line(reader)?);
            if code == b'c' { Op::Global { module, name } } else { Op::Inst { module, name } }
        }
        b'g' | b'h' | b'j' => Op::Get(index(reader, code, &context)?),
        b'p' | b'q' | b'r' => Op::Put(index(reader, code, &context)?),
        0x82 => Op::Extension(reader.byte()?.into()),
        0x83 => Op::Extension(u16::from_le_bytes(reader.array()?).into()),
        0x84 => Op::Extension(u32::from_le_bytes(reader.array()?)),
        b'P' => Op::PersistentId(line(reader)?),
        0x80 => {
            reader.byte()?;
            Op::Proto
        }
        0x95 => Op::Frame(u64::from_le_bytes(reader.array()?)),
        _ => bare(code).ok_or(Error::Opcode { code, at })?,
    };
    Ok(Instruction { op, name, at })
}

struct Context {
    name: &'static str,
    at: u64,
}

impl Context {
    fn malformed(&self) -> Error {
        Error::Argument { opcode: self.name, at: self.at }
    }
}

/// Instructions without an argument.
fn bare(code: u8) -> Option<Op> {
    Some(match code {
        b']' => Op::Empty(Kind::List),
        b')' => Op::Empty(Kind::Tuple),
        b'}' => Op::Empty(Kind::Dict),
        0x8f => Op::Empty(Kind::Set),
        b'l' => Op::Collect(Kind::List),
        b't' => Op::Collect(Kind::Tuple),
        b'd' => Op::Collect(Kind::Dict),
        0x91 => Op::Collect(Kind::Set),
        0x85..=0x87 => Op::Tuple(usize::from(code - 0x84)),
        b'a' => Op::Append,
        b'e' => Op::Appends,
        b's' => Op::SetItem,
        b'u' => Op::SetItems,
        0x90 => Op::AddItems,
        b'0' => Op::Pop,
        b'1' => Op::PopMark,
        b'2' => Op::Dup,
        b'(' => Op::Mark,
        b'.' => Op::Stop,
        0x94 => Op::Memoize,
        0x93 => Op::StackGlobal,
        b'o' => Op::Obj,
        b'R' => Op::Reduce,
        0x81 => Op::NewObj,
        0x92 => Op::NewObjEx,
        b'b' => Op::Build,
        b'Q' => Op::PersistentIdOnStack,
        0x97 => Op::NextBuffer,
        0x98 => Op::ReadonlyBuffer,
        _ => return None,
    })
}

fn number(reader: &mut Reader<'_>, code: u8, context: &Context) -> Result<Literal, Error> {
    Ok(match code {
        b'J' => Literal::Int(i32::from_le_bytes(reader.array()?).into()),
        b'K' => Literal::Int(reader.byte()?.into()),
        b'M' => Literal::Int(u16::from_le_bytes(reader.array()?).into()),
        b'G' => Literal::Float(f64::from_be_bytes(reader.array()?)),
        0x8a => {
            let n = reader.byte()?.into();
            long(&reader.take(n, 9)?, n)
        }
        0x8b => {
            let n = i32::from_le_bytes(reader.array()?);
            let n = u64::try_from(n).map_err(|_| context.malformed())?;
            long(&reader.take(n, 9)?, n)
        }
        _ => {
            let line = line(reader)?.ok_or_else(|| context.malformed())?;
            let text = line.trim();
            match (code, text) {
                // Protocol 0 writes booleans so.
                (b'I', "00") => Literal::Bool(false),
                (b'I', "01") => Literal::Bool(true),
                (b'F', _) => text.parse().map(Literal::Float).map_err(|_| context.malformed())?,
                _ => {
                    let digits = text.trim_end_matches(['L', 'l']);
                    let all_digits =
                        digits.trim_start_matches(['-', '+']).bytes().all(|b| b.is_ascii_digit());
                    match digits.parse() {
                        Ok(value) => Literal::Int(value),
                        Err(_) if all_digits && !digits.is_empty() => Literal::BigInt,
                        Err(_) => return Err(context.malformed()),
                    }
                }
            }
        }
    })
}

/// A little-endian two's complement number of `n` bytes.
fn long(bytes: &[u8], n: u64) -> Literal {
    if n > 8 {
        return Literal::BigInt;
    }
    let fill = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
    let mut whole = [fill; 8];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    Literal::Int(i64::from_le_bytes(whole))
}

fn bytes(reader: &mut Reader<'_>, code: u8, context: &Context) -> Result<Literal, Error> {
    let n = match code {
        b'S' => return quoted(reader, context),
        b'U' | b'C' => reader.byte()?.into(),
        b'T' => {
            let n = i32::from_le_bytes(reader.array()?);
            u64::try_from(n).map_err(|_| context.malformed())?
        }
        b'B' => u32::from_le_bytes(reader.array()?).into(),
        _ => u64::from_le_bytes(reader.array()?),
    };
    let head = reader.take(n, limits::KEPT_BYTES)?;
    // Python 2's strings, which Python 3 reads as text, so that they can name a global.
    Ok(match code {
        b'T' | b'U' if n <= limits::KEPT_BYTES as u64 => Literal::Text(String::from_utf8(head).ok()),
        _ => Literal::Bytes { n, head },
    })
}

/// Protocol 0's string: a line in quotes, with escapes.
fn quoted(reader: &mut Reader<'_>, context: &Context) -> Result<Literal, Error> {
    let line = reader.line(limits::KEPT_BYTES)?;
    let line = line.trim_ascii();
    let ([b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"']) = line else {
        return Err(context.malformed());
    };
    Ok(Literal::Text(unescape(inner)))
}

/// Python's escapes of a byte string that matter to a name; none where the result is no UTF-8.
fn unescape(mut rest: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(rest.len());
    while let Some((byte, after)) = rest.split_first() {
        let n_taken = match (byte, after) {
            (b'\\', [b'n', ..]) => push(&mut out, b'\n', 2),
            (b'\\', [b't', ..]) => push(&mut out, b'\t', 2),
            (b'\\', [b'r', ..]) => push(&mut out, b'\r', 2),
            (b'\\', [escaped @ (b'\\' | b'\'' | b'"'), ..]) => push(&mut out, *escaped, 2),
            (b'\\', [b'x', high, low, ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                push(&mut out, u8::try_from(digit(high)? * 16 + digit(low)?).ok()?, 4)
            }
            (b'\\', [b'0'..=b'7', ..]) => {
                let n_digits = after.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let value =
                    after[..n_digits].iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
                push(&mut out, (value & 0xff) as u8, 1 + n_digits)
            }
            _ => push(&mut out, *byte, 1),
        };
        rest = &rest[n_taken..];
    }
    String::from_utf8(out).ok()
}

fn push(out: &mut Vec<u8>, byte: u8, n_taken: usize) -> usize {
    out.push(byte);
    n_taken
}

fn text(reader: &mut Reader<'_>, code: u8) -> Result<Literal, Error> {
    let n = match code {
        b'V' => {
            let line = reader.line(limits::KEPT_BYTES + 1)?;
            // Bytes that are not escaped are Latin-1.
            let latin = || unescape_unicode(&line.iter().copied().map(char::from).collect::<String>());
            return Ok(Literal::Text((line.len() <= limits::KEPT_BYTES).then(latin)));
        }
        0x8c => reader.byte()?.into(),
        b'X' => u32::from_le_bytes(reader.array()?).into(),
        _ => u64::from_le_bytes(reader.array()?),
    };
    let head = reader.take(n, limits::KEPT_BYTES)?;
    let whole = n <= limits::KEPT_BYTES as u64;
    Ok(Literal::Text(if whole { String::from_utf8(head).ok() } else { None }))
}

/// Python's raw unicode escapes: `\uXXXX` and `\UXXXXXXXX`.
fn unescape_unicode(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let n = match rest.as_bytes().get(1) {
            Some(b'u') => 6,
            Some(b'U') => 10,
            _ => 0,
        };
        let digits = if n > 0 { rest.get(2..n) } else { None };
        match digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32) {
            Some(letter) => {
                out.push(letter);
                rest = &rest[n..];
            }
            None => {
                out.push('\\');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// A line as text; none where it is too long to keep or no UTF-8.
fn line(reader: &mut Reader<'_>) -> Result<Option<String>, Error> {
    let line = reader.line(limits::KEPT_BYTES + 1)?;
    Ok(if line.len() > limits::KEPT_BYTES { None } else { String::from_utf8(line).ok() })
}

fn index(reader: &mut Reader<'_>, code: u8, context: &Context) -> Result<u64, Error> {
    Ok(match code {
        b'h' | b'q' => reader.byte()?.into(),
        b'j' | b'r' => u32::from_le_bytes(reader.array()?).into(),
        _ => {
            let line = line(reader)?.ok_or_else(|| context.malformed())?;
            line.trim().parse().map_err(|_| context.malformed())?
        }
    })
}

/// The names that Python's `pickletools` gives them.
fn name(code: u8) -> Option<&'static str> {
    let earlier = match code {
        b'I' => "INT",
        b'J' => "BININT",
        b'K' => "BININT1",
        b'M' => "BININT2",
        b'L' => "LONG",
        b'S' => "STRING",
        b'T' => "BINSTRING",
        b'U' => "SHORT_BINSTRING",
        b'B' => "BINBYTES",
        b'C' => "SHORT_BINBYTES",
        b'N' => "NONE",
        b'V' => "UNICODE",
        b'X' => "BINUNICODE",
        b'F' => "FLOAT",
        b'G' => "BINFLOAT",
        b']' => "EMPTY_LIST",
        b'a' => "APPEND",
        b'e' => "APPENDS",
        b'l' => "LIST",
        b')' => "EMPTY_TUPLE",
        b't' => "TUPLE",
        b'}' => "EMPTY_DICT",
        b'd' => "DICT",
        b's' => "SETITEM",
        b'u' => "SETITEMS",
        b'0' => "POP",
        b'2' => "DUP",
        b'(' => "MARK",
        b'1' => "POP_MARK",
        b'g' => "GET",
        b'h' => "BINGET",
        b'j' => "LONG_BINGET",
        b'p' => "PUT",
        b'q' => "BINPUT",
        b'r' => "LONG_BINPUT",
        b'c' => "GLOBAL",
        b'R' => "REDUCE",
        b'b' => "BUILD",
        b'i' => "INST",
        b'o' => "OBJ",
        b'.' => "STOP",
        b'P' => "PERSID",
        b'Q' => "BINPERSID",
        _ => return newer_name(code),
    };
    Some(earlier)
}

/// Opcodes since protocol 2.
fn newer_name(code: u8) -> Option<&'static str> {
    Some(match code {
        0x8a => "LONG1",
        0x8b => "LONG4",
        0x8e => "BINBYTES8",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        0x88 => "NEWTRUE",
        0x89 => "NEWFALSE",
        0x8c => "SHORT_BINUNICODE",
        0x8d => "BINUNICODE8",
        0x85 => "TUPLE1",
        0x86 => "TUPLE2",
        0x87 => "TUPLE3",
        0x8f => "EMPTY_SET",
        0x90 => "ADDITEMS",
        0x91 => "FROZENSET",
        0x94 => "MEMOIZE",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        0x93 => "STACK_GLOBAL",
        0x81 => "NEWOBJ",
        0x92 => "NEWOBJ_EX",
        0x80 => "PROTO",
        0x95 => "FRAME",
        _ => return None,
    })
}
