//! Collections that are cheap to copy: a copy shares what both have, and who changes one copies a small
//! part of it. So what a session was can be kept for an abort, however long the session is.

mod row;
mod set;
mod sorted;
mod table;

pub use row::Row;
pub use set::Set;
pub use sorted::Sorted;
pub use table::Table;
