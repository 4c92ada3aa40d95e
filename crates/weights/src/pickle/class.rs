//! The list of classes and functions that a checkpoint may ask for.

/// What a name in a pickle stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Class {
    OrderedDict,
    /// `torch._utils._rebuild_tensor`: a tensor from a storage, offset, shape and strides.
    Tensor,
    /// The same with `requires_grad` and hooks.
    TensorV2,
    /// The same with a type of its own, over a storage of bytes.
    TensorV3,
    /// A parameter: the tensor that it holds.
    Parameter,
    Size,
    Storage(DType),
    DType(DType),
    /// Makes a value that carries no weight, such as a set.
    Other,
}

impl Class {
    /// The class of that name, if it is on the list.
    pub(super) fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor") => Self::Tensor,
            ("torch._utils", "_rebuild_tensor_v2") => Self::TensorV2,
            ("torch._utils", "_rebuild_tensor_v3") => Self::TensorV3,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Self::Parameter,
            ("torch", "Size") => Self::Size,
            ("torch", "device")
            | ("builtins" | "__builtin__", "set" | "frozenset" | "bytearray" | "complex")
            | ("_codecs", "encode") => Self::Other,
            ("torch" | "torch.storage", "UntypedStorage" | "_UntypedStorage") => {
                Self::Storage(DType::Other("uint8", 1))
            }
            ("torch" | "torch.cuda", name) if name.ends_with("Storage") => {
                let &(_, dtype) = STORAGES.iter().find(|&&(storage, _)| storage == name)?;
                Self::Storage(dtype)
            }
            ("torch", name) => {
                let stored = STORAGES.iter().map(|&(_, dtype)| dtype);
                let dtypes = stored.chain(BARE.iter().map(|&(name, size)| DType::Other(name, size)));
                Self::DType(dtypes.into_iter().find(|dtype| dtype.name() == name)?)
            }
            _ => return None,
        })
    }
}

/// The type of a tensor's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum DType {
    F32,
    F16,
    BF16,
    F64,
    /// Numbers that are no weights: PyTorch's name and bytes each.
    Other(&'static str, usize),
}

impl DType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::F64 => "float64",
            Self::Other(name, _) => name,
        }
    }

    /// Bytes of one number.
    pub(super) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::F64 => 8,
            Self::Other(_, size) => size,
        }
    }
}

/// Types with a storage class of their own.
const STORAGES: [(&str, DType); 12] = [
    ("FloatStorage", DType::F32),
    ("HalfStorage", DType::F16),
    ("BFloat16Storage", DType::BF16),
    ("DoubleStorage", DType::F64),
    ("BoolStorage", DType::Other("bool", 1)),
    ("ByteStorage", DType::Other("uint8", 1)),
    ("CharStorage", DType::Other("int8", 1)),
    ("ShortStorage", DType::Other("int16", 2)),
    ("IntStorage", DType::Other("int32", 4)),
    ("LongStorage", DType::Other("int64", 8)),
    ("ComplexFloatStorage", DType::Other("complex64", 8)),
    ("ComplexDoubleStorage", DType::Other("complex128", 16)),
];

/// Types that are stored as bytes, with their sizes.
const BARE: [(&str, usize); 8] = [
    ("uint16", 2),
    ("uint32", 4),
    ("uint64", 8),
    ("float8_e4m3fn", 1),
    ("float8_e4m3fnuz", 1),
    ("float8_e5m2", 1),
    ("float8_e5m2fnuz", 1),
    ("float8_e8m0fnu", 1),
];
