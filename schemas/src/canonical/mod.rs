//! Canonical JSON (RFC 8785): equal values, equal bytes.
//!
//! The tests hold it to `serde_json_canonicalizer`, which keeps every object as a tree of its members and took a
//! sixth of the worker's time.

mod key;
mod writer;

use serde::Serialize;

use writer::Writer;

/// The canonical bytes of a value: members in UTF-16 order, numbers as ECMAScript writes them, no whitespace.
///
/// # Errors
/// When the value can't be JSON: a map whose keys are no strings or not distinct, a number that is not finite.
pub fn to_vec(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut writer = Writer::default();
    value.serialize(&mut writer)?;
    Ok(writer.out)
}

/// SHA-256 of bytes, in hexadecimal, lower case.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};

    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn canonical(value: &Value) -> String {
        String::from_utf8(to_vec(value).unwrap()).unwrap()
    }

    /// The numbers of RFC 8785, appendix B.
    #[test]
    fn numbers_are_written_as_the_rfc_writes_them() {
        for (bits, text) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        ] {
            assert_eq!(canonical(&json!(f64::from_bits(bits))), text);
        }
    }

    /// RFC 8785, 3.2.2 and 3.2.3: escapes, and members in the order of UTF-16 code units.
    #[test]
    fn strings_and_members_are_written_as_the_rfc_writes_them() {
        let strings = json!({"string": "\u{20ac}$\u{f}\nA'B\"\\\\\"/", "literals": [null, true, false]});
        assert_eq!(
            canonical(&strings),
            "{\"literals\":[null,true,false],\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
        let members = json!({
            "\u{20ac}": "Euro", "\r": "CR", "\u{fb33}": "Dalet", "1": "One", "\u{1f600}": "Smile", "\u{80}": "Control",
            "\u{f6}": "o umlaut",
        });
        let order = ["CR", "One", "Control", "o umlaut", "Euro", "Smile", "Dalet"];
        let text = canonical(&members);
        let places: Vec<_> = order.iter().map(|word| text.find(&format!("\"{word}\"")).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn what_json_cannot_hold_is_refused() {
        assert!(to_vec(&f64::NAN).is_err());
        assert!(to_vec(&f64::INFINITY).is_err());
        assert!(to_vec(&serde_json::value::RawValue::from_string("{}".into()).unwrap()).is_err());
    }

    #[test]
    fn keys_that_are_no_strings_or_come_twice_are_refused() {
        struct Twice;
        impl Serialize for Twice {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map([("b", 1), ("a", 2), ("b", 3)])
            }
        }
        assert_eq!(to_vec(&Twice).unwrap_err().to_string(), "an object has two members \"b\"");
        assert!(to_vec(&std::collections::BTreeMap::from([(1, 2)])).is_err());
    }

    #[derive(Clone, Debug, Serialize)]
    enum Shape {
        Nothing,
        Wrapped(Vec<i64>),
        Pair(u64, char),
        Named { b: Option<f32>, a: Box<Shape> },
    }

    #[test]
    fn every_shape_is_written_as_the_library_writes_it() {
        let inner = Shape::Named { b: Some(0.5), a: Box::new(Shape::Pair(u64::MAX, '\u{1f600}')) };
        let shapes = [Shape::Nothing, Shape::Wrapped(vec![i64::MIN, -1, 1 << 53, (1 << 53) + 1]), inner.clone()];
        let all =
            (shapes, (), Some(Shape::Named { b: None, a: Box::new(inner) }), "x".to_owned(), u128::MAX, i128::MIN);
        assert_eq!(to_vec(&all).unwrap(), serde_json_canonicalizer::to_vec(&all).unwrap());
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            let key = prop_oneof!["[a-c]{0,3}", "[\"\\\\\\x00-\\x1f]{1,2}", any::<String>()];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::hash_map(key, inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn a_digest_is_hexadecimal() {
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    proptest! {
        #[test]
        fn any_value_is_written_as_the_library_writes_it(value in json_value()) {
            prop_assert_eq!(to_vec(&value).unwrap(), serde_json_canonicalizer::to_vec(&value).unwrap());
        }

        #[test]
        fn a_double_survives_canonical_bytes(bits: u64) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_finite());
            let back: f64 = serde_json::from_slice(&to_vec(&double).unwrap()).unwrap();
            prop_assert!(back.to_bits() == double.to_bits() || double == 0.0);
        }
    }
}
