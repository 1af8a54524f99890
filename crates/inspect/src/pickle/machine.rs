//! Walks a pickle as Python's unpickler would, with symbols instead of objects.
//!
//! It imports nothing and calls nothing: a call becomes a node that says what would be called. Invariants:
//! every global that the loader would look up is judged, and again where it is called; a walk either reaches
//! the pickle's end or fails where the loader might go on, and whoever asked is told so.

use std::collections::BTreeMap;

use spec::facts::DangerLevel;

use super::danger::{Dangers, Place};
use super::joblib;
use super::judge::{self, Verdict};
use super::opcode::{self, Instruction, Kind, Literal, Op};
use super::value::{Heap, Node, Value};
use crate::bounded::Reader;
use crate::error::Error;
use crate::{limits, torch};

/// The state of a walk through one file.
pub(super) struct Machine<'r, 'a> {
    pub(super) reader: &'r mut Reader<'a>,
    pub(super) heap: Heap,
    pub(super) dangers: Dangers,
    pub(super) saw: Saw,
    /// Where the bytes begin in which this pickle stands, if it does not stand in the file itself.
    inside: Option<u64>,
    steps_left: u64,
    n_deep: usize,
    pickle: Pickle,
}

/// What was met on the way.
#[derive(Debug, Default)]
pub(super) struct Saw {
    /// Arrays between the opcodes, as joblib writes them.
    pub(super) inline_arrays: bool,
    /// How many globals were looked up.
    pub(super) n_globals: u64,
    /// Where the first value stands that only the loader's own program can make.
    pub(super) persistent: Option<Place>,
    /// Offsets and content of bytes that begin like a pickle.
    pub(super) pickles: Vec<(u64, Vec<u8>)>,
}

/// The unpickler's own state, of which a pickle in a pickle has a new one.
#[derive(Debug, Default)]
struct Pickle {
    stack: Vec<Value>,
    /// Heights of the stack at the marks.
    marks: Vec<usize>,
    memo: BTreeMap<u64, Value>,
    /// Where the current frame ends.
    frame_end: u64,
}

impl<'r, 'a> Machine<'r, 'a> {
    /// A walk that has yet to begin; `n_bytes` is the length of the file on disk.
    pub(super) fn new(
        reader: &'r mut Reader<'a>,
        n_bytes: u64,
        dangers: Dangers,
        inside: Option<u64>,
    ) -> Self {
        let steps = limits::STEPS.saturating_add(n_bytes.saturating_mul(limits::STEPS_FOR_EACH_BYTE));
        Self {
            reader,
            heap: Heap::default(),
            dangers,
            saw: Saw::default(),
            inside,
            steps_left: steps.min(limits::STEPS_AT_MOST),
            n_deep: 0,
            pickle: Pickle::default(),
        }
    }

    /// Walks one pickle to its end and describes what it would make.
    pub(super) fn walk(&mut self) -> Result<Value, Error> {
        self.pickle = Pickle::default();
        loop {
            self.steps_left = self
                .steps_left
                .checked_sub(1)
                .ok_or(Error::Limit { what: "opcodes for its length", limit: limits::STEPS_AT_MOST })?;
            let Instruction { op, name, at } = opcode::read(self.reader)?;
            let place = Place { opcode: name, at, inside: self.inside };
            if op == Op::Stop {
                return self.pop(place);
            }
            self.step(op, place)?;
            if self.pickle.stack.len() > limits::STACK || self.pickle.marks.len() > limits::STACK {
                return Err(Error::Limit { what: "values at once", limit: limits::STACK as u64 });
            }
        }
    }

    /// Walks a pickle that stands in the place of a value of this one.
    pub(super) fn walk_nested(&mut self) -> Result<Value, Error> {
        if self.n_deep >= limits::PICKLES_DEEP {
            return Err(Error::Limit { what: "pickles in pickles", limit: limits::PICKLES_DEEP as u64 });
        }
        self.n_deep += 1;
        let outer = std::mem::take(&mut self.pickle);
        let result = self.walk();
        self.pickle = outer;
        self.n_deep -= 1;
        result
    }

    /// What lies lowest on the stack of a walk that failed: the beginning of what the pickle would make.
    pub(super) fn unfinished(&self) -> Option<Value> {
        self.pickle.stack.first().copied()
    }

    /// Whether the loader has already read past this point, as it reads whole frames.
    pub(super) fn is_within_frame(&self) -> bool {
        self.reader.at() < self.pickle.frame_end
    }

    fn step(&mut self, op: Op, place: Place) -> Result<(), Error> {
        match op {
            Op::Push(literal) => {
                let value = self.literal(literal, place);
                self.push(value);
            }
            Op::Frame(n) => self.pickle.frame_end = self.reader.at().saturating_add(n),
            Op::Proto | Op::ReadonlyBuffer | Op::Stop => {}
            Op::NextBuffer => self.push(Value::Forgotten),
            Op::Mark | Op::Pop | Op::PopMark | Op::Dup | Op::Get(_) | Op::Put(_) | Op::Memoize => {
                self.shuffle(&op, place)?;
            }
            Op::Empty(_) | Op::Collect(_) | Op::Tuple(_) => self.collect(&op, place)?,
            Op::Append | Op::Appends | Op::SetItem | Op::SetItems | Op::AddItems => self.fill(&op, place)?,
            Op::Global { .. } | Op::StackGlobal | Op::Extension(_) => self.name(op, place)?,
            Op::PersistentId(id) => {
                let id = id.map_or(Value::Forgotten, |id| self.heap.add(Node::Text(id)));
                self.persistent(id, place);
            }
            Op::PersistentIdOnStack => {
                let id = self.pop(place)?;
                self.persistent(id, place);
            }
            Op::Inst { .. } | Op::Obj | Op::Reduce | Op::NewObj | Op::NewObjEx => self.call(op, place)?,
            Op::Build => self.build(place)?,
        }
        Ok(())
    }

    fn literal(&mut self, literal: Literal, place: Place) -> Value {
        match literal {
            Literal::None => Value::None,
            Literal::Bool(value) => Value::Bool(value),
            Literal::Int(value) => Value::Int(value),
            Literal::Float(value) => Value::Float(value),
            Literal::BigInt | Literal::Text(None) => Value::Forgotten,
            Literal::Text(Some(text)) => self.heap.add(Node::Text(text)),
            Literal::Bytes { n, head } => {
                if crate::format::is_pickle_head(&head) && self.saw.pickles.len() < limits::PICKLES {
                    self.saw.pickles.push((place.at, head.clone()));
                }
                let at = self.reader.at().saturating_sub(n);
                self.heap.add(Node::Bytes { n, head, at })
            }
        }
    }

    fn shuffle(&mut self, op: &Op, place: Place) -> Result<(), Error> {
        let Pickle { stack, marks, memo, .. } = &mut self.pickle;
        match op {
            Op::Mark => marks.push(stack.len()),
            // Where a mark lies on top, it is the mark that is popped.
            Op::Pop if marks.last() == Some(&stack.len()) => drop(marks.pop()),
            Op::Pop => drop(self.pop(place)?),
            Op::PopMark => drop(self.pop_mark(place)?),
            Op::Dup => {
                let top = self.top(place)?;
                self.push(top);
            }
            Op::Get(index) => {
                let found = memo.get(index).copied();
                let Place { opcode, at, .. } = place;
                self.push(found.ok_or(Error::Memo { opcode, at, index: *index })?);
            }
            _ => {
                let index = if let Op::Put(index) = op { *index } else { memo.len() as u64 };
                if memo.len() >= limits::MEMO {
                    return Err(Error::Limit { what: "remembered values", limit: limits::MEMO as u64 });
                }
                let top = self.top(place)?;
                self.pickle.memo.insert(index, top);
            }
        }
        Ok(())
    }

    fn collect(&mut self, op: &Op, place: Place) -> Result<(), Error> {
        let (kind, values) = match op {
            Op::Empty(kind) => (*kind, Vec::new()),
            Op::Collect(kind) => (*kind, self.pop_mark(place)?),
            Op::Tuple(n) => (Kind::Tuple, self.pop_some(*n, place)?),
            _ => return Ok(()),
        };
        let value = match kind {
            Kind::List => self.heap.add_items(Node::List, &values),
            Kind::Tuple => self.heap.add_items(Node::Tuple, &values),
            Kind::Set => self.heap.add_items(Node::Set, &values),
            Kind::Dict => {
                let dict = self.heap.add(Node::Dict(super::value::Pairs::default()));
                self.heap.set(dict, &values);
                dict
            }
        };
        self.push(value);
        Ok(())
    }

    fn fill(&mut self, op: &Op, place: Place) -> Result<(), Error> {
        let values = match op {
            Op::Append => self.pop_some(1, place)?,
            Op::SetItem => self.pop_some(2, place)?,
            _ => self.pop_mark(place)?,
        };
        let container = self.top(place)?;
        let fits = match op {
            Op::SetItem | Op::SetItems => self.heap.set(container, &values),
            _ => self.heap.extend(container, &values),
        };
        // The loader calls `append`, `add` or `__setitem__` of whatever lies there.
        match fits || values.is_empty() {
            true => Ok(()),
            false => Err(Error::Stack { opcode: place.opcode, at: place.at }),
        }
    }

    /// Looks a global up: it is judged, and stays a name.
    fn name(&mut self, op: Op, place: Place) -> Result<(), Error> {
        let (module, name) = match op {
            Op::Global { module, name } => (module, name),
            Op::Extension(code) => (Some("copyreg".to_owned()), Some(format!("extension {code}"))),
            _ => {
                let [module, name] = self.pop_some(2, place)?[..] else { return Ok(()) };
                (self.heap.text(module).map(str::to_owned), self.heap.text(name).map(str::to_owned))
            }
        };
        let value = self.global(module, name, place);
        self.push(value);
        Ok(())
    }

    fn global(&mut self, module: Option<String>, name: Option<String>, place: Place) -> Value {
        self.saw.n_globals += 1;
        let (Some(module), Some(name)) = (module, name) else {
            const REASON: &str = "what is looked up does not stand in the file as a name";
            self.dangers.add(DangerLevel::Unknown, || "a name that is computed".to_owned(), place, REASON);
            return Value::Forgotten;
        };
        if let Verdict::Harm(level, reason) = judge::judge(&module, &name) {
            self.dangers.add(level, || format!("{module}.{name}"), place, reason);
        }
        self.heap.add(Node::Global { module, name })
    }

    fn persistent(&mut self, id: Value, place: Place) {
        self.saw.persistent.get_or_insert(place);
        let value =
            torch::class_of_module(&self.heap, id).unwrap_or_else(|| self.heap.add(Node::Persistent(id)));
        self.push(value);
    }

    fn call(&mut self, op: Op, place: Place) -> Result<(), Error> {
        let (callable, arguments) = match op {
            Op::Inst { module, name } => {
                let values = self.pop_mark(place)?;
                (self.global(module, name, place), self.heap.add_items(Node::Tuple, &values))
            }
            Op::Obj => {
                let values = self.pop_mark(place)?;
                let (callable, rest) =
                    values.split_first().ok_or(Error::Stack { opcode: place.opcode, at: place.at })?;
                (*callable, self.heap.add_items(Node::Tuple, rest))
            }
            _ => {
                let n = if op == Op::NewObjEx { 3 } else { 2 };
                let values = self.pop_some(n, place)?;
                (values[0], values[1])
            }
        };
        self.judge_call(callable, place);
        let value = self.heap.add_call(callable, arguments);
        self.push(value);
        Ok(())
    }

    fn judge_call(&mut self, callable: Value, place: Place) {
        match self.heap.global(callable) {
            Some((module, name)) => {
                if let Verdict::Harm(level, reason) = judge::judge(module, name) {
                    self.dangers.add(level, || format!("{module}.{name}"), place, reason);
                }
            }
            None => {
                const REASON: &str = "it calls something that is itself made while loading";
                let made = self.heap.object(callable).and_then(|object| self.heap.global(object.class));
                let what = || match made {
                    Some((module, name)) => format!("the result of {module}.{name}"),
                    None => "a value that is computed".to_owned(),
                };
                self.dangers.add(DangerLevel::Unknown, what, place, REASON);
            }
        }
    }

    fn build(&mut self, place: Place) -> Result<(), Error> {
        let state = self.pop(place)?;
        let value = self.top(place)?;
        if let Some((module, name)) = self.heap.global(value) {
            const REASON: &str = "it changes a class or a function itself, for all who use it";
            self.dangers.add(DangerLevel::Dangerous, || format!("{module}.{name}"), place, REASON);
        }
        let is_first = self.heap.object(value).is_some_and(|object| object.state.is_none());
        self.heap.build(value, state);
        if joblib::is_wrapper(&self.heap, value) {
            self.saw.inline_arrays = true;
            // In a pickle in a pickle joblib does not look for arrays; given a second state, ours would be a guess.
            if !is_first || self.n_deep > 0 || self.inside.is_some() {
                return Err(Error::Array { at: place.at });
            }
            let array = joblib::read_array(self, state)?;
            self.pop(place)?;
            self.push(array);
        }
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.pickle.stack.push(value);
    }

    /// How far down the stack may be popped: to the last mark.
    fn floor(&self) -> usize {
        self.pickle.marks.last().copied().unwrap_or(0)
    }

    fn top(&self, place: Place) -> Result<Value, Error> {
        let above = self.pickle.stack.get(self.floor()..).and_then(<[Value]>::last);
        above.copied().ok_or(Error::Stack { opcode: place.opcode, at: place.at })
    }

    fn pop(&mut self, place: Place) -> Result<Value, Error> {
        let top = self.top(place)?;
        self.pickle.stack.pop();
        Ok(top)
    }

    /// The topmost `n` values, lowest first.
    fn pop_some(&mut self, n: usize, place: Place) -> Result<Vec<Value>, Error> {
        match self.pickle.stack.len().checked_sub(n).filter(|from| *from >= self.floor()) {
            Some(from) => Ok(self.pickle.stack.split_off(from)),
            None => Err(Error::Stack { opcode: place.opcode, at: place.at }),
        }
    }

    /// All values above the last mark, lowest first; the mark goes too.
    fn pop_mark(&mut self, place: Place) -> Result<Vec<Value>, Error> {
        let from = self.pickle.marks.pop().filter(|from| *from <= self.pickle.stack.len());
        let from = from.ok_or(Error::Stack { opcode: place.opcode, at: place.at })?;
        Ok(self.pickle.stack.split_off(from))
    }
}
