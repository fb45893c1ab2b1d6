//! A shop in two releases: what each one's structs say, and what its clients do all day.

pub mod release1;
pub mod release2;
pub mod work;
