//! What a GraphQL document may ask for, before anything parses it.
//!
//! One struct, one line per limit, the reason beside it. Every limit is inclusive: a document at
//! the number passes, one above it is refused. "After expansion" means with every fragment written
//! out at each place it is spread.

/// The most a document may contain.
///
/// Each is a setting between nothing, or as good as nothing, and [`Limits::CEILING`]. The numbers of [`Limits::DEFAULT`]
/// leave room for `GraphiQL`'s introspection query and for ten aliases of a full invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text in bytes, comments included.
    ///
    /// Checked first, so everything after it works on a bounded text.
    pub document_bytes: usize,
    /// Lexical tokens in the text; white space, commas and comments are none.
    ///
    /// Bounds the syntax tree, and with it the memory that one request can take before it runs.
    pub tokens: usize,
    /// Length of one name in bytes.
    ///
    /// The parser reads glued keywords (`nullnull`) as several values, so a name without a limit
    /// would hide thousands of values from the token count.
    pub name_bytes: usize,
    /// Brackets `{`, `[` and `(` open at the same time.
    ///
    /// The parser recurses once per bracket and has no limit for values: about 1,500 nested lists
    /// overflow its stack, which ends the process.
    pub nesting_brackets: usize,
    /// Fields on one path from the operation to a leaf, after expansion, outside introspection.
    ///
    /// The reference query is 4 deep; two pages of nodes around it add 6.
    pub depth_fields: usize,
    /// Fields on one path from `__schema` or `__type` to a leaf, both counted, after expansion.
    ///
    /// The standard introspection query follows `ofType` nine times and is 13 to 15 deep.
    pub introspection_depth_fields: usize,
    /// `fields`, `inputFields`, `interfaces` and `possibleTypes` on one path, after expansion.
    ///
    /// Each multiplies the answer by the fields of a type: four of them over sixty types of ten fields
    /// ask for 600,000 objects. Tools nest one, at most two.
    pub introspection_lists: usize,
    /// Fields `__schema` and `__type` of one operation, after expansion.
    ///
    /// The schema is the same however often it is asked for, and tools ask once.
    pub introspections: usize,
    /// How often one operation asks for the same list of introspection, after expansion: `types`,
    /// `directives`, `fields`, `args`, `inputFields`, `enumValues`, `interfaces` or `possibleTypes`.
    ///
    /// With aliases the whole schema would be answered thirty times. The standard query has `args`
    /// in two places, and every other list in one.
    pub introspection_repeats: usize,
    /// Selection sets on one path, after expansion; a spread and an inline fragment are a level.
    ///
    /// The executor recurses once per level. The schema is built with the ceiling as the library's own limit, so that
    /// ours is the one that refuses.
    pub selection_levels: usize,
    /// Fields and spreads of all operations together, after expansion.
    ///
    /// The validators walk the expanded document, and fragments that spread the next one twice
    /// make it grow as a power of two: 1 kB of text reaches 2^28.
    pub expanded_fields: usize,
    /// Fields of one operation, after expansion, those of introspection among them.
    ///
    /// The reference query has 44, the standard introspection query 230: room for ten aliases of a
    /// whole bill.
    pub height_fields: usize,
    /// Tokens of all operations together, after expansion.
    ///
    /// Bounds the arguments as [`Limits::expanded_fields`] bounds the fields: the validators
    /// visit every argument and list item again at each spread.
    pub expanded_tokens: usize,
    /// Aliased fields of all operations together, after expansion.
    ///
    /// Aliases are how one expensive field is asked for many times.
    pub aliases: usize,
    /// Fields at the root of one operation, after expansion.
    ///
    /// Root fields run side by side: this is the parallelism of one request.
    pub root_fields: usize,
    /// Directives in the whole text.
    ///
    /// Each is checked by several validation rules at each spread.
    pub directives: usize,
    /// Directives on one field, spread, inline fragment, operation or fragment.
    ///
    /// `@skip` and `@include` exist; more than a handful in one place is not a real query.
    pub field_directives: usize,
    /// Operations in the text; those not selected are validated as well.
    pub operations: usize,
    /// Fragment definitions in the text, used or not.
    pub fragments: usize,
    /// Variables declared by all operations together.
    ///
    /// Each unused one is an error entry of its own in the answer.
    pub variables: usize,
}

impl Limits {
    /// What the gateway ships with.
    pub const DEFAULT: Self = Self {
        document_bytes: 20_000,
        tokens: 2_000,
        name_bytes: 128,
        nesting_brackets: 40,
        depth_fields: 12,
        introspection_depth_fields: 20,
        introspection_lists: 2,
        introspections: 1,
        introspection_repeats: 2,
        selection_levels: 32,
        expanded_fields: 10_000,
        height_fields: 500,
        expanded_tokens: 50_000,
        aliases: 30,
        root_fields: 20,
        directives: 20,
        field_directives: 4,
        operations: 10,
        fragments: 50,
        variables: 50,
    };

    /// What settings may loosen each to; what the gate guards against does not happen below. Measured on the 16 MiB of a
    /// worker's stack, in a build without optimisation:
    ///
    /// - lists in values overflow it between 2,000 and 3,000 brackets. A command's main thread has 8 MiB; half of 2,000 is
    ///   assumed for it, not measured, and a quarter of that may be used;
    /// - resolvers inside each other overflow it between 98 and 146 fields on one path through pages, and between 122 and
    ///   162 through plain lists; a quarter of 98 may be used;
    /// - the parser has 64 selection sets inside each other, in the text;
    /// - 10,000 fields, written out, take 35 MB while they are validated, and 50,000 take 160 MB and half a second;
    /// - two lists of introspection inside each other were 195 kB, so that 60 aliases of them come to some 12 MB, and a third
    ///   list would multiply that once more.
    pub const CEILING: Self = Self {
        document_bytes: 100_000,
        tokens: 10_000,
        name_bytes: 256,
        nesting_brackets: 250,
        depth_fields: 24,
        introspection_depth_fields: 40,
        introspection_lists: 2,
        introspections: 2,
        introspection_repeats: 4,
        selection_levels: 64,
        expanded_fields: 20_000,
        height_fields: 20_000,
        expanded_tokens: 100_000,
        aliases: 60,
        root_fields: 100,
        directives: 100,
        field_directives: 20,
        operations: 50,
        fragments: 250,
        variables: 250,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
