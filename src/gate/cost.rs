//! What asking for a field costs: the table that the gate is handed. It knows no schema; whoever makes it does.

use std::collections::HashMap;

use super::outline::Root;
use super::size::Size;

/// Every field of a schema with its price, by type.
#[derive(Debug, Default)]
pub struct CostTable {
    /// The types that queries, mutations and subscriptions begin at.
    roots: [String; 3],
    types: HashMap<String, HashMap<String, Rule>>,
}

/// What one field costs: `times` × (`own` + everything that is selected below it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The price of one object.
    pub own: u64,
    /// How many objects there are.
    pub times: Times,
    /// The type that the field gives; what is below a type that is not in the table costs nothing.
    pub gives: String,
}

/// How many objects a field gives, or is taken to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// So many, whatever is asked for.
    Fixed(u64),
    /// As many as one of these arguments says, which are whole numbers.
    Counted {
        /// The arguments; the largest counts.
        arguments: &'static [&'static str],
        /// What holds when none is given.
        default: u64,
        /// The most that the resolver gives, or that is taken to be there.
        max: u64,
    },
    /// One for each value of this argument, a list.
    Listed {
        /// The argument.
        argument: &'static str,
        /// The most that the resolver gives.
        max: u64,
    },
}

impl CostTable {
    /// A table without fields. The roots are the types that queries, mutations and subscriptions begin at; one that
    /// there is not may be empty.
    pub fn new(query: &str, mutation: &str, subscription: &str) -> Self {
        Self { roots: [query, mutation, subscription].map(str::to_owned), types: HashMap::new() }
    }

    /// Puts a field into the table.
    pub fn insert(&mut self, type_name: &str, field: &str, rule: Rule) {
        self.types.entry(type_name.to_owned()).or_default().insert(field.to_owned(), rule);
    }

    /// The rule of a field; there is none for unknown ones, which cost nothing.
    pub fn rule(&self, type_name: &str, field: &str) -> Option<&Rule> {
        self.types.get(type_name)?.get(field)
    }

    pub(super) fn root(&self, root: Root) -> &str {
        let [query, mutation, subscription] = &self.roots;
        match root {
            Root::Query => query,
            Root::Mutation => mutation,
            Root::Subscription => subscription,
        }
    }
}

impl Times {
    /// The arguments that say something.
    pub(super) fn arguments(&self) -> &[&'static str] {
        match self {
            Self::Fixed(_) => &[],
            Self::Counted { arguments, .. } => arguments,
            Self::Listed { argument, .. } => std::slice::from_ref(argument),
        }
    }

    /// How many objects there are when these arguments are given.
    ///
    /// What the resolver refuses counts as nothing below its range and as its maximum above it, so that no number that
    /// a client gives makes a query cheaper than what is done for it.
    pub(super) fn count(self, given: impl Iterator<Item = Size>) -> u64 {
        match self {
            Self::Fixed(times) => times,
            Self::Counted { default, max, .. } => given
                .filter_map(|size| match size {
                    Size::Null => None,
                    Size::Number(number) => Some(u64::try_from(number).unwrap_or(0).min(max)),
                    Size::Entries(_) | Size::Other => Some(max),
                })
                .max()
                .unwrap_or(default),
            Self::Listed { max, .. } => given
                .map(|size| match size {
                    Size::Null => 0,
                    Size::Entries(entries) => u64::try_from(entries).unwrap_or(max).min(max),
                    // A single value stands for a list of one.
                    Size::Number(_) | Size::Other => 1,
                })
                .max()
                .unwrap_or(max),
        }
    }
}
