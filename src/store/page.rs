//! Pages by keyset: a page continues behind the last row seen, however many rows were added before it.
//!
//! Rows are ordered by one column and then by id, both in one direction; rows without a value come last in either
//! direction. The condition compares the tuple, which both engines turn into one range of the index. A page may
//! also be taken of each of many parents in one statement.

use entity::{Day, Instant};
use sea_orm::sea_query::{Expr, ExprTrait, Func, NullOrdering, Order, Query, Value, WindowStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, Iterable, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
};

use super::StoreError;

/// The name of the column that numbers the rows of each parent.
const RANK: &str = "row_rank";

/// Which way a list runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest or oldest first.
    Ascending,
    /// Largest or newest first.
    #[default]
    Descending,
}

/// A row's value in the column that orders the list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SortValue {
    /// The row has none.
    Absent,
    /// A moment.
    Instant(Instant),
    /// A calendar day.
    Day(Day),
    /// An amount or a count.
    Integer(i64),
    /// A text, compared byte by byte.
    Text(String),
}

/// A place in a list: between the row with this value and id, and the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Keyset {
    /// The row's value in the ordering column.
    pub value: SortValue,
    /// The row's id.
    pub id: String,
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Page {
    /// Only rows behind this place.
    pub after: Option<Keyset>,
    /// Only rows before this place.
    pub before: Option<Keyset>,
    /// At most so many rows. One more is read, to know whether there are more.
    pub limit: u64,
    /// Takes the last rows of the range and not the first; they come out in list order all the same.
    pub backward: bool,
}

/// How a list of `E` is ordered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ordering<C> {
    pub(super) column: C,
    pub(super) id: C,
    pub(super) direction: Direction,
}

impl<C: ColumnTrait> Ordering<C> {
    /// Adds the page's conditions and order, and one row more than its limit.
    pub(super) fn paged<E: EntityTrait<Column = C>>(self, select: Select<E>, page: &Page) -> Select<E> {
        let order = self.order(page.backward);
        self.bounded(select, page)
            .order_by_with_nulls(self.column, order.clone(), nulls(page.backward))
            .order_by(self.id, order)
            .limit(page.limit.saturating_add(1))
    }

    /// The page of each parent, in one statement: parents in any order, the rows of each in list order.
    pub(super) async fn paged_by<E>(
        self,
        db: &impl ConnectionTrait,
        select: Select<E>,
        parent: C,
        page: &Page,
    ) -> Result<Vec<E::Model>, StoreError>
    where
        E: EntityTrait<Column = C>,
        C: Iterable,
    {
        let mut window = WindowStatement::partition_by(parent);
        let order = self.order(page.backward);
        window.order_by_with_nulls(self.column, order.clone(), nulls(page.backward)).order_by(self.id, order);
        let mut ranked = self.bounded(select, page).into_query();
        ranked.expr_window_as(Func::cust("row_number"), window, RANK);
        let rows = Query::select()
            .columns(C::iter())
            .from_subquery(ranked, "ranked")
            .and_where(Expr::col(RANK).lte(page.limit.saturating_add(1)))
            .order_by(RANK, Order::Asc)
            .to_owned();
        let rows = db.query_all(&rows).await?;
        Ok(rows.iter().map(|row| E::Model::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    fn order(self, backward: bool) -> Order {
        if (self.direction == Direction::Ascending) == backward { Order::Desc } else { Order::Asc }
    }

    fn bounded<E: EntityTrait<Column = C>>(self, select: Select<E>, page: &Page) -> Select<E> {
        let select = match &page.after {
            Some(place) => select.filter(self.behind(place)),
            None => select,
        };
        match &page.before {
            Some(place) => select.filter(self.ahead_of(place)),
            None => select,
        }
    }

    fn behind(self, place: &Keyset) -> Condition {
        let ascending = self.direction == Direction::Ascending;
        match place.value.bound() {
            Some(value) => Condition::any().add(self.beyond(value, &place.id, ascending)).add(self.column.is_null()),
            None => Condition::all().add(self.column.is_null()).add(self.id_beyond(&place.id, ascending)),
        }
    }

    fn ahead_of(self, place: &Keyset) -> Condition {
        let ascending = self.direction == Direction::Ascending;
        match place.value.bound() {
            Some(value) => Condition::all().add(self.beyond(value, &place.id, !ascending)),
            None => Condition::any().add(self.column.is_not_null()).add(self.id_beyond(&place.id, !ascending)),
        }
    }

    fn beyond(self, value: Value, id: &str, larger: bool) -> Expr {
        let row = Expr::tuple([Expr::col(self.column.as_column_ref()), Expr::col(self.id.as_column_ref())]);
        let place = Expr::tuple([Expr::val(value), Expr::val(id)]);
        if larger { row.gt(place) } else { row.lt(place) }
    }

    fn id_beyond(self, id: &str, larger: bool) -> Expr {
        let column = Expr::col(self.id.as_column_ref());
        if larger { column.gt(id) } else { column.lt(id) }
    }
}

/// Read backward, the rows without a value come first.
const fn nulls(backward: bool) -> NullOrdering {
    if backward { NullOrdering::First } else { NullOrdering::Last }
}

impl SortValue {
    fn bound(&self) -> Option<Value> {
        match self {
            Self::Absent => None,
            Self::Instant(at) => Some((*at).into()),
            Self::Day(day) => Some((*day).into()),
            Self::Integer(number) => Some((*number).into()),
            Self::Text(text) => Some(text.clone().into()),
        }
    }
}

/// Cuts the extra row off, puts the rows in list order, and says whether there was one more.
pub(super) fn finish<T>(mut rows: Vec<T>, page: &Page) -> (Vec<T>, bool) {
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    if page.backward {
        rows.reverse();
    }
    (rows, more)
}
