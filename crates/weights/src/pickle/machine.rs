//! The stack machine that a pickle is a program for.
//!
//! It knows the instructions of protocols 2 to 5 and runs nothing: a name of a class becomes a
//! [`Class`], and calling one makes a plain value. Objects refer to each other by index, so that a
//! pickle that nests them deeply or in circles costs no more than its length.

use std::collections::BTreeMap;

use super::{
    PickleError,
    class::{Class, DType},
    cursor::Cursor,
    object::{Object, Storage, Value, View},
    op,
};

/// Most instructions of one pickle, which bound its memory: an instruction is at least one byte and takes
/// at most a hundred. A state dict has about thirty per tensor.
const MAX_INSTRUCTIONS: usize = 1 << 21;
/// Longest key of a storage, in bytes. PyTorch's are decimal numbers.
const MAX_KEY: usize = 64;

/// Runs the pickle at the cursor, which is left after its last instruction.
pub(super) fn load<'a>(input: &mut Cursor<'a>) -> Result<Object<'a>, PickleError> {
    let mut machine = Machine {
        input,
        at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
        object: Object::default(),
    };
    for _ in 0..MAX_INSTRUCTIONS {
        machine.at = machine.input.at();
        let opcode = machine.input.byte()?;
        if opcode == op::STOP {
            machine.object.root = machine.pop()?;
            return Ok(machine.object);
        }
        if let Some(value) = machine.value(opcode)? {
            machine.stack.push(value);
        } else {
            machine.step(opcode)?;
        }
    }
    Err(machine.unsupported(format!("has a pickle of more than {MAX_INSTRUCTIONS} instructions")))
}

struct Machine<'c, 'a> {
    input: &'c mut Cursor<'a>,
    /// Offset of the current instruction.
    at: usize,
    stack: Vec<Value<'a>>,
    /// Lengths of the stack at each MARK.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Value<'a>>,
    object: Object<'a>,
}

impl<'a> Machine<'_, 'a> {
    /// The value that an instruction pushes without looking at the stack, if it is one of those.
    fn value(&mut self, opcode: u8) -> Result<Option<Value<'a>>, PickleError> {
        let input = &mut *self.input;
        Ok(Some(match opcode {
            op::NONE => Value::None,
            op::NEWTRUE => Value::Bool(true),
            op::NEWFALSE => Value::Bool(false),
            op::BININT1 => Value::Int(input.byte()?.into()),
            op::BININT2 => Value::Int(u16::from_le_bytes(input.array()?).into()),
            op::BININT => Value::Int(i32::from_le_bytes(input.array()?).into()),
            op::LONG1 => long(input.prefixed::<1>()?),
            op::LONG4 => long(input.prefixed::<4>()?),
            op::SHORT_BINSTRING | op::SHORT_BINUNICODE => text(input.prefixed::<1>()?),
            op::BINSTRING | op::BINUNICODE => text(input.prefixed::<4>()?),
            op::BINUNICODE8 => text(input.prefixed::<8>()?),
            op::BINFLOAT => other(input.take(8)?),
            op::SHORT_BINBYTES => other(input.prefixed::<1>()?),
            op::BINBYTES => other(input.prefixed::<4>()?),
            op::BINBYTES8 | op::BYTEARRAY8 => other(input.prefixed::<8>()?),
            op::EMPTY_SET => Value::Other,
            op::EMPTY_TUPLE => Value::Tuple((0, 0)),
            op::EMPTY_LIST => {
                self.object.lists.push(Vec::new());
                Value::List(self.object.lists.len() - 1)
            }
            op::EMPTY_DICT => self.new_dict(),
            op::BINGET => {
                let index = input.byte()?.into();
                self.recall(index)?
            }
            op::LONG_BINGET => {
                let index = u32::from_le_bytes(input.array()?);
                self.recall(index)?
            }
            op::GLOBAL => {
                let (module, name) = (input.line()?, input.line()?);
                self.class(&String::from_utf8_lossy(module), &String::from_utf8_lossy(name))?
            }
            _ => return Ok(None),
        }))
    }

    /// Runs an instruction that works on the stack.
    fn step(&mut self, opcode: u8) -> Result<(), PickleError> {
        let value = match opcode {
            op::PROTO => match self.input.byte()? {
                2..=5 => return Ok(()),
                protocol => return Err(self.unsupported(format!("has a pickle of protocol {protocol}"))),
            },
            op::FRAME => return self.input.take(8).map(|_| ()),
            op::MARK => {
                self.marks.push(self.stack.len());
                return Ok(());
            }
            op::POP => return self.pop().map(|_| ()),
            op::POP_MARK => return self.above_mark().map(|_| ()),
            op::BINPUT => {
                let index = self.input.byte()?.into();
                return self.remember(index);
            }
            op::LONG_BINPUT => {
                let index = u32::from_le_bytes(self.input.array()?);
                return self.remember(index);
            }
            // There are fewer instructions than 32-bit numbers.
            #[allow(clippy::cast_possible_truncation)]
            op::MEMOIZE => return self.remember(self.memo.len() as u32),
            op::APPEND => {
                let item = self.pop()?;
                return self.append(&[item]);
            }
            op::APPENDS => {
                let items = self.above_mark()?;
                return self.append(&items);
            }
            op::SETITEM => {
                let items = self.take(2)?;
                return self.set_items(&items);
            }
            op::SETITEMS => {
                let items = self.above_mark()?;
                return self.set_items(&items);
            }
            op::ADDITEMS => return self.above_mark().map(|_| ()),
            op::BUILD => {
                let _attributes = self.pop()?;
                return match self.top()? {
                    Value::Dict(_) | Value::Other => Ok(()),
                    other => Err(self.damaged(format!("{} is given attributes", other.kind()))),
                };
            }
            op::DUP => self.top()?,
            op::FROZENSET => self.above_mark().map(|_| Value::Other)?,
            op::TUPLE => {
                let items = self.above_mark()?;
                self.new_tuple(&items)
            }
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                let items = self.take(usize::from(opcode - op::TUPLE1) + 1)?;
                self.new_tuple(&items)
            }
            op::STACK_GLOBAL => match self.take(2)?[..] {
                [Value::Str(module), Value::Str(name)] => self.class(module, name)?,
                _ => return Err(self.damaged("the name of a class is no text")),
            },
            op::REDUCE | op::NEWOBJ => match self.take(2)?[..] {
                [Value::Class(class), Value::Tuple(arguments)] => self.call(class, arguments)?,
                _ => return Err(self.damaged("something that is not a class is called")),
            },
            op::BINPERSID => {
                let id = self.pop()?;
                self.storage(id)?
            }
            _ => {
                let problem = format!("has the pickle instruction 0x{opcode:02x} at byte {}", self.at);
                return Err(self.unsupported(problem));
            }
        };
        self.stack.push(value);
        Ok(())
    }

    /// Takes `count` values off the stack, but none below the last mark.
    fn take(&mut self, count: usize) -> Result<Vec<Value<'a>>, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= floor => Ok(self.stack.drain(start..).collect()),
            _ => Err(self.damaged("a value is missing")),
        }
    }

    fn pop(&mut self) -> Result<Value<'a>, PickleError> {
        self.top()?;
        Ok(self.stack.pop().expect("there is a top"))
    }

    fn top(&self) -> Result<Value<'a>, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack[floor..].last().copied().ok_or_else(|| self.damaged("a value is missing"))
    }

    /// Takes off the stack what lies above the last mark, and the mark.
    fn above_mark(&mut self) -> Result<Vec<Value<'a>>, PickleError> {
        let start = self.marks.pop().ok_or_else(|| self.damaged("a mark is missing"))?;
        Ok(self.stack.drain(start..).collect())
    }

    fn remember(&mut self, index: u32) -> Result<(), PickleError> {
        let value = self.top()?;
        self.memo.insert(index, value);
        Ok(())
    }

    fn recall(&self, index: u32) -> Result<Value<'a>, PickleError> {
        let known = self.memo.get(&index).copied();
        known.ok_or_else(|| self.damaged(format!("value {index} is asked for before it is there")))
    }

    fn append(&mut self, items: &[Value<'a>]) -> Result<(), PickleError> {
        match self.top()? {
            Value::List(id) => self.object.lists[id].extend_from_slice(items),
            other => return Err(self.damaged(format!("{} is appended to", other.kind()))),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Value<'a>]) -> Result<(), PickleError> {
        match (self.top()?, items.as_chunks::<2>()) {
            (Value::Dict(id), (pairs, [])) => self.object.dicts[id].extend_from_slice(pairs),
            (Value::Dict(_), _) => return Err(self.damaged("a key has no value")),
            (other, _) => return Err(self.damaged(format!("{} is given keys", other.kind()))),
        }
        Ok(())
    }

    fn new_dict(&mut self) -> Value<'a> {
        self.object.dicts.push(Vec::new());
        Value::Dict(self.object.dicts.len() - 1)
    }

    fn new_tuple(&mut self, items: &[Value<'a>]) -> Value<'a> {
        let start = self.object.tuples.len();
        self.object.tuples.extend_from_slice(items);
        Value::Tuple((start, items.len()))
    }

    fn class(&self, module: &str, name: &str) -> Result<Value<'a>, PickleError> {
        Class::named(module, name).map(Value::Class).ok_or_else(|| PickleError::Class {
            path: self.input.path().to_owned(),
            offset: self.at,
            class: format!("{module}.{name}").escape_debug().to_string(),
        })
    }

    /// What a class makes of its arguments.
    fn call(&mut self, class: Class, arguments: (usize, usize)) -> Result<Value<'a>, PickleError> {
        let value = match (class, self.object.tuple(arguments)) {
            (Class::OrderedDict, []) => Some(self.new_dict()),
            (Class::Tensor, [storage, offset, shape, strides])
            // The last two are `requires_grad` and hooks; marks such as a pending negation would follow.
            | (Class::TensorV2, [storage, offset, shape, strides, _, _]) => {
                self.tensor([*storage, *offset, *shape, *strides], None)
            }
            (Class::TensorV3, [storage, offset, shape, strides, _, _, Value::Class(Class::DType(dtype))]) => {
                self.tensor([*storage, *offset, *shape, *strides], Some(*dtype))
            }
            (Class::Parameter, [tensor @ Value::Tensor(_), ..]) => Some(*tensor),
            (Class::Size, [sizes @ Value::Tuple(_)]) => Some(*sizes),
            (Class::Other, _) => Some(Value::Other),
            _ => None,
        };
        value.ok_or_else(|| self.damaged(format!("{class:?} is given arguments that it does not take")))
    }

    fn tensor(&mut self, [storage, offset, shape, strides]: [Value<'a>; 4], dtype: Option<DType>) -> Option<Value<'a>> {
        let (Value::Storage(storage), Value::Int(offset)) = (storage, offset) else { return None };
        let (Value::Tuple(shape), Value::Tuple(strides)) = (shape, strides) else { return None };
        let dtype = dtype.unwrap_or(self.object.storages[storage].dtype);
        let offset = usize::try_from(offset).ok()?;
        self.object.tensors.push(View { storage, dtype, offset, shape, strides });
        Some(Value::Tensor(self.object.tensors.len() - 1))
    }

    /// The storage that a persistent id names: `("storage", class, key, device, count)`.
    fn storage(&mut self, id: Value<'a>) -> Result<Value<'a>, PickleError> {
        let Value::Tuple(id) = id else { return Err(self.damaged("the id of a storage is no tuple")) };
        match *self.object.tuple(id) {
            [
                Value::Str("storage"),
                Value::Class(Class::Storage(dtype)),
                Value::Str(key),
                Value::Str(_),
                Value::Int(len),
                // The older layout could have views of storages, which no version since 0.4 writes.
                ref view @ ..,
            ] if key.len() <= MAX_KEY && matches!(view, [] | [Value::None]) && len >= 0 => {
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                self.object.storages.push(Storage { dtype, key, len });
                Ok(Value::Storage(self.object.storages.len() - 1))
            }
            _ => Err(self.damaged("the id of a storage is none")),
        }
    }

    fn damaged(&self, problem: impl Into<String>) -> PickleError {
        PickleError::Damaged { path: self.input.path().to_owned(), offset: self.at, problem: problem.into() }
    }

    fn unsupported(&self, problem: String) -> PickleError {
        PickleError::Unsupported { path: self.input.path().to_owned(), problem }
    }
}

/// A whole number in two's complement.
fn long(bytes: &[u8]) -> Value<'_> {
    let negative = bytes.last().is_some_and(|&last| last >= 0x80);
    let mut number = [if negative { 0xff } else { 0 }; 8];
    match number.get_mut(..bytes.len()) {
        Some(low) => {
            low.copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(number))
        }
        None => Value::Long(bytes),
    }
}

/// What carries no weight, whatever its bytes say.
fn other(_: &[u8]) -> Value<'_> {
    Value::Other
}

/// Text, or bytes of Python 2 that are none.
fn text(bytes: &[u8]) -> Value<'_> {
    str::from_utf8(bytes).map_or(Value::Other, Value::Str)
}
