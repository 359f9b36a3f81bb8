//! Which state of a thing that others edit has come to rest, and is to be judged. Pure.

/// Which states have been seen. Who edits in place is not done when the first bytes are there: a state counts
/// when it was there on two looks in a row.
#[derive(Debug)]
pub(crate) struct Looks<Mark> {
    last: Option<Mark>,
    judged: Option<Mark>,
}

impl<Mark: PartialEq + Clone> Looks<Mark> {
    /// Nothing has been seen as yet.
    pub(crate) fn new() -> Self {
        Self { last: None, judged: None }
    }

    /// Whether a state is to be judged: it is another than the last one judged, and was there a look ago already.
    pub(crate) fn is_due(&mut self, mark: &Mark) -> bool {
        let steady = self.last.replace(mark.clone()).as_ref() == Some(mark);
        steady && self.judged.as_ref() != Some(mark)
    }

    /// That state has been judged, and need not be again until there has been another; none: whatever is there
    /// is to be judged again.
    pub(crate) fn judged(&mut self, mark: Option<Mark>) {
        self.judged = mark;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_judged_once_when_it_was_there_on_two_looks() {
        let mut looks = Looks::new();
        for (mark, due) in [(Some(0), false), (Some(5), false), (Some(9), false), (Some(9), true)] {
            assert_eq!(looks.is_due(&mark), due);
        }
        assert!(looks.is_due(&Some(9)), "until it has been judged");
        looks.judged(Some(Some(9)));
        assert!(!looks.is_due(&Some(9)));
        assert!(!looks.is_due(&None));
        assert!(looks.is_due(&None), "what is gone is told, too");
    }
}
