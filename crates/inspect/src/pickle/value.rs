//! Symbolic values of a pickle: what its opcodes would make, described and never made.
//!
//! Values live in one heap and refer to each other by number, as a pickle's values may refer to themselves.
//! Invariant: the heap holds at most [`limits::HEAP_BYTES`]; what does not fit is [`Value::Forgotten`], and a
//! forgotten value has no name, so that calling it is never taken for harmless.

use crate::limits;

/// A value, or the number of the node that describes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Node(u32),
    /// Too large to keep, or not known.
    Forgotten,
}

/// What a value is that does not fit in a few bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Text(String),
    Bytes {
        n: u64,
        head: Vec<u8>,
        /// Where they begin in what was read.
        at: u64,
    },
    List(Items),
    Tuple(Items),
    Set(Items),
    Dict(Pairs),
    Global {
        module: String,
        name: String,
    },
    Object(Box<Object>),
    /// An array whose bytes stand in the file after the object that describes it.
    Inline(Box<Inline>),
    /// What the loader makes of this value.
    Persistent(Value),
}

/// The first items of a container, and how many there are.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Items {
    pub(crate) kept: Vec<Value>,
    pub(crate) n: u64,
}

/// The first entries of a dict, and how many were set.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pairs {
    pub(crate) kept: Vec<(Value, Value)>,
    pub(crate) n: u64,
}

/// What a call would return.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Object {
    /// What is called: mostly a class.
    pub(crate) class: Value,
    pub(crate) arguments: Value,
    pub(crate) state: Option<Value>,
    pub(crate) items: Items,
    pub(crate) pairs: Pairs,
}

/// An array as joblib writes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inline {
    pub(crate) dtype: Value,
    pub(crate) shape: Vec<u64>,
    /// The first of its bytes; none for an array of objects.
    pub(crate) head: Vec<u8>,
    /// Where they begin in what was read.
    pub(crate) at: u64,
    /// For an array of objects, the pickle in its place.
    pub(crate) objects: Option<Value>,
}

/// All nodes of one file.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    nodes: Vec<Node>,
    n_bytes: usize,
}

impl Heap {
    /// Keeps a node, or forgets it where the heap is full.
    pub(crate) fn add(&mut self, node: Node) -> Value {
        let own = match &node {
            Node::Text(text) => text.len(),
            Node::Bytes { head, .. } => head.len(),
            Node::List(items) | Node::Tuple(items) | Node::Set(items) => size_of_val(items.kept.as_slice()),
            Node::Dict(pairs) => size_of_val(pairs.kept.as_slice()),
            Node::Global { module, name } => module.len() + name.len(),
            Node::Object(_) => size_of::<Object>(),
            Node::Inline(inline) => size_of::<Inline>() + inline.head.len() + inline.shape.len() * 8,
            Node::Persistent(_) => 0,
        };
        match (self.reserve(size_of::<Node>() + own), u32::try_from(self.nodes.len())) {
            (true, Ok(number)) => {
                self.nodes.push(node);
                Value::Node(number)
            }
            _ => Value::Forgotten,
        }
    }

    /// Keeps a call.
    pub(crate) fn add_call(&mut self, class: Value, arguments: Value) -> Value {
        let (items, pairs) = (Items::default(), Pairs::default());
        self.add(Node::Object(Box::new(Object { class, arguments, state: None, items, pairs })))
    }

    /// Keeps a container of these items.
    pub(crate) fn add_items(&mut self, make: fn(Items) -> Node, values: &[Value]) -> Value {
        let kept = values[..values.len().min(limits::ITEMS)].to_vec();
        self.add(make(Items { kept, n: values.len() as u64 }))
    }

    pub(crate) fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(number) => self.nodes.get(number as usize),
            _ => None,
        }
    }

    /// Adds items to a list, a set, or whatever has an `append`; false where the value has none.
    pub(crate) fn extend(&mut self, container: Value, values: &[Value]) -> bool {
        let room = self.reserve(size_of_val(values));
        let items = match self.node_mut(container) {
            Some(Node::List(items) | Node::Set(items)) => items,
            Some(Node::Object(object)) => &mut object.items,
            // What it is was forgotten, or it is an array, which has no `append`: nothing is learned from it.
            _ => return matches!(container, Value::Forgotten),
        };
        items.n += values.len() as u64;
        if room {
            let n = values.len().min(limits::ITEMS.saturating_sub(items.kept.len()));
            items.kept.extend_from_slice(&values[..n]);
        }
        true
    }

    /// Sets entries of a dict, or of whatever can be indexed; false where the value cannot.
    pub(crate) fn set(&mut self, container: Value, values: &[Value]) -> bool {
        let room = self.reserve(size_of_val(values));
        let pairs = match self.node_mut(container) {
            Some(Node::Dict(pairs)) => pairs,
            Some(Node::Object(object)) => &mut object.pairs,
            _ => return matches!(container, Value::Forgotten),
        };
        pairs.n += values.len() as u64 / 2;
        if room {
            let n = limits::ITEMS.saturating_sub(pairs.kept.len());
            pairs.kept.extend(values.as_chunks::<2>().0.iter().take(n).map(|[key, value]| (*key, *value)));
        }
        true
    }

    /// Gives an object its state. Other values keep none.
    pub(crate) fn build(&mut self, value: Value, state: Value) {
        if let Some(Node::Object(object)) = self.node_mut(value) {
            object.state = Some(state);
        }
    }

    pub(crate) fn text(&self, value: Value) -> Option<&str> {
        match self.node(value) {
            Some(Node::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The kept items of a list, tuple or set.
    pub(crate) fn items(&self, value: Value) -> Option<&[Value]> {
        match self.node(value) {
            Some(Node::List(items) | Node::Tuple(items) | Node::Set(items)) => Some(&items.kept),
            _ => None,
        }
    }

    /// The kept entries of a dict, or of an object that is one.
    pub(crate) fn pairs(&self, value: Value) -> Option<&[(Value, Value)]> {
        match self.node(value) {
            Some(Node::Dict(pairs)) => Some(&pairs.kept),
            Some(Node::Object(object)) => Some(&object.pairs.kept),
            _ => None,
        }
    }

    pub(crate) fn object(&self, value: Value) -> Option<&Object> {
        match self.node(value) {
            Some(Node::Object(object)) => Some(object),
            _ => None,
        }
    }

    pub(crate) fn global(&self, value: Value) -> Option<(&str, &str)> {
        match self.node(value) {
            Some(Node::Global { module, name }) => Some((module, name)),
            _ => None,
        }
    }

    fn node_mut(&mut self, value: Value) -> Option<&mut Node> {
        match value {
            Value::Node(number) => self.nodes.get_mut(number as usize),
            _ => None,
        }
    }

    /// Whether so many bytes more may be kept.
    fn reserve(&mut self, n_bytes: usize) -> bool {
        let fits = self.n_bytes.saturating_add(n_bytes) <= limits::HEAP_BYTES;
        if fits {
            self.n_bytes += n_bytes;
        }
        fits
    }
}
