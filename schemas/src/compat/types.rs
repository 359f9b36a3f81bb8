//! Sets of JSON's types, with whole numbers apart from the others.

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types(u8);

const NAMES: [(&str, Types); 7] = [
    ("null", Types::NULL),
    ("boolean", Types::BOOLEAN),
    ("integer", Types::WHOLE),
    ("number", Types::NUMBER),
    ("string", Types::STRING),
    ("array", Types::ARRAY),
    ("object", Types::OBJECT),
];

impl Types {
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const WHOLE: Self = Self(4);
    /// Numbers that are not whole.
    pub(super) const BROKEN: Self = Self(8);
    pub(super) const NUMBER: Self = Self(12);
    pub(super) const STRING: Self = Self(16);
    pub(super) const ARRAY: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);
    pub(super) const ALL: Self = Self(127);

    /// What the value of a `type` names.
    pub(super) fn named(value: &Value) -> Self {
        let one = |name: &Value| NAMES.iter().find(|(known, _)| name == known).map_or(Self(0), |(_, types)| *types);
        match value {
            Value::Array(names) => names.iter().map(one).fold(Self(0), Self::or),
            name => one(name),
        }
    }

    /// The type of a value.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if number.as_f64().is_some_and(|double| double.fract() != 0.0) => Self::BROKEN,
            Value::Number(_) => Self::WHOLE,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(super) fn has(self, some: Self) -> bool {
        !self.and(some).is_none()
    }

    pub(super) fn within(self, others: Self) -> bool {
        self.without(others).is_none()
    }

    /// Each of them for itself.
    pub(super) fn each(self) -> impl Iterator<Item = Self> {
        (0..7).map(|bit| Self(1 << bit)).filter(move |one| self.has(*one))
    }

    /// Their names, for people.
    pub(super) fn words(self) -> String {
        if self == Self::BROKEN {
            return "number that is not whole".to_owned();
        }
        let is_number = self.and(Self::NUMBER) == Self::NUMBER;
        let fits = |name: &str, types: Self| types.within(self) && !(is_number && name == "integer");
        NAMES.iter().filter(|(name, types)| fits(name, *types)).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}
