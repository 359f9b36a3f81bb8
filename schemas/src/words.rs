//! Sets of words that clients branch on: each is a variant with its word, its cause and its mend, so that what is
//! documented of a word can't go astray from what is sent.

/// Makes an enum of words. A variant's doc comment is its cause, as clients are told; what stands behind `=>` is
/// what they can do about it.
///
/// ```
/// schemas::words! {
///     /// Why a door stays shut.
///     pub enum Shut {
///         /// Nobody is there.
///         Away = "away" => "Come back later.",
///     }
/// }
/// assert_eq!((Shut::Away.as_str(), Shut::Away.cause()), ("away", "Nobody is there."));
/// assert_eq!(Shut::ALL.len(), 1);
/// assert_eq!(serde_json::to_string(&Shut::Away).unwrap(), "\"away\"");
/// ```
#[macro_export]
macro_rules! words {
    (
        $(#[doc = $about:literal])+
        pub enum $name:ident {
            $($(#[doc = $cause:literal])+ $variant:ident = $word:literal => $mend:literal,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[doc = $cause])+ $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word that stands for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// When it is told, in a sentence.
            pub fn cause(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($cause,)+).trim(),)+
                }
            }

            /// What to do about it, in a sentence.
            pub fn mend(self) -> &'static str {
                match self {
                    $(Self::$variant => $mend,)+
                }
            }
        }

        impl From<$name> for ::std::borrow::Cow<'static, str> {
            fn from(word: $name) -> Self {
                Self::Borrowed(word.as_str())
            }
        }

        impl $crate::words::Serialize for $name {
            fn serialize<S: $crate::words::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl $crate::words::JsonSchema for $name {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                ::std::borrow::Cow::Borrowed(stringify!($name))
            }

            fn json_schema(_: &mut $crate::words::SchemaGenerator) -> $crate::words::Schema {
                let words: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                let told: Vec<_> = Self::ALL.iter().map(|word| word.cause()).collect();
                let mends: Vec<_> = Self::ALL.iter().map(|word| word.mend()).collect();
                $crate::words::json_schema!({
                    "type": "string",
                    "description": concat!($($about,)+).trim(),
                    "enum": words,
                    "x-enum-descriptions": told,
                    "x-enum-mends": mends,
                })
            }
        }
    };
}

pub use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
pub use serde::{Serialize, Serializer};
