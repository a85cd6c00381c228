//! What an argument says about how many objects a field gives: numbers, lengths of lists, and variables for them.

/// A value, as far as it can tell a number of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// `null`, which counts as not given.
    Null,
    /// A whole number.
    Number(i64),
    /// A list of so many values.
    Entries(usize),
    /// Anything else.
    Other,
}

/// A value as it is written in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written<'a> {
    /// It stands there.
    Here(Size),
    /// The variable of that name has it.
    Variable(&'a str),
}

/// An argument of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Argument<'a> {
    /// What it is called.
    pub(super) name: &'a str,
    /// Its value.
    pub(super) value: Written<'a>,
}

/// A variable that an operation declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Variable<'a> {
    /// What it is called, without the `$`.
    pub(super) name: &'a str,
    /// What it has when the request gives none.
    pub(super) default: Option<Size>,
}

impl Size {
    /// A number as it is written: whole ones are numbers. A negative zero is none to the library.
    pub(super) fn of_number(text: &str) -> Self {
        text.parse().ok().filter(|_number| text != "-0").map_or(Self::Other, Self::Number)
    }

    /// A name as it is written: only `null` says anything.
    pub(super) fn of_name(text: &str) -> Self {
        if text == "null" { Self::Null } else { Self::Other }
    }
}
