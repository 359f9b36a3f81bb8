use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Wide {
    a: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<i64>,
    #[serde(skip)]
    never: u8,
    c: Option<String>,
    #[serde(rename = "x", default, skip_serializing_if = "Vec::is_empty")]
    d: Vec<Kind>,
    e: u128,
    f: f64,
    g: BTreeMap<String, (bool, i32)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    h: bool,
    i: (),
    #[serde(default, skip_serializing_if = "Option::is_none")]
    j: Option<Box<Wide>>,
    k: [u16; 3],
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Unit,
    Text(String),
    Pair(i64, char),
    Named {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        one: Option<u8>,
        other: f32,
    },
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unit),
        ".{0,5}".prop_map(Kind::Text),
        any::<(i64, char)>().prop_map(|(number, letter)| Kind::Pair(number, letter)),
        (any::<Option<u8>>(), -9.0..9.0_f32).prop_map(|(one, other)| Kind::Named { one, other }),
    ]
}

fn wide() -> impl Strategy<Value = Wide> {
    let numbers = (any::<u64>(), any::<Option<i64>>(), any::<u128>(), -1e9..1e9_f64, any::<[u16; 3]>());
    let maps = prop::collection::btree_map(".{0,4}", any::<(bool, i32)>(), 0..4);
    let leaf = (numbers, any::<Option<String>>(), prop::collection::vec(kind(), 0..4), maps, any::<bool>())
        .prop_map(|((a, b, e, f, k), c, d, g, h)| Wide { a, b, never: 0, c, d, e, f, g, h, i: (), j: None, k });
    leaf.prop_recursive(3, 4, 1, |inner| {
        (inner.clone(), inner).prop_map(|(outer, inner)| Wide { j: Some(inner.into()), ..outer })
    })
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    to_bytes(value, &mut out).unwrap();
    out
}

proptest! {
    #[test]
    fn a_value_is_read_as_it_was_written(value in wide()) {
        let mut written = bytes(&value);
        prop_assert_eq!(from_bytes::<Wide>(&written).unwrap(), value);
        written.push(0);
        prop_assert!(from_bytes::<Wide>(&written).is_err(), "what is left over does not go unseen");
    }
}

#[test]
fn what_holds_nothing_takes_little() {
    assert_eq!(
        bytes(&Wide::default()).len(),
        18,
        "two bytes of groups, eight for the fraction, one or two for the others"
    );
}
