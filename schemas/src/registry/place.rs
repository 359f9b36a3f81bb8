//! The line on which a JSON pointer's value stands in a text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The line, counted from 1; none where the pointer leads nowhere.
pub(super) fn line(text: &str, pointer: &str) -> Option<usize> {
    let mut here = serde_json::from_str::<&RawValue>(text).ok()?.get();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        here = if here.starts_with('[') {
            let elements: Vec<&RawValue> = serde_json::from_str(here).ok()?;
            elements.get(step.parse::<usize>().ok()?)?.get()
        } else {
            let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(here).ok()?;
            members.get(step.as_str())?.get()
        };
    }
    // Raw values are parts of the text that they were read from.
    let offset = (here.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    Some(memchr::memchr_iter(b'\n', text.as_bytes().get(..offset)?).count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_to_its_values_line() {
        let text = "{\n \"a\": {\"b/c\":\n  [1,\n   {\"d\": 2}]},\n \"\\u0065\": 5\n}";
        for (pointer, expected) in
            [("", 1), ("/a", 2), ("/a/b~1c", 3), ("/a/b~1c/0", 3), ("/a/b~1c/1", 4), ("/a/b~1c/1/d", 4), ("/e", 5)]
        {
            assert_eq!(line(text, pointer), Some(expected), "{pointer}");
        }
        for nowhere in ["/x", "/a/b~1c/2", "/a/b~1c/x", "/e/f"] {
            assert_eq!(line(text, nowhere), None, "{nowhere}");
        }
    }
}
